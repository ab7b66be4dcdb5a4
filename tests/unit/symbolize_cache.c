/* Many addresses at once and the cache: the same answers as one by one, from memory and from disk; and
 * when the cache must not answer. */
#include "tests/unit/symbolize_helpers.h"

#include <errno.h>
#include <sys/wait.h>
#include <time.h>

#include "symbolize/cache/cache.h"

#define FUNCTIONS 300
#define ADDRESSES 20000
#define FRAMES_MAX 64

static struct sp_symbol_query queries[ADDRESSES];
static char warning[1024];
static int warnings;
static bool names_only; /* what is asked for */

static void on_warning(const char *text)
{
	snprintf(warning, sizeof(warning), "%s", text);
	warnings++;
}

static void write_program(const char *name, const char *factor)
{
	FILE *file = fopen(in_scratch(name), "w");

	assert_non_null(file);
	fprintf(file, "#include <stdlib.h>\nstatic inline int leaf(int x) { if (x > 900) abort(); return x * %s; }\n",
		factor);
	for (int i = 0; i < FUNCTIONS; i++)
		fprintf(file,
			"__attribute__((noinline)) int f%d(int x)\n{\n\tfor (int i = 0; i < %d; i++)\n\t\tx += leaf(x "
			"+ i) "
			"^ rand();\n\treturn x;\n}\n",
			i, i + 3);
	fprintf(file, "int main(int argc, char **argv)\n{\n\t(void)argv;\n");
	for (int i = 0; i < FUNCTIONS; i++)
		fprintf(file, "\targc += f%d(argc);\n", i);
	fprintf(file, "\treturn argc;\n}\n");
	fclose(file);
}

static struct sp_symbolizer *open_cached(const char *file, const char *cache)
{
	struct sp_symbolizer_options options = {
		.debug_dirs = in_scratch("debugroot"), .warn = on_warning, .names_only = names_only};
	struct sp_symbol_module module = {.path = in_scratch(file)};
	struct sp_symbolizer *s;

	if (cache)
		options.cache = in_scratch(cache);
	s = sp_symbolizer_new(&options);
	assert_int_equal(sp_symbolizer_add_module(s, &module), 0);
	return s;
}

/* Queries all over the text, in no order, some of them twice. */
static size_t make_queries(const char *file)
{
	uint64_t low = address_of(file, "f0"), high = address_of(file, "f299");
	size_t count = 0;

	assert_true(low && high > low);
	for (uint64_t i = 0; i < 8000; i++)
		queries[count++] = (struct sp_symbol_query){.address = low + i * 7919 % (high - low)};
	return count;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Prepared answers against those of a symbolizer that is asked one by one. */
static void expect_same(struct sp_symbolizer *prepared, const char *file, size_t count)
{
	struct sp_symbolizer *single = open_cached(file, NULL);

	for (size_t i = 0; i < count; i++) {
		struct sp_symbol a[FRAMES_MAX], b[FRAMES_MAX];
		size_t n = sp_symbolize(prepared, 0, queries[i].address, a, FRAMES_MAX);

		assert_int_equal(n, sp_symbolize(single, 0, queries[i].address, b, FRAMES_MAX));
		for (size_t k = 0; k < n; k++) {
			assert_true(same_text(a[k].function, b[k].function) && same_text(a[k].file, b[k].file) &&
				same_text(a[k].decl_file, b[k].decl_file) && same_text(a[k].local_to, b[k].local_to));
			assert_true(a[k].line == b[k].line && a[k].decl_line == b[k].decl_line &&
				a[k].function_address == b[k].function_address && a[k].inlined == b[k].inlined);
		}
	}
	assert_int_equal(sp_symbolizer_source(prepared, 0), sp_symbolizer_source(single, 0));
	sp_symbolizer_free(single);
}

static void prepare_and_compare(const char *file, const char *cache)
{
	struct sp_symbolizer *s = open_cached(file, cache);
	size_t count = make_queries(file);

	warnings = 0;
	sp_symbolizer_prepare(s, queries, count);
	expect_same(s, file, count);
	sp_symbolizer_free(s);
}

static struct sp_cache_stats stats_of(const char *cache)
{
	struct sp_cache_stats stats;

	assert_int_equal(sp_cache_stats(in_scratch(cache), &stats), 0);
	return stats;
}

static void test_prepared(void **state)
{
	static const char *const builds[] = {"-g -O2", "-g -O2 -gz", "-g -O2 -gsplit-dwarf", "-O2"};

	(void)state;
	for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++) {
		shell("gcc %s -o prog p.c", builds[i]);
		prepare_and_compare("prog", NULL);
	}
}

