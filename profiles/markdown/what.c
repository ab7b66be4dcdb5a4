/* Which word of a command line says what the process was for. */
#include "profiles/markdown/what.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/base/buffer.h"

#define WORDS_MAX 400u
#define EXTENSION_MAX 4u

/* The next word; false at the end. Commands are told with a blank between arguments. */
static bool next_word(const char **at, const char **word, size_t *length)
{
	*at += strspn(*at, " ");
	*word = *at;
	*length = strcspn(*at, " ");
	*at += *length;
	return *length > 0;
}

/* In how many commands of a program a word stands, and the last of them. */
struct count {
	uint32_t commands;
	size_t last;
};

struct counts {
	struct sp_names programs, words;
	struct sp_map index;
	struct count *items;
	size_t count, capacity;
	struct sp_buffer word; /* with a NUL behind it */
};

static struct count *count_of(struct counts *c, const char *program, const char *word, size_t length)
{
	uint32_t id, *cell;
	int found;

	sp_buffer_clear(&c->word);
	sp_buffer_add(&c->word, word, length);
	id = sp_names_id(&c->words, c->word.data);
	cell = sp_map_at(&c->index, sp_names_id(&c->programs, program), id, &found);
	if (!found) {
		*cell = (uint32_t)c->count;
		sp_grow(&c->items, &c->capacity, c->count + 1, sizeof(*c->items));
		c->items[c->count++] = (struct count){.last = SIZE_MAX};
	}
	return &c->items[*cell];
}

static bool has_extension(const char *word, size_t length)
{
	const char *dot = memrchr(word, '.', length);
	size_t n = dot ? (size_t)(word + length - dot) - 1 : 0;

	return n >= 1 && n <= EXTENSION_MAX && dot > word && !memchr(dot, '/', n + 1) && (dot[1] < '0' || dot[1] > '9');
}

/* The lower the better: a source file, an output, another file, a word, an option. */
static unsigned kind_of(const char *word, size_t length, const char *before, size_t before_length)
{
	static const char *const sources[] = {"c", "cc", "cpp", "cxx", "C", "i", "ii", "s", "S", "m", "mm", "rs", "go",
		"f", "f90", "d", "ada", "adb", "y", "l", "py", "js", "ts", "pl", "rb", "php", "lua", "sh", "tex", "sql",
		"java"};
	const char *dot = memrchr(word, '.', length);
	bool temporary = length > 5 && memcmp(word, "/tmp/", 5) == 0;

	if (word[0] == '-')
		return 5;
	if (temporary)
		return 4;
	for (size_t i = 0; dot && i < sizeof(sources) / sizeof(sources[0]); i++)
		if ((size_t)(word + length - dot) == strlen(sources[i]) + 1 &&
			memcmp(dot + 1, sources[i], strlen(sources[i])) == 0 &&
			!(before_length == 2 && memcmp(before, "-o", 2) == 0) &&
			!(before_length > 1 && before[0] == '-' && before[1] == 'M'))
			return 0;
	if (before_length == 2 && memcmp(before, "-o", 2) == 0)
		return 1;
	return has_extension(word, length) ? 2 : 3;
}

/* The best of the words that not all of the program's commands have; words that other commands have too come last. */
static const char *choose(struct sp_what *what, const struct sp_member *process, struct counts *counts,
	uint32_t members)
{
	const char *at = process->command, *word, *best = "", *before = "";
	size_t length, best_length = 0, before_length = 0;
	uint32_t best_rank = UINT32_MAX;

	next_word(&at, &word, &length); /* the program itself */
	for (size_t n = 0; n < WORDS_MAX && next_word(&at, &word, &length); n++) {
		uint32_t have = count_of(counts, process->program, word, length)->commands;
		uint32_t rank = kind_of(word, length, before, before_length) * 2 + (have > 1) +
			(have >= members && members > 1 ? 20 : 0);

		before = word;
		before_length = length;
		if (rank >= best_rank)
			continue;
		best_rank = rank;
		best = word;
		best_length = length;
	}
	return sp_pool_copy(&what->pool, best, best_length);
}

static void count_words(const struct sp_profile *p, size_t i, struct counts *counts)
{
	const char *at = p->processes[i].command, *word;
	size_t length;

	for (size_t n = 0; n < WORDS_MAX && next_word(&at, &word, &length); n++) {
		struct count *count = count_of(counts, p->processes[i].program, word, length);

		count->commands += count->last != i;
		count->last = i;
	}
}

void sp_what_tell(struct sp_what *what, const struct sp_profile *p)
{
	struct counts counts = {0};
	uint32_t *members = sp_alloc(p->process_count, sizeof(*members));

	*what = (struct sp_what){.of = sp_alloc(p->process_count, sizeof(*what->of))};
	for (size_t i = 0; i < p->process_count; i++) {
		members[sp_names_id(&counts.programs, p->processes[i].program)]++;
		count_words(p, i, &counts);
	}
	for (size_t i = 0; i < p->process_count; i++)
		what->of[i] = choose(what, &p->processes[i], &counts,
			members[sp_names_id(&counts.programs, p->processes[i].program)]);
	sp_map_free(&counts.index);
	sp_names_free(&counts.programs);
	sp_names_free(&counts.words);
	sp_buffer_free(&counts.word);
	free(counts.items);
	free(members);
}

void sp_what_free(struct sp_what *what)
{
	sp_pool_free(&what->pool);
	free(what->of);
}
