/* Complaints of the command, with a guess at what was meant. */
#include "tools/tools.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiles/base/buffer.h"

#define WORD_MAX 63

void sp_complain(const char *format, ...)
{
	va_list arguments;

	char text[2 * PATH_MAX];

	fflush(stdout);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sp_make_inert(text);
	fprintf(stderr, "smartprof: %s\n", text);
}

int sp_complain_unknown(const char *what, const char *word, const char *dashes, const char *meant, const char *see)
{
	if (meant)
		sp_complain("%s '%s'; did you mean '%s%s'?", what, word, dashes, meant);
	else
		sp_complain("%s '%s'; see %s", what, word, see);
	return SP_EXIT_USAGE;
}

int sp_word_parse(const char *what, const char *word, const char *const *words, size_t count, int *index)
{
	const char *meant = sp_suggest(word, words, count);
	struct sp_buffer all = {0};

	if (strcmp(word, SP_COMPLETE_VALUES) == 0) {
		for (size_t i = 0; i < count; i++)
			sp_completion_put(words[i]);
		return SP_EXIT_USAGE;
	}

	for (size_t i = 0; i < count; i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		*index = (int)i;
		return 0;
	}
	if (meant)
		return sp_complain_unknown(what, word, "", meant, "");
	for (size_t i = 0; i < count; i++)
		sp_buffer_printf(&all, "%s%s", !i ? "" : i + 1 < count ? ", " : " and ", words[i]);
	sp_complain("%s '%s'; there are %s", what, word, all.data);
	sp_buffer_free(&all);
	return SP_EXIT_USAGE;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edits (insert, delete, replace, swap neighbours) that turn one word into the other. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	size_t a_bytes = strlen(a), b_bytes = strlen(b);

	if (a_bytes > WORD_MAX || b_bytes > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_bytes; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= a_bytes; i++) {
		size_t *free_row = before;

		now[0] = i;
		for (size_t j = 1; j <= b_bytes; j++) {
			int same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);

			now[j] = smallest(last[j] + 1, now[j - 1] + 1, last[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = smallest(now[j], before[j - 2] + 1, now[j]);
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[b_bytes];
}

const char *sp_suggest(const char *word, const char *const *candidates, size_t count)
{
	size_t least = strlen(word) / 3 + 1;
	const char *best = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t edits = distance(word, candidates[i]);

		if (edits < least || (edits == least && !best)) {
			least = edits;
			best = candidates[i];
		}
	}
	for (size_t i = 0; !best && strlen(word) > 2 && i < count; i++)
		if (strcasestr(candidates[i], word))
			best = candidates[i];
	return best;
}

static const char *nearest_flag(const char *word, const struct option *flags)
{
	const char *names[64];
	size_t count = 0;

	for (; flags->name && count < 64; flags++)
		names[count++] = flags->name;
	return sp_suggest(word, names, count);
}

int sp_flag_error(const char *command, int got, char **argv, const struct option *flags)
{
	const char *given = argv[optind - 1];
	char word[WORD_MAX + 1], what[64], see[64];

	if (got == '?' && strcmp(given, SP_COMPLETE_FLAGS) == 0) {
		for (const struct option *flag = flags; flag->name; flag++) {
			snprintf(what, sizeof(what), "--%.60s", flag->name);
			sp_completion_put(what);
		}
		return SP_EXIT_USAGE;
	}
	if (got == ':') {
		sp_complain("%s: %s needs a value; see smartprof %s --help", command, given, command);
		return SP_EXIT_USAGE;
	}
	if (given[0] != '-' || given[1] != '-') {
		sp_complain("%s: unknown flag '-%c'; see smartprof %s --help", command, optopt, command);
		return SP_EXIT_USAGE;
	}
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(given + 2, "="), given + 2);
	for (const struct option *flag = flags; flag->name; flag++) {
		if (strcmp(flag->name, word) == 0 && flag->has_arg == no_argument) {
			sp_complain("%s: --%s takes no value; see smartprof %s --help", command, word, command);
			return SP_EXIT_USAGE;
		}
	}
	snprintf(what, sizeof(what), "%s: unknown flag", command);
	snprintf(see, sizeof(see), "smartprof %s --help", command);
	return sp_complain_unknown(what, given, "--", nearest_flag(word, flags), see);
}

int sp_only_help(const char *command, const char *shorts, int argc, char **argv, const char *help)
{
	static const struct option flags[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int got;

	opterr = 0;
	optind = 0;
	got = getopt_long(argc, argv, shorts, flags, NULL);
	if (got == -1)
		return -1;
	if (got != 'h')
		return sp_flag_error(command, got, argv, flags);
	printf("%s", help);
	return 0;
}
