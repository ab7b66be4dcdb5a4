/* A real library at work with known regressions: SQLite indexes text, mix() hashes it. -DSLOWER=10: mix() does 10 %
 * more; -DLEAK: 5 % of the heap is never freed and more is taken; -DCOPY: every text is copied once more. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SLOWER
#define SLOWER 0
#endif
#define ROUNDS 3000u

__attribute__((noinline)) uint64_t mix(const char *text, unsigned rounds)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (unsigned i = 0; i < rounds; i++)
		for (const char *at = text; *at; at++)
			hash = (hash ^ (unsigned char)*at) * 0x100000001b3ULL;
	return hash;
}

int main(int argc, char **argv)
{
	unsigned rows = argc > 1 ? (unsigned)atoi(argv[1]) : 30000;
	char **kept = calloc(rows, sizeof(*kept));
	uint64_t sum = 0;
	sqlite3 *db;
	sqlite3_stmt *insert;

	if (sqlite3_open(":memory:", &db) ||
		sqlite3_exec(db, "create table t(a, b); create index i on t(b)", 0, 0, 0) ||
		sqlite3_prepare_v2(db, "insert into t values (?, ?)", -1, &insert, 0))
		return 1;
	for (unsigned i = 0; i < rows; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%010u", i * 2654435761u);
		kept[i] = strdup(text);
		sqlite3_bind_int64(insert, 1, i);
		sqlite3_bind_text(insert, 2, text, -1, SQLITE_STATIC);
		sqlite3_step(insert);
		sqlite3_reset(insert);
		sum += mix(text, ROUNDS / 10 + ROUNDS / 10 * SLOWER / 100);
#ifdef COPY
		free(strdup(text));
		char *copy = malloc(4096);
		memset(copy, (int)i, 4096);
		sum += (unsigned char)copy[i % 4096];
		free(copy);
#endif
#ifdef LEAK
		char *lost = malloc(8);
		memcpy(lost, text, 8);
		sum += (unsigned char)lost[7];
#endif
	}
	sqlite3_finalize(insert);
	sqlite3_close(db);
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}
