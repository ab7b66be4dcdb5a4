/* Values: whether they are secrets by what they look like. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "profiles/redact_parts.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define TOKEN_LEAST 20
#define TOKEN_LOOK 256 /* what is longer has its digit or capital before */
#define RANDOM_LEAST 40
#define WORD_LEAST 4
#define RANDOM_LOOK 64 /* of these the randomness is told */

/* --- values behind a name */

static bool is_one_of(const char *text, size_t length, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == length && strncasecmp(text, list[i], length) == 0)
			return true;
	return false;
}

static bool is_switch_word(const char *text, size_t length)
{
	static const char *const words[] = {
		"true", "false", "yes", "no", "on", "off", "none", "null", "auto", "0", "1"};

	return is_one_of(text, length, words, COUNT(words));
}

/* The length without a unit of measure: 64k, 100ms, 80/tcp. */
static size_t without_unit(const char *text, size_t length)
{
	static const char *const units[] = {"k", "m", "g", "t", "b", "kb", "mb", "gb", "kib", "mib", "gib", "ns", "us",
		"ms", "s", "sec", "min", "h", "d", "w", "x", "px", "hz", "khz", "mhz", "tcp", "udp"};
	size_t end = length;

	while (end && isalpha((unsigned char)text[end - 1]))
		end--;
	return end < length && is_one_of(text + end, length - end, units, COUNT(units)) ? end : length;
}

static bool is_number(const char *text, size_t length)
{
	bool hexadecimal = length > 2 && length <= 18 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	bool digits = false;

	for (size_t i = 2; i < length && hexadecimal; i++)
		hexadecimal = isxdigit((unsigned char)text[i]);
	if (hexadecimal)
		return true;
	length = without_unit(text, length);
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]) && (!text[i] || !strchr(".,:+-/%", text[i])))
			return false;
		digits = digits || isdigit((unsigned char)text[i]);
	}
	return digits;
}

/* A piece between signs that no word is: letters and digits, of some length. */
static bool is_mixed(const char *piece, size_t length)
{
	size_t digits = 0, letters = 0;

	for (size_t i = 0; i < length; i++) {
		digits += isdigit((unsigned char)piece[i]) != 0;
		letters += isalpha((unsigned char)piece[i]) != 0 || (unsigned char)piece[i] >= 0x80;
	}
	return length >= 5 && digits && letters;
}

static bool has_mixed_piece(const char *text, size_t length, size_t least)
{
	for (size_t start = 0, end; start < length; start = end + 1) {
		for (end = start;
			end < length && (isalnum((unsigned char)text[end]) || (unsigned char)text[end] >= 0x80);)
			end++;
		if (end - start >= least && is_mixed(text + start, end - start))
			return true;
	}
	return false;
}

/* /etc/ssl/server.key, ./key.pem, key.pem: not /HUSH77 */
static bool is_path(const char *text, size_t length)
{
	const char *name = memrchr(text, '/', length), *dot;
	bool rooted = length && (text[0] == '/' || text[0] == '.' || text[0] == '~');

	name = name ? name + 1 : text;
	dot = memrchr(name, '.', length - (size_t)(name - text));
	if (has_mixed_piece(text, length, 16) || memchr(text, '@', length) || memchr(text, '=', length))
		return false;
	if (dot && dot > name && text + length - dot >= 3 && text + length - dot <= 6)
		return !has_mixed_piece(dot, (size_t)(text + length - dot), 5) &&
			(name > text || !has_mixed_piece(text, length, 8));
	return rooted && name > text + 2 && !has_mixed_piece(name, (size_t)(text + length - name), 5);
}

static bool is_version(const char *text, size_t length)
{
	size_t i = length && (text[0] == 'v' || text[0] == 'V');

	for (; i < length; i++)
		if (!isdigit((unsigned char)text[i]) && text[i] != '.')
			return false;
	return length > 1;
}

bool sp_redact_looks_secret(const char *text, size_t length)
{
	bool letters = false, signs = false;

	if (length < 5 || is_number(text, length) || is_version(text, length) || is_path(text, length))
		return false;
	for (size_t i = 0; i < length; i++) {
		letters = letters || isalnum((unsigned char)text[i]);
		signs = signs || (text[i] && strchr("!$%^&*#@", text[i]));
	}
	return has_mixed_piece(text, length, 5) || (letters && signs && !memchr(text, ' ', length));
}

/* Without quotes and what a list goes on with. */
static void trim(const char **text, size_t *length)
{
	while (*length && strchr("\"'([{", **text) && **text) {
		++*text;
		--*length;
	}
	while (*length && strchr("\"')]},;", (*text)[*length - 1]) && (*text)[*length - 1])
		--*length;
}

bool sp_redact_hides(enum sp_secrecy secrecy, const char *value, size_t length)
{
	trim(&value, &length);
	if (secrecy == SP_SECRET)
		return !is_switch_word(value, length);
	if (secrecy == SP_OPEN || !length || is_switch_word(value, length))
		return false;
	if (secrecy == SP_WEAK)
		return !(length <= 3 && is_number(value, length)) && !is_path(value, length);
	return sp_redact_looks_secret(value, length) && !memmem(value, length, "://", 3);
}

/* --- tokens anywhere */

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
bool sp_redact_is_random(const char *text, size_t length)
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

static const char *const token_prefixes[] = {"ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "gldt-",
	"glrt-", "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-", "sk-", "sk_live_", "sk_test_", "rk_live_",
	"pk_live_", "whsec_", "AKIA", "ASIA", "AIza", "eyJ", "hf_", "npm_", "pypi-", "dop_v1_", "ya29.", "SG.",
	"shpat_", "shpss_", "dckr_pat_", "ATATT", "lin_api_", "sq0atp-", "hvs.", "AGE-SECRET-KEY-"};

bool sp_redact_is_token(const char *text, size_t length)
{
	for (size_t i = 0; i < COUNT(token_prefixes) && length >= TOKEN_LEAST; i++) {
		size_t prefix = strlen(token_prefixes[i]);

		if (memcmp(text, token_prefixes[i], prefix) != 0)
			continue;
		for (size_t k = prefix; k < length && k < TOKEN_LOOK; k++)
			if (isdigit((unsigned char)text[k]) || isupper((unsigned char)text[k]))
				return true;
	}
	return false;
}
