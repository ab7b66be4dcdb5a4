/* Secret-looking values in command lines. */
#include "profiles/redact.h"

#include <ctype.h>
#include <string.h>

static const char *const secret_words[] = {"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey",
	"credential", "credentials", "auth", "authorization", "bearer", "cookie", "privatekey", "accesskey", "pass",
	"key", "passcode", "sas", "jwt", "session"};

/* Words that stand for a secret in themselves, wherever they are part of a longer word. */
static const char *const secret_parts[] = {
	"password", "passwd", "secret", "apikey", "token", "credential", "passphrase", "privatekey", "accesskey"};

static const char *const token_prefixes[] = {"ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "xoxb-", "xoxp-",
	"xoxa-", "sk-", "sk_live_", "rk_live_", "AKIA", "ASIA", "AIza", "eyJ", "hf_", "npm_", "pypi-", "dop_v1_"};

static bool word_is(const char *word, size_t length, const char *const *list, size_t count, bool part)
{
	char lower[64];

	if (length >= sizeof(lower))
		length = sizeof(lower) - 1;
	for (size_t i = 0; i < length; i++)
		lower[i] = (char)tolower((unsigned char)word[i]);
	lower[length] = '\0';
	for (size_t i = 0; i < count; i++)
		if (part ? strstr(lower, list[i]) != NULL : strcmp(lower, list[i]) == 0)
			return true;
	return false;
}

bool sp_redact_is_secret_name(const char *name, size_t length)
{
	char joined[64];
	size_t start = 0, n = 0;

	for (size_t i = 0; i < length && n < sizeof(joined); i++)
		if (isalnum((unsigned char)name[i]))
			joined[n++] = name[i];
	if (word_is(joined, n, secret_parts, sizeof(secret_parts) / sizeof(secret_parts[0]), true))
		return true;
	for (size_t i = 0; i <= length; i++) {
		if (i < length && isalnum((unsigned char)name[i]))
			continue;
		if (word_is(name + start, i - start, secret_words, sizeof(secret_words) / sizeof(secret_words[0]),
			    false))
			return true;
		start = i + 1;
	}
	return false;
}

static bool is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof(token_prefixes) / sizeof(token_prefixes[0]); i++)
		if (length >= 20 && strncmp(text, token_prefixes[i], strlen(token_prefixes[i])) == 0)
			return true;
	return false;
}

/* Appends "?name=value&name=value", secret values hidden. */
static void add_query(struct sp_buffer *out, const char *p, const char *end)
{
	while (p < end) {
		const char *name = p, *equals;

		while (p < end && (p == name || (*p != '&' && *p != '?')))
			p++;
		equals = memchr(name, '=', (size_t)(p - name));
		if (equals && sp_redact_is_secret_name(name, (size_t)(equals - name))) {
			sp_buffer_add(out, name, (size_t)(equals + 1 - name));
			sp_buffer_puts(out, SP_REDACTED);
		} else {
			sp_buffer_add(out, name, (size_t)(p - name));
		}
	}
}

/* Appends text with the credentials of "scheme://user:pass@host" and secret queries hidden. */
static void add_value(struct sp_buffer *out, const char *text, size_t length)
{
	const char *end = text + length, *host = memmem(text, length, "://", 3), *at = NULL;

	if (!host) {
		if (is_token(text, length))
			sp_buffer_puts(out, SP_REDACTED);
		else
			sp_buffer_add(out, text, length);
		return;
	}
	host += 3;
	for (const char *p = host; p < end && !strchr("/?#", *p); p++)
		if (*p == '@')
			at = p;
	sp_buffer_add(out, text, (size_t)(host - text));
	if (at)
		sp_buffer_puts(out, SP_REDACTED);
	add_query(out, at ? at : host, end);
}

static bool is_auth_scheme(const char *word, size_t length)
{
	return (length == 6 && strncasecmp(word, "bearer", 6) == 0) ||
		(length == 5 && strncasecmp(word, "basic", 5) == 0);
}

/* Appends one word. Returns true when what follows it is a secret: "--token", "Bearer", "password:". */
static bool add_word(struct sp_buffer *out, const char *word, size_t length)
{
	const char *end = word + length;
	bool flag = length && word[0] == '-';

	while (word < end) {
		const char *sep = word;

		while (sep < end && *sep != '=' && *sep != ':')
			sep++;
		if (sep == end || (end - sep >= 3 && memcmp(sep, "://", 3) == 0))
			break;
		sp_buffer_add(out, word, (size_t)(sep + 1 - word));
		if (sp_redact_is_secret_name(word, (size_t)(sep - word))) {
			if (sep + 1 < end)
				sp_buffer_puts(out, SP_REDACTED);
			return sep + 1 == end;
		}
		word = sep + 1;
		flag = false;
	}
	add_value(out, word, (size_t)(end - word));
	return (flag && sp_redact_is_secret_name(word, (size_t)(end - word))) ||
		(end - word == 6 && is_auth_scheme(word, 6));
}

/* Appends one argument, word by word; *hide carries over to the next argument. */
static void add_argument(struct sp_buffer *out, const char *arg, bool *hide)
{
	while (*arg) {
		size_t space = strspn(arg, " \t\n"), word = strcspn(arg + space, " \t\n");

		sp_buffer_add(out, arg, space);
		arg += space;
		if (*hide && word && (arg[0] != '-')) {
			*hide = is_auth_scheme(arg, word);
			sp_buffer_puts(out, SP_REDACTED);
		} else if (word) {
			*hide = add_word(out, arg, word);
		}
		arg += word;
	}
}

void sp_redact_command(struct sp_buffer *out, const char *args, size_t size)
{
	bool hide = false, first = true;

	for (size_t at = 0; at < size && args[at];) {
		size_t length = strnlen(args + at, size - at);

		if (at + length >= size)
			break;
		if (!first)
			sp_buffer_puts(out, " ");
		add_argument(out, args + at, &hide);
		first = false;
		at += length + 1;
	}
}
