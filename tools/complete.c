/* smartprof complete WORD…: what may stand in place of the last word, one a line; for the shells (tools/completion). */
#include "tools/tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env/env.h"

#define WORDS_MAX 256

static const char *prefix = ""; /* "--flag=" where the value is part of its word */

void sp_completion_put(const char *word)
{
	printf("%s%s\n", prefix, word);
}

/* The index of the program that `run`, `guard` or `monitor` starts, 0: the flags have not ended before the last word. */
static int find_program(int count, char **words)
{
	bool told = strcmp(words[1], "run") != 0;

	for (int i = 2; i <= count; i++) {
		const char *word = words[i];
		bool value = strcmp(word, "--allocator") == 0 || strcmp(word, "--repeat") == 0;

		if (strcmp(word, "--") == 0)
			return i < count ? i + 1 : 0;
		if (told)
			continue; /* where its flags end is said */
		if (word[0] != '-')
			return i;
		for (int k = 0; k < SP_OPTIONS && !value; k++)
			value = strncmp(word, "--", 2) == 0 && *sp_option_rows[k].flag &&
				strcmp(word + 2, sp_option_rows[k].flag) == 0;
		i += value; /* what follows is the flag's */
	}
	return 0;
}

/* Of `--flag=value` the value is asked for. */
static int complete_joined(sp_command_fn *fn, char *command, char *word)
{
	char flag[128], values[] = SP_COMPLETE_VALUES;
	int bytes = (int)(strchr(word, '=') - word);

	snprintf(flag, sizeof(flag), "%.*s", bytes, word);
	prefix = word;
	word[bytes + 1] = '\0';
	return fn(3, (char *[]){command, flag, values, NULL});
}

static int complete_command(int count, char **words)
{
	char values[] = SP_COMPLETE_VALUES, flags[] = SP_COMPLETE_FLAGS, end[] = "--";
	sp_command_fn *fn = sp_command_find(words[1]);
	char *last = words[count];
	bool starts =
		strcmp(words[1], "run") == 0 || strcmp(words[1], "guard") == 0 || strcmp(words[1], "monitor") == 0;
	int program = starts ? find_program(count, words) : 0;

	if (!fn)
		return 1;
	if (program) {
		printf(":program %d\n", program);
		return 0;
	}
	if (strncmp(last, "--", 2) == 0 && strchr(last, '='))
		return complete_joined(fn, words[1], last);
	if (count == 2 && (strcmp(words[1], "init") == 0 || strcmp(words[1], "push") == 0) && last[0] != '-')
		fn(3, (char *[]){words[1], end, values, NULL});
	else if (count == 3 && strcmp(words[1], "ctl") == 0 && words[2][0] != '-')
		fn(4, (char *[]){words[1], words[2], end, values, NULL});
	else if (count > 2 && strncmp(words[count - 1], "--", 2) == 0 && words[count - 1][2])
		fn(3, (char *[]){words[1], words[count - 1], values, NULL});
	optind = 0;
	return last[0] == '-' ? fn(2, (char *[]){words[1], flags, NULL}) : 0;
}

int sp_cmd_complete(int argc, char **argv)
{
	static char nothing[] = "";
	char *words[WORDS_MAX];
	int count = 0;

	if (!freopen("/dev/null", "w", stderr))
		return 1;
	words[0] = argv[0];
	for (int i = 1; i < argc && count + 2 < WORDS_MAX; i++)
		if (strcmp(argv[i], "=") != 0) /* a word of its own in bash */
			words[++count] = argv[i];
	if (argc > 1 && strcmp(argv[argc - 1], "=") == 0)
		words[++count] = nothing;
	words[count + 1] = NULL;
	if (count <= 1 || (count == 2 && strcmp(words[1], "help") == 0))
		sp_commands_put(count == 2);
	else
		complete_command(count, words);
	return 0;
}
