/* Reading the subset of TOML: see toml.h. */
#include "profiles/gate/toml.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/buffer.h"

#define NUMBER_BYTES 40u
#define ITEMS_MAX 10000u
#define TABLES_NESTED 8u

struct reader {
	const char *at, *end;
	size_t line;
	const char *why;
	json_t *root;
	struct sp_buffer text; /* the string that is read */
};

static bool fail(struct reader *r, const char *why)
{
	if (!r->why)
		r->why = why;
	return false;
}

static bool is_at(const struct reader *r, char c)
{
	return r->at < r->end && *r->at == c;
}

static bool take(struct reader *r, char c)
{
	if (!is_at(r, c))
		return false;
	r->at++;
	return true;
}

static void skip_blanks(struct reader *r)
{
	while (is_at(r, ' ') || is_at(r, '\t'))
		r->at++;
}

static void skip_comment(struct reader *r)
{
	if (is_at(r, '#'))
		while (r->at < r->end && *r->at != '\n')
			r->at++;
}

static bool take_newline(struct reader *r)
{
	if (r->at + 1 < r->end && r->at[0] == '\r' && r->at[1] == '\n')
		r->at++;
	if (!take(r, '\n'))
		return false;
	r->line++;
	return true;
}

/* Blanks, comments and line ends. */
static void skip_lines(struct reader *r)
{
	do {
		skip_blanks(r);
		skip_comment(r);
	} while (take_newline(r));
}

static bool end_line(struct reader *r)
{
	skip_blanks(r);
	skip_comment(r);
	return r->at == r->end || take_newline(r) || fail(r, "there is something behind the value");
}

/* --- strings and keys */

static void put_utf8(struct sp_buffer *out, unsigned long code)
{
	if (code < 0x80)
		sp_buffer_printf(out, "%c", (int)code);
	else if (code < 0x800)
		sp_buffer_printf(out, "%c%c", (int)(0xc0 | code >> 6), (int)(0x80 | (code & 63)));
	else if (code < 0x10000)
		sp_buffer_printf(out, "%c%c%c", (int)(0xe0 | code >> 12), (int)(0x80 | (code >> 6 & 63)),
			(int)(0x80 | (code & 63)));
	else
		sp_buffer_printf(out, "%c%c%c%c", (int)(0xf0 | code >> 18), (int)(0x80 | (code >> 12 & 63)),
			(int)(0x80 | (code >> 6 & 63)), (int)(0x80 | (code & 63)));
}

