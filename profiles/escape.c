/* Making foreign text inert in Markdown, TSV and YAML. */
#include "profiles/escape.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "profiles/memory.h"

/* Length of the well-formed UTF-8 sequence at p (Unicode table 3-7), 0 if there is none. */
static size_t utf8_length(const unsigned char *p, size_t left, uint32_t *code)
{
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

/* Characters that change what a terminal or a reader shows without being seen themselves. */
static bool is_invisible(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
		(c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
		(c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
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
	case '!':
		return i + 1 < length && text[i + 1] == '[';
	default:
		return false;
	}
}

/* Markup that counts only at the start of a line. */
static bool starts_block(char c)
{
	return c && strchr("#+-=>:\"'(", c) != NULL;
}

void sp_escape(struct sp_buffer *out, enum sp_escape how, const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t code = 0;
		size_t n = utf8_length((const unsigned char *)text + i, length - i, &code);

		if (n == 0 || is_invisible(code)) {
			for (size_t k = 0; k < (n ? n : 1); k++)
				sp_buffer_printf(out, how == SP_ESCAPE_CELL ? "\\\\x%02x" : "\\x%02x",
					(unsigned char)text[i + k]);
			i += n ? n : 1;
			continue;
		}
		if (text[i] == '\\' ||
			(how == SP_ESCAPE_CELL &&
				(needs_backslash(text, length, i) || (i == 0 && starts_block(text[0])))))
			sp_buffer_puts(out, "\\");
		sp_buffer_add(out, text + i, n);
		i += n;
	}
}

void sp_escape_name(struct sp_buffer *out, enum sp_escape how, const char *name)
{
	size_t length = strlen(name), cut = 0, chars = 0;

	for (size_t i = 0; i < length && chars <= SP_NAME_CHARS; chars++) {
		uint32_t code;
		size_t n = utf8_length((const unsigned char *)name + i, length - i, &code);

		if (chars == SP_NAME_CHARS - 10)
			cut = i;
		i += n ? n : 1;
	}
	if (chars <= SP_NAME_CHARS) {
		sp_escape(out, how, name, length);
		return;
	}
	sp_escape(out, how, name, cut);
	sp_buffer_printf(out, "…#%08x", (uint32_t)(sp_hash_bytes(name, length) >> 32));
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
