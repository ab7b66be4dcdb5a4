/* A command line in words, for what is run without a shell. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/guard/guard.h"

/* Copies one word without its quotes and backslashes, as a shell has them. Returns what follows, NULL: a quote is open. */
static const char *copy_word(char **out, const char *at)
{
	char quote = '\0', *to = *out;

	for (; *at && (quote || !isspace((unsigned char)*at)); at++) {
		if (quote ? *at == quote : *at == '\'' || *at == '"')
			quote = quote ? '\0' : *at;
		else if (*at == '\\' && quote != '\'' && at[1])
			*to++ = *++at;
		else
			*to++ = *at;
	}
	*to++ = '\0';
	*out = to;
	return quote ? NULL : at;
}

char **sp_guard_words(const char *text)
{
	size_t most = strlen(text) / 2 + 2, count = 0;
	char **words = calloc(1, most * sizeof(*words) + strlen(text) + 2), *copy;

	if (!words)
		return NULL;
	copy = (char *)(words + most);
	while (text && *(text += strspn(text, " \t\n\r\v\f"))) {
		words[count++] = copy;
		text = copy_word(&copy, text);
	}
	if (text && count)
		return words;
	free(words);
	return NULL;
}