static bool read_code_point(struct reader *r, size_t digits)
{
	char hex[9] = "";
	unsigned long code;

	if ((size_t)(r->end - r->at) < digits)
		return fail(r, "an escape is cut off");
	memcpy(hex, r->at, digits);
	if (strspn(hex, "0123456789abcdefABCDEF") != digits)
		return fail(r, "an escape has no hexadecimal digits");
	code = strtoul(hex, NULL, 16);
	if (!code || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return fail(r, "an escape stands for no character");
	put_utf8(&r->text, code);
	r->at += digits;
	return true;
}

static bool read_escape(struct reader *r)
{
	static const char names[] = "btnfre\"\\", values[] = "\b\t\n\f\r\033\"\\";
	const char *name = r->at < r->end && *r->at ? strchr(names, *r->at) : NULL;

	if (r->at < r->end && (*r->at == 'u' || *r->at == 'U'))
		return read_code_point(r, *r->at++ == 'u' ? 4 : 8);
	if (!name)
		return fail(r, "there is no such escape");
	sp_buffer_add(&r->text, values + (name - names), 1);
	r->at++;
	return true;
}

/* Behind the opening quote, into r->text. */
static bool read_quoted(struct reader *r, char quote)
{
	sp_buffer_clear(&r->text);
	sp_buffer_puts(&r->text, "");
	while (r->at < r->end && *r->at != quote) {
		unsigned char c = (unsigned char)*r->at++;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return fail(r, c == '\n' ? "a string has no end" : "a string has a control character");
		if (c == '\\' && quote == '"') {
			if (!read_escape(r))
				return false;
			continue;
		}
		sp_buffer_add(&r->text, (const char *)&c, 1);
	}
	return take(r, quote) || fail(r, "a string has no end");
}

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* A key or a part of a table's name, into r->text. */
static bool read_key(struct reader *r)
{
	if (take(r, '"'))
		return read_quoted(r, '"');
	if (take(r, '\''))
		return read_quoted(r, '\'');
	sp_buffer_clear(&r->text);
	while (r->at < r->end && is_bare(*r->at))
		sp_buffer_add(&r->text, r->at++, 1);
	return r->text.length || fail(r, "a key is missing");
}

/* --- values */

static json_t *read_value(struct reader *r, unsigned depth);

static json_t *text_value(struct reader *r, char quote)
{
	json_t *value;

	if (r->end - r->at >= 2 && r->at[0] == quote && r->at[1] == quote) {
		fail(r, "strings of several lines are not understood here");
		return NULL;
	}
	value = read_quoted(r, quote) ? json_stringn(r->text.data, r->text.length) : NULL;
	if (!value)
		fail(r, "a string is not UTF-8");
	return value;
}

static bool read_array_items(struct reader *r, json_t *array, unsigned depth)
{
	for (;;) {
		json_t *item;

		skip_lines(r);
		if (take(r, ']'))
			return true;
		item = json_array_size(array) < ITEMS_MAX ? read_value(r, depth + 1) : NULL;
		if (!item)
			return fail(r, "an array has too many items");
		json_array_append_new(array, item);
		skip_lines(r);
		if (!take(r, ',') && !is_at(r, ']'))
			return fail(r, "an array has no end, or a comma is missing");
	}
}

static json_t *array_value(struct reader *r, unsigned depth)
{
	json_t *array = json_array();

	if (depth > 4)
		fail(r, "arrays are nested too deeply");
	else if (read_array_items(r, array, depth))
		return array;
	json_decref(array);
	return NULL;
}

/* Whole numbers and decimals as TOML has them: no leading zeros, digits on both sides of a point. */
static bool is_number(const char *text)
{
	size_t digits;

	text += *text == '+' || *text == '-';
	digits = strspn(text, "0123456789");
	if (!digits || (digits > 1 && *text == '0'))
		return false;
	text += digits;
	if (*text == '.') {
		digits = strspn(++text, "0123456789");
		if (!digits)
			return false;
		text += digits;
	}
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '+' || *text == '-';
		digits = strspn(text, "0123456789");
		if (!digits)
			return false;
		text += digits;
	}
	return !*text;
}

static json_t *number_value(struct reader *r, const char *word)
{
	double real;
	long long whole;

	if (!is_number(word)) {
		fail(r, "the value is no string in quotes, number, true, false or array");
		return NULL;
	}
	errno = 0;
	whole = strtoll(word, NULL, 10);
	if (!strpbrk(word, ".eE") && !errno)
		return json_integer(whole);
	real = strtod(word, NULL);
	if (!isfinite(real) || !strpbrk(word, ".eE")) {
		fail(r, "a number is too large");
		return NULL;
	}
	return json_real(real);
}

static json_t *word_value(struct reader *r)
{
	char word[NUMBER_BYTES];
	size_t length = 0;

	while (r->at < r->end && (is_bare(*r->at) || *r->at == '+' || *r->at == '.') && length + 1 < sizeof(word))
		word[length++] = *r->at++;
	word[length] = '\0';
	if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
		return json_boolean(*word == 't');
	return number_value(r, word);
}

static json_t *read_value(struct reader *r, unsigned depth)
{
	if (is_at(r, '"') || is_at(r, '\''))
		return text_value(r, *r->at++);
	if (take(r, '['))
		return array_value(r, depth);
	return word_value(r);
}

