/* Values: whether they are secrets by what they look like. */
#include <ctype.h>
#include <string.h>

#include "profiles/redact/parts.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

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
	bool upper = false, lower = false, digits = false, signs = false;

	if (length < 5 || is_number(text, length) || is_version(text, length) || is_path(text, length))
		return false;
	for (size_t i = 0; i < length; i++) {
		upper = upper || isupper((unsigned char)text[i]);
		lower = lower || islower((unsigned char)text[i]);
		digits = digits || isdigit((unsigned char)text[i]);
		signs = signs || (text[i] && strchr("!$%^&*#@", text[i]));
	}
	return has_mixed_piece(text, length, 5) || (length >= 8 && upper && lower && digits) ||
		((upper || lower || digits) && signs && !memchr(text, ' ', length));
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