/* That the answer comes from the cache shows when the file is changed behind its back. */
static void test_from_disk(void **state)
{
	struct sp_symbolizer *s;
	struct sp_symbol frame;
	size_t count;

	(void)state;
	shell("rm -rf c && gcc -g -O2 -o prog p.c && touch -d 2020-01-01 prog");
	prepare_and_compare("prog", "c/symbols.db");
	assert_int_equal(warnings, 0);
	assert_int_equal(stats_of("c/symbols.db").modules, 1);
	assert_true(stats_of("c/symbols.db").answers > 1000);
	assert_int_equal(stats_of("c/symbols.db").damaged, 0);
	prepare_and_compare("prog", "c/symbols.db");
	count = make_queries("prog");
	shell("sqlite3 c/symbols.db \"UPDATE modules SET source = 3\"");
	s = open_cached("prog", "c/symbols.db");
	sp_symbolizer_prepare(s, queries, count);
	assert_int_equal(sp_symbolizer_source(s, 0), 3); /* what only the database says */
	/* an address that is not in there is worked out and joins the others */
	queries[0].address = address_of("prog", "main");
	sp_symbolizer_prepare(s, queries, 1);
	sp_symbolize(s, 0, address_of("prog", "main"), &frame, 1);
	assert_string_equal(frame.function, "main");
	sp_symbolizer_free(s);
	prepare_and_compare("prog", "c/symbols.db");
}

/* Who wants names only does not get, nor leave behind, what others want. */
static void test_names_apart(void **state)
{
	(void)state;
	shell("rm -rf c && gcc -g -O2 -o prog p.c");
	for (int i = 0; i < 4; i++) {
		names_only = i % 2;
		prepare_and_compare("prog", "c/symbols.db");
	}
	names_only = false;
	assert_int_equal(stats_of("c/symbols.db").modules, 2);
}

/* Whatever an answer rests on may change. */
static void test_invalidation(void **state)
{
	uint8_t id[64];
	char hex[129] = "";
	size_t bytes;

	(void)state;
	/* the file itself, of the same size and without a build-id */
	shell("rm -rf c debugroot && gcc -g -O2 -Wl,--build-id=none -o prog p.c");
	prepare_and_compare("prog", "c/symbols.db");
	shell("gcc -g -O2 -Wl,--build-id=none -o prog2 p2.c && cat prog2 >prog");
	assert_int_equal(stats_of("c/symbols.db").stale, 1);
	prepare_and_compare("prog", "c/symbols.db");
	assert_int_equal(stats_of("c/symbols.db").stale, 0);
	/* a debug file that appears */
	shell("rm -rf c && gcc -g -O2 -o full p.c && cp full prog && strip -g prog");
	bytes = build_id_of("prog", id);
	for (size_t i = 0; i < bytes; i++)
		sprintf(hex + 2 * i, "%02x", id[i]);
	prepare_and_compare("prog", "c/symbols.db");
	shell("mkdir -p debugroot/.build-id/%.2s && objcopy --only-keep-debug full "
	      "debugroot/.build-id/%.2s/%s.debug",
		hex, hex, hex + 2);
	assert_int_equal(stats_of("c/symbols.db").stale, 1);
	prepare_and_compare("prog", "c/symbols.db");
	/* and goes again */
	shell("rm -rf debugroot");
	assert_int_equal(stats_of("c/symbols.db").stale, 1);
	prepare_and_compare("prog", "c/symbols.db");
	/* a split one */
	shell("rm -rf c && gcc -g -O2 -gsplit-dwarf -c p.c -o p.o && gcc -o prog p.o");
	prepare_and_compare("prog", "c/symbols.db");
	shell("rm p.dwo");
	assert_int_equal(stats_of("c/symbols.db").stale, 1);
	prepare_and_compare("prog", "c/symbols.db");
}

/* A damaged cache is replaced; one that cannot be used is told once and does not matter. */
static void test_unusable(void **state)
{
	struct sp_cache_stats stats;

	(void)state;
	shell("rm -rf c && gcc -g -O2 -o prog p.c && mkdir -m 700 c && head -c 100000 /dev/urandom >c/symbols.db");
	assert_int_equal(sp_cache_stats(in_scratch("c/symbols.db"), &stats), -EBADMSG);
	prepare_and_compare("prog", "c/symbols.db"); /* replaced */
	assert_int_equal(warnings, 0);
	assert_true(stats_of("c/symbols.db").modules > 0);
	prepare_and_compare("prog", "c/symbols.db");
	assert_int_equal(warnings, 0);
	/* damaged in the middle: chunks that do not check are worked out anew */
	shell("sqlite3 c/symbols.db \"UPDATE chunks SET answers = zeroblob(5000) WHERE id %% 2\"");
	assert_true(stats_of("c/symbols.db").damaged > 0);
	prepare_and_compare("prog", "c/symbols.db");
	assert_int_equal(stats_of("c/symbols.db").damaged, 0);
	/* a directory others can write to */
	shell("chmod 777 c");
	prepare_and_compare("prog", "c/symbols.db");
	assert_int_equal(warnings, 1);
	shell("chmod 700 c");
	assert_int_equal(sp_cache_stats(in_scratch("nowhere/symbols.db"), &stats), -ENOENT);
}