/* --- tables */

/* The table of that name in `table`, which is made where it is missing; of an array of tables the last one. */
static json_t *step_into(struct reader *r, json_t *table, const char *name)
{
	json_t *next = json_object_get(table, name);

	if (!next) {
		next = json_object();
		if (json_object_set_new(table, name, next) < 0) {
			fail(r, "a key is not UTF-8");
			return NULL;
		}
	}
	if (json_is_array(next) && json_array_size(next))
		next = json_array_get(next, json_array_size(next) - 1);
	if (!json_is_object(next)) {
		fail(r, "what is a value already cannot be a table");
		return NULL;
	}
	return next;
}

static json_t *add_to_array(struct reader *r, json_t *table, const char *name)
{
	json_t *array = json_object_get(table, name), *item = NULL;

	if (!array) {
		array = json_array();
		if (json_object_set_new(table, name, array) < 0) {
			fail(r, "a key is not UTF-8");
			return NULL;
		}
	}
	if (json_is_array(array) && (!json_array_size(array) || json_is_object(json_array_get(array, 0))) &&
		json_array_size(array) < ITEMS_MAX) {
		item = json_object();
		json_array_append_new(array, item);
	} else {
		fail(r, "what is defined already cannot be an array of tables");
	}
	return item;
}

/* Behind the first bracket: the table that the lines below belong to. */
static json_t *read_heading(struct reader *r)
{
	bool array = take(r, '[');
	json_t *table = r->root;
	unsigned depth = 0;

	for (;;) {
		skip_blanks(r);
		if (!read_key(r))
			return NULL;
		skip_blanks(r);
		if (!take(r, '.'))
			break;
		if (++depth > TABLES_NESTED) {
			fail(r, "tables are nested too deeply");
			return NULL;
		}
		table = step_into(r, table, r->text.data);
		if (!table)
			return NULL;
	}
	if (!take(r, ']') || (array && !take(r, ']'))) {
		fail(r, "the name of a table ends with ]");
		return NULL;
	}
	if (!array && json_is_object(table) && json_object_get(table, r->text.data)) {
		fail(r, "this table is defined twice");
		return NULL;
	}
	table = array ? add_to_array(r, table, r->text.data) : step_into(r, table, r->text.data);
	return table && end_line(r) ? table : NULL;
}

static bool read_pair(struct reader *r, json_t *table)
{
	json_t *value;
	char *key;
	bool good;

	if (!read_key(r))
		return false;
	if (json_object_get(table, r->text.data))
		return fail(r, "this key is defined twice");
	skip_blanks(r);
	if (is_at(r, '.'))
		return fail(r, "keys with points are not understood here; use a [table]");
	if (!take(r, '='))
		return fail(r, "= is missing behind the key");
	key = strdup(r->text.data);
	skip_blanks(r);
	value = key ? read_value(r, 0) : NULL;
	good = value && end_line(r);
	if (good && json_object_set(table, key, value) < 0)
		good = fail(r, "a key is not UTF-8");
	json_decref(value);
	free(key);
	return good;
}

static void read_all(struct reader *r)
{
	json_t *table = r->root;

	for (skip_lines(r); table && r->at < r->end; skip_lines(r))
		if (take(r, '['))
			table = read_heading(r);
		else if (!read_pair(r, table))
			return;
}

json_t *sp_toml_parse(const char *text, size_t length, const char **why, size_t *line)
{
	struct reader r = {.at = text, .end = text + length, .line = 1, .root = json_object()};

	if (length > SP_TOML_BYTES_MAX)
		fail(&r, "it is too large");
	else if (length && memchr(text, '\0', length))
		fail(&r, "it is no text");
	else
		read_all(&r);
	sp_buffer_free(&r.text);
	if (!r.why)
		return r.root;
	*why = r.why;
	*line = r.line;
	json_decref(r.root);
	return NULL;
}
