/* Tokens anywhere in a text: of well-known shapes, or of much randomness. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "profiles/redact/redact.h"
#include "profiles/redact/parts.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define TOKEN_LOOK 256 /* what is longer has its digit or capital before */
#define RANDOM_LEAST 40
#define WORD_LEAST 4
#define RANDOM_LOOK 64 /* the randomness is measured over so many */

struct makeup {
	size_t length, upper, lower, digits, hex, groups; /* of digits */
	size_t in_words;                                  /* letters of which four or more in a row may be a word's */
	unsigned char seen[256];
};

/* Small letters, behind one capital or none; capitals alone. Returns the end. */
static size_t skip_word(const char *text, size_t length, size_t start)
{
	size_t end = start;

	while (end < length && isupper((unsigned char)text[end]))
		end++;
	if (end - start <= 1)
		while (end < length && islower((unsigned char)text[end]))
			end++;
	return end;
}

static void look_at(struct makeup *m, const char *text, size_t length)
{
	*m = (struct makeup){.length = length};
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		m->upper += isupper(c) != 0;
		m->lower += islower(c) != 0;
		m->digits += isdigit(c) != 0;
		m->hex += isxdigit(c) != 0;
		m->groups += isdigit(c) && (!i || !isdigit((unsigned char)text[i - 1]));
		m->seen[c]++;
	}
	for (size_t i = 0, end; i<length; i = end> i ? end : i + 1) {
		end = skip_word(text, length, i);
		m->in_words += end - i >= WORD_LEAST ? end - i : 0;
	}
}

static double bits_a_byte(const struct makeup *m)
{
	double bits = 0;

	for (size_t i = 0; i < sizeof(m->seen); i++)
		if (m->seen[i])
			bits -= m->seen[i] / (double)m->length * log2(m->seen[i] / (double)m->length);
	return bits;
}

/* What words, paths, hashes in hexadecimal and mangled names are not. */
static bool is_random(const char *text, size_t length)
{
	struct makeup m;

	if (length < RANDOM_LEAST || (text[0] == '_' && (text[1] == 'Z' || text[1] == 'R')))
		return false;
	look_at(&m, text, length < RANDOM_LOOK ? length : RANDOM_LOOK);
	if (m.hex == m.length || !m.digits || m.seen['.'] || m.seen['/'] * 16u > m.length + 8)
		return false;
	if (m.upper && m.lower)
		return m.upper >= 4 && m.lower >= 4 && m.in_words * 3 < m.length * 2 && bits_a_byte(&m) >= 4.2;
	return m.upper + m.lower + m.digits == m.length && m.groups >= 4 && bits_a_byte(&m) >= 4.2;
}

struct prefix {
	const char *text;
	size_t least; /* bytes with what follows: more where the prefix may begin a word */
};

static const struct prefix token_prefixes[] = {{"ghp_", 10}, {"gho_", 10}, {"ghs_", 10}, {"ghu_", 10}, {"ghr_", 10},
	{"github_pat_", 16}, {"glpat-", 10}, {"gldt-", 10}, {"glrt-", 10}, {"xoxb-", 10}, {"xoxp-", 10}, {"xoxa-", 10},
	{"xoxr-", 10}, {"xoxs-", 10}, {"xapp-", 12}, {"sk-", 20}, {"sk_live_", 12}, {"sk_test_", 12}, {"rk_live_", 12},
	{"pk_live_", 12}, {"whsec_", 12}, {"AKIA", 16}, {"ASIA", 16}, {"AIza", 12}, {"eyJ", 20}, {"hf_", 20},
	{"npm_", 20}, {"pypi-", 20}, {"dop_v1_", 14}, {"ya29.", 14}, {"SG.", 20}, {"shpat_", 12}, {"shpss_", 12},
	{"dckr_pat_", 16}, {"ATATT", 16}, {"lin_api_", 14}, {"sq0atp-", 14}, {"hvs.", 14}, {"AGE-SECRET-KEY-", 20}};

static bool is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < COUNT(token_prefixes); i++) {
		size_t prefix = strlen(token_prefixes[i].text);

		if (length < token_prefixes[i].least || memcmp(text, token_prefixes[i].text, prefix) != 0)
			continue;
		for (size_t k = prefix; k < length && k < TOKEN_LOOK; k++)
			if (isdigit((unsigned char)text[k]) || isupper((unsigned char)text[k]))
				return true;
	}
	return false;
}

static bool is_token_byte(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_-.+/~", c));
}

static void put_piece(struct sp_buffer *out, const char *piece, const char *end)
{
	if (is_random(piece, (size_t)(end - piece)))
		sp_buffer_puts(out, SP_REDACTED);
	else
		sp_buffer_add(out, piece, (size_t)(end - piece));
}

/* One run of such bytes: as a whole, by its pieces between slashes, and by what begins at any of its words. */
static void put_run(struct sp_buffer *out, const char *run, const char *end)
{
	const char *piece = run;

	if (is_random(run, (size_t)(end - run))) {
		sp_buffer_puts(out, SP_REDACTED);
		return;
	}
	for (const char *p = run; p < end; p++) {
		bool begins = p == run || !isalnum((unsigned char)p[-1]);

		if (begins && is_token(p, (size_t)(end - p))) {
			sp_buffer_add(out, piece, (size_t)(p - piece));
			sp_buffer_puts(out, SP_REDACTED);
			return;
		}
		if (*p != '/' && *p != '.')
			continue;
		put_piece(out, piece, p);
		sp_buffer_add(out, p, 1);
		piece = p + 1;
	}
	put_piece(out, piece, end);
}

void sp_redact_put(struct sp_buffer *out, const char *text, const char *end)
{
	static const char hook[] = "hooks.slack.com/services/";
	const char *p = memmem(text, (size_t)(end - text), hook, sizeof(hook) - 1),
		   *stop = p ? p + sizeof(hook) - 1 : end;

	for (p = text; p < stop;) {
		const char *run = p;

		while (p < stop && is_token_byte(*p))
			p++;
		put_run(out, run, p);
		for (run = p; p < stop && !is_token_byte(*p);)
			p++;
		sp_buffer_add(out, run, (size_t)(p - run));
	}
	if (stop < end)
		sp_buffer_puts(out, SP_REDACTED);
}
