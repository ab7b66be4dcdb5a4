/* Making foreign text inert in Markdown, TSV and YAML. */
#include "profiles/base/escape.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "profiles/base/shorten.h"

size_t sp_utf8_length(const char *text, size_t left, uint32_t *code)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t need;
	uint32_t least;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		need = 2, least = 0x80, *code = p[0] & 0x1f;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		need = 3, least = 0x800, *code = p[0] & 0x0f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		need = 4, least = 0x10000, *code = p[0] & 0x07;
	} else {
		return 0;
	}
	if (left < need)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	if (*code < least || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return need;
}

bool sp_is_invisible(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {{0, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160},
		{0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
		{0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff9, 0xfffb},
		{0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && c >= ranges[i].first; i++)
		if (c <= ranges[i].last)
			return true;
	return false;
}

/* Whether the markup character at text[i] could act as markup there. `_` and `]` are left alone
 * where they cannot: grep for __libc_start_main or [unsampled] must find them. An underscore
 * inside or in front of a word never closes an emphasis, so none can come about. */
static bool needs_backslash(const char *text, size_t length, size_t i)
{
	unsigned char next;

	switch (text[i]) {
	case '|':
	case '`':
	case '<':
	case '>':
	case '&':
	case '*':
	case '~':
		return true;
	case '_':
		while (i < length && text[i] == '_')
			i++;
		next = i < length ? (unsigned char)text[i] : ' ';
		return !isalnum(next);
	case '[':
		return i + 1 < length && text[i + 1] == '^';
	case ']':
		return i + 1 < length && strchr("([:", text[i + 1]) != NULL && text[i + 1];
	case ':':
		return i + 1 < length && text[i + 1] == '/';
	case '.': /* "www.x" is a link to GFM */
		return i >= 3 && strncasecmp(text + i - 3, "www", 3) == 0;
	case '!':
		return i + 1 < length && text[i + 1] == '[';
	default:
		return false;
	}
}

/* Markup that counts only at the start of a line: a bullet, a heading, "1." or "1)" of a list, the
 * "[x]" of a task. */
static bool starts_block(const char *text, size_t length, size_t i)
{
	if (i && i < 10 && (text[i] == '.' || text[i] == ')')) {
		while (i && isdigit((unsigned char)text[i - 1]))
			i--;
		return i == 0;
	}
	if (i)
		return false;
	return strchr("#+-=>:\"'(", text[0]) != NULL ||
		(text[0] == '[' && length > 2 && strchr(" xX", text[1]) && text[2] == ']');
}

/* GFM makes a link of "a@b.c" without any markup that a backslash could take away. */
static bool is_mail_at(const char *text, size_t length, size_t i)
{
	bool dot = false, letter = false;

	if (text[i] != '@' || !i || !(isalnum((unsigned char)text[i - 1]) || strchr(".-_+", text[i - 1])))
		return false;
	for (i++; i < length && (isalnum((unsigned char)text[i]) || strchr(".-_", text[i])) && text[i]; i++) {
		dot = dot || text[i] == '.';
		letter = dot && (letter || isalpha((unsigned char)text[i]));
	}
	return letter;
}

static void put_bytes(struct sp_buffer *out, enum sp_escape how, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sp_buffer_printf(out, how == SP_ESCAPE_CELL ? "\\\\x%02x" : "\\x%02x", (unsigned char)text[i]);
}

/* How much of the text is, outside of Markdown, what it looks like: most often all of it. */
static size_t plain_length(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && text[n] >= ' ' && text[n] <= '~' && text[n] != '\\')
		n++;
	return n;
}

void sp_escape(struct sp_buffer *out, enum sp_escape how, const char *text, size_t length)
{
	bool cell = how == SP_ESCAPE_CELL;

	for (size_t i = 0, n; i < length; i += n) {
		uint32_t code = 0;

		n = cell ? 0 : plain_length(text + i, length - i);
		if (n) {
			sp_buffer_add(out, text + i, n);
			continue;
		}

		n = sp_utf8_length(text + i, length - i, &code);
		if (n == 0 || sp_is_invisible(code) || (cell && is_mail_at(text, length, i))) {
			n = n ? n : 1;
			put_bytes(out, how, text + i, n);
			continue;
		}
		if (text[i] == '\\' || (cell && (needs_backslash(text, length, i) || starts_block(text, length, i))))
			sp_buffer_puts(out, "\\");
		sp_buffer_add(out, text + i, n);
	}
}

void sp_escape_name(struct sp_buffer *out, enum sp_escape how, const char *name)
{
	struct sp_buffer shortened = {0};

	sp_shorten_name(&shortened, name);
	sp_escape(out, how, shortened.data, shortened.length);
	sp_buffer_free(&shortened);
}

static bool yaml_plain(const char *text)
{
	static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
	size_t length = strlen(text);

	if (!length || !(isalnum((unsigned char)text[0]) || strchr("/_.", text[0])) || text[length - 1] == ' ')
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return false;
	for (size_t i = 0; i < length; i++) {
		if (!(isalnum((unsigned char)text[i]) || strchr(" /_.-+=,%@():", text[i])))
			return false;
		if (text[i] == ':' && (text[i + 1] == ' ' || !text[i + 1]))
			return false;
	}
	return true;
}

void sp_escape_yaml(struct sp_buffer *out, const char *text, bool is_text)
{
	size_t length = strlen(text), start = 0;

	bool numeric = isdigit((unsigned char)text[0]) && text[strspn(text, "0123456789abcdefxoABCDEF_.+-:")] == '\0';

	if (yaml_plain(text) && !(is_text && numeric)) {
		sp_buffer_puts(out, text);
		return;
	}
	sp_buffer_puts(out, "\"");
	for (size_t i = 0; i <= length; i++) {
		if (i < length && text[i] != '"')
			continue;
		sp_escape(out, SP_ESCAPE_PLAIN, text + start, i - start);
		if (i < length)
			sp_buffer_puts(out, "\\\"");
		start = i + 1;
	}
	sp_buffer_puts(out, "\"");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

size_t sp_unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p; p++) {
		if (p[0] == '\\' && (p[1] == '\\' || p[1] == '"')) {
			*out++ = *++p;
		} else if (p[0] == '\\' && p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
			*out++ = (char)(hex_digit(p[2]) << 4 | hex_digit(p[3]));
			p += 3;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}