/* Somebody holds the lock: the render does not wait for long, and says nothing. */
static void test_locked(void **state)
{
	FILE *holder;
	char command[512];

	(void)state;
	shell("rm -rf c && gcc -g -O2 -o prog p.c && gcc -g -O2 -o prog2 p2.c");
	prepare_and_compare("prog", "c/symbols.db");
	snprintf(command, sizeof(command), "sqlite3 %s >%s", in_scratch("c/symbols.db"), in_scratch("locked"));
	holder = popen(command, "w");
	fputs("BEGIN IMMEDIATE; SELECT 'yes';\n", holder);
	fflush(holder);
	for (int i = 0; i < 500 && strcmp(shell_line("cat locked"), "yes"); i++)
		usleep(10000);
	assert_string_equal(shell_line("cat locked"), "yes");
	prepare_and_compare("prog2", "c/symbols.db"); /* wants to write */
	prepare_and_compare("prog", "c/symbols.db");  /* only reads */
	assert_int_equal(warnings, 0);
	pclose(holder);
	assert_int_equal(stats_of("c/symbols.db").modules, 1);
	prepare_and_compare("prog2", "c/symbols.db");
	assert_int_equal(stats_of("c/symbols.db").modules, 2);
}

static void test_trim(void **state)
{
	(void)state;
	shell("rm -rf c && gcc -g -O2 -o prog p.c && gcc -g -O2 -o prog2 p2.c");
	prepare_and_compare("prog", "c/symbols.db");
	prepare_and_compare("prog2", "c/symbols.db");
	assert_int_equal(sp_cache_trim(in_scratch("c/symbols.db"), SP_CACHE_BYTES, SP_CACHE_DAYS), 0);
	assert_int_equal(stats_of("c/symbols.db").modules, 2);
	shell("sqlite3 c/symbols.db \"UPDATE modules SET used = used - 1000000 WHERE id = 1\"");
	/* the least recently used goes first */
	assert_int_equal(sp_cache_trim(in_scratch("c/symbols.db"), stats_of("c/symbols.db").bytes - 1, 90), 0);
	assert_int_equal(stats_of("c/symbols.db").modules, 1);
	assert_int_equal(stats_of("c/symbols.db").oldest_use_s, stats_of("c/symbols.db").last_use_s);
	assert_true(stats_of("c/symbols.db").last_use_s + 1000 > (uint64_t)time(NULL));
	shell("sqlite3 c/symbols.db \"UPDATE modules SET used = used - 91 * 86400\"");
	assert_int_equal(sp_cache_trim(in_scratch("c/symbols.db"), SP_CACHE_BYTES, 90), 0);
	assert_int_equal(stats_of("c/symbols.db").modules, 0);
	assert_int_equal(stats_of("c/symbols.db").chunks, 0);
	assert_int_equal(sp_cache_trim(in_scratch("c/symbols.db"), 0, 90), 0); /* nothing left to drop */
}

/* Several at once: nothing is damaged, and nobody complains. */
static void test_together(void **state)
{
	(void)state;
	shell("rm -rf c && gcc -g -O2 -o prog p.c && gcc -g -O2 -o prog2 p2.c");
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			for (int k = 0; k < 3; k++)
				prepare_and_compare(k % 2 ? "prog" : "prog2", "c/symbols.db");
			_exit(warnings != 0);
		}
	}
	for (int i = 0; i < 4; i++) {
		int status = -1;

		wait(&status);
		assert_int_equal(status, 0);
	}
	assert_int_equal(stats_of("c/symbols.db").damaged, 0);
	assert_int_equal(stats_of("c/symbols.db").modules, 2);
}

static int set_up(void **state)
{
	int rc = make_scratch(state);

	if (!rc) {
		write_program("p.c", "7");
		write_program("p2.c", "9");
	}
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_from_disk),
		cmocka_unit_test(test_names_apart),
		cmocka_unit_test(test_invalidation),
		cmocka_unit_test(test_unusable),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_together),
	};

	return cmocka_run_group_tests(tests, set_up, remove_scratch);
}
