/* Checking a profile line by line: front matter, then the readable part. */
#include "profiles/markdown/validate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/markdown/checks.h"
#include "profiles/markdown/markdown.h"
#include "profiles/model/facts.h"

#define SHOWN_BYTES 60 /* of a text that is quoted in a complaint */

static const char *inert(struct sp_validation *v, const char *text, size_t length)
{
	struct sp_buffer out = {0};
	const char *copy;

	sp_buffer_puts(&out, "");
	sp_escape(&out, SP_ESCAPE_PLAIN, text, length < SHOWN_BYTES ? length : SHOWN_BYTES);
	copy = sp_pool_copy(&v->pool, out.data, out.length);
	sp_buffer_free(&out);
	return copy;
}

void sp_violation_add(struct sp_validation *v, size_t line, const char *format, ...)
{
	char text[400];
	va_list args;

	if (v->count++ >= SP_VIOLATIONS_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	v->violations[v->count - 1] = (struct sp_violation){line, sp_pool_copy(&v->pool, text, strlen(text))};
}

static void add_unknown(struct sp_validation *v, struct sp_violation **list, size_t *count, size_t *capacity,
	struct sp_violation item)
{
	if (*count >= SP_VIOLATIONS_MAX)
		return;
	sp_grow(list, capacity, *count + 1, sizeof(**list));
	item.what = inert(v, item.what, strlen(item.what));
	(*list)[(*count)++] = item;
}

bool sp_line_next(struct sp_line *line)
{
	const char *newline;

	if (line->at >= line->end)
		return false;
	newline = memchr(line->at, '\n', (size_t)(line->end - line->at));
	line->text = line->at;
	line->length = (size_t)((newline ? newline : line->end) - line->at);
	line->at = newline ? newline + 1 : line->end;
	line->number++;
	return true;
}

bool sp_line_is(const struct sp_line *line, const char *text)
{
	return strlen(text) == line->length && memcmp(line->text, text, line->length) == 0;
}

bool sp_line_starts(const struct sp_line *line, const char *text)
{
	size_t n = strlen(text);

	return line->length >= n && memcmp(line->text, text, n) == 0;
}

void sp_validate_characters(struct sp_validation *v, const struct sp_line *line, bool tabs)
{
	for (size_t i = 0, n; i < line->length; i += n) {
		uint32_t code;

		n = sp_utf8_length(line->text + i, line->length - i, &code);
		if (n && (!sp_is_invisible(code) || (tabs && code == '\t')))
			continue;
		sp_violation_add(v, line->number,
			"it contains a control, invisible or broken character: 0x%02x at byte %zu",
			(unsigned char)line->text[i], i + 1);
		return;
	}
}

/* --- values of the front matter --- */

/* A scalar as sp_escape_yaml writes it, unquoted in place. NULL when it is none. */
static char *read_scalar(char *value)
{
	size_t length = strlen(value);

	if (value[0] != '"')
		return strpbrk(value, "\"\\#{}[]&*!|>%@`") == value ? NULL : value;
	if (length < 2 || value[length - 1] != '"')
		return NULL;
	for (size_t i = 1; i + 1 < length; i++) {
		if (value[i] == '"')
			return NULL;
		if (value[i] == '\\' &&
			!(value[i + 1] == 'x' || ((value[i + 1] == '\\' || value[i + 1] == '"') && i + 2 < length)))
			return NULL;
		i += value[i] == '\\';
	}
	value[length - 1] = '\0';
	sp_unescape(value + 1);
	return value + 1;
}

static void check_value(struct sp_validation *v, size_t number, size_t key, const char *value)
{
	const struct sp_schema_key *row = &sp_schema_keys[key];
	const char *wrong = sp_value_fault(row->type, value);

	if (v->key_line[key])
		sp_violation_add(v, number, "`%s` stands here again, after line %zu", row->name, v->key_line[key]);
	else
		v->key_line[key] = number;
	if (wrong)
		sp_violation_add(v, number, "`%s` %s: \"%s\"", row->name, wrong, inert(v, value, strlen(value)));
	v->foreign = v->foreign && row->type != SP_KEY_SCHEMA;
	if (wrong && row->type == SP_KEY_SCHEMA)
		v->foreign = true;
	if (row->type == SP_KEY_CLOCK)
		v->cpu = strcmp(value, "off") != 0;
	if (strcmp(row->name, "heap_interval_bytes") == 0)
		v->heap = true;
}

static void check_fact(struct sp_validation *v, const struct sp_line *line, double *cpu_seconds)
{
	char *name = sp_pool_copy(&v->pool, line->text, line->length), *value = strstr(name, ": ");
	size_t key;

	if (!value || value == name) {
		sp_violation_add(v, line->number, "the line is not `key: value`");
		return;
	}
	*value = '\0';
	value = read_scalar(value + 2);
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		sp_violation_add(v, line->number, "the line has no key: \"%s\"", inert(v, name, strlen(name)));
	if (!value) {
		sp_violation_add(v, line->number, "`%s` is not a plain or double-quoted YAML value",
			inert(v, name, strlen(name)));
		return;
	}
	key = sp_schema_key(name);
	if (key < SP_SCHEMA_KEYS)
		check_value(v, line->number, key, value);
	else
		add_unknown(v, &v->unknown_keys, &v->unknown_key_count, &v->unknown_key_capacity,
			(struct sp_violation){line->number, name});
	if (strcmp(name, "cpu_user_seconds") == 0 || strcmp(name, "cpu_system_seconds") == 0)
		*cpu_seconds += strtod(value, NULL);
}

static bool check_front_matter(struct sp_validation *v, struct sp_line *line, double *cpu_seconds)
{
	if (!sp_line_next(line) || !sp_line_is(line, "---")) {
		sp_violation_add(v, 1, "it does not start with the front matter of a profile");
		return false;
	}
	while (sp_line_next(line)) {
		if (sp_line_is(line, "---"))
			return true;
		sp_validate_characters(v, line, false);
		check_fact(v, line, cpu_seconds);
	}
	sp_violation_add(v, line->number, "the front matter does not end");
	return false;
}

/* --- the readable part --- */

size_t sp_validate_heading(struct sp_validation *v, const struct sp_line *line)
{
	size_t last = 0, i = 0;

	for (; i < SP_SCHEMA_SECTIONS; i++) {
		const char *heading = sp_schema_sections[i].heading;

		if (heading[strlen(heading) - 1] == '(' ? sp_line_starts(line, heading) : sp_line_is(line, heading))
			break;
	}
	if (i == SP_SCHEMA_SECTIONS) {
		add_unknown(v, &v->unknown_sections, &v->unknown_section_count, &v->unknown_section_capacity,
			(struct sp_violation){line->number, inert(v, line->text, line->length)});
		return i;
	}
	for (size_t k = i + 1; k < SP_SCHEMA_SECTIONS; k++)
		last = v->section_line[k] > last ? v->section_line[k] : last;
	if (v->section_line[i])
		sp_violation_add(v, line->number, "`%s` stands here again, after line %zu",
			sp_schema_sections[i].heading, v->section_line[i]);
	else if (last)
		sp_violation_add(v, line->number, "`%s` stands behind a section that must come after it (line %zu)",
			sp_schema_sections[i].heading, last);
	if (!v->section_line[i])
		v->section_line[i] = line->number;
	return i;
}

/* Cells of a row: what unescaped bars separate. A row that does not end in one has no cells. */
static size_t count_cells(const struct sp_line *line)
{
	size_t bars = 0;
	bool ends = false;

	for (size_t i = 0; i < line->length; i++) {
		ends = line->text[i] == '|';
		bars += ends;
		i += line->text[i] == '\\';
	}
	return ends && bars ? bars - 1 : 0;
}

struct top {
	size_t section, columns, tables; /* columns: of the running table, 0 outside of one */
	bool fence, verdict, delimiter;
};

static void check_row(struct sp_validation *v, const struct sp_line *line, struct top *top)
{
	size_t cells = count_cells(line);

	if (!top->columns) {
		const char *wanted =
			top->section < SP_SCHEMA_SECTIONS ? sp_schema_sections[top->section].columns : NULL;

		if (!top->tables++ && wanted && !sp_line_starts(line, wanted))
			sp_violation_add(v, line->number, "the table's columns do not begin with \"%s\"", wanted);
		top->columns = cells ? cells : 1;
		top->delimiter = false;
		return;
	}
	if (!top->delimiter && line->text[strspn(line->text, "|-: ")] != '\n')
		sp_violation_add(v, line->number, "the row below a table's columns must be of dashes");
	top->delimiter = true;
	if (cells != top->columns)
		sp_violation_add(v, line->number, "the row has %zu cells, and the table has %zu columns", cells,
			top->columns);
}

/* Markup that only hostile text can have brought: HTML. */
static void check_markup(struct sp_validation *v, const struct sp_line *line)
{
	bool code = false;

	for (size_t i = 0; i < line->length; i++) {
		if (line->text[i] == '\\' && !code) {
			i++;
			continue;
		}
		code ^= line->text[i] == '`';
		if (!code && line->text[i] == '<') {
			sp_violation_add(v, line->number, "it contains an HTML element or a `<` that is not escaped");
			return;
		}
	}
}

static void close_section(struct sp_validation *v, const struct top *top)
{
	if (top->section < SP_SCHEMA_SECTIONS && sp_schema_sections[top->section].columns && !top->tables)
		sp_violation_add(v, v->section_line[top->section], "`%s` has no table",
			sp_schema_sections[top->section].heading);
}

static void check_top_line(struct sp_validation *v, const struct sp_line *line, struct top *top)
{
	sp_validate_characters(v, line, false);
	if (sp_line_starts(line, "```")) {
		top->fence = !(top->fence && line->length == 3);
		top->columns = 0;
		return;
	}
	if (top->fence)
		return;
	check_markup(v, line);
	top->verdict = top->verdict || (top->section == SP_SCHEMA_SECTIONS && sp_line_starts(line, "**Verdict ("));
	if (sp_line_starts(line, "# ") || sp_line_starts(line, "## ")) {
		close_section(v, top);
		top->section = sp_validate_heading(v, line);
		top->tables = 0;
	}
	if (sp_line_starts(line, "|"))
		check_row(v, line, top);
	else
		top->columns = 0;
}

/* Up to and with the line `<details>`. */
static void check_top(struct sp_validation *v, struct sp_line *line)
{
	struct top top = {.section = SP_SCHEMA_SECTIONS};
	bool complete = false;

	while (!complete && sp_line_next(line)) {
		complete = sp_line_is(line, "<details>");
		if (!complete)
			check_top_line(v, line, &top);
	}
	close_section(v, &top);
	if (!top.verdict)
		sp_violation_add(v, line->number, "there is no verdict before the first section");
	if (top.fence)
		sp_violation_add(v, line->number, "a fence is still open before the complete part");
	if (!complete)
		sp_violation_add(v, line->number, "there is no complete part");
}

static void check_presence(struct sp_validation *v, size_t last_line)
{
	for (size_t i = 0; i < SP_SCHEMA_KEYS; i++)
		if (!v->key_line[i] && !sp_schema_absence(v, sp_schema_keys[i].when, sp_schema_keys[i].absent))
			sp_violation_add(v, 1, "`%s` is missing in the front matter", sp_schema_keys[i].name);
	for (size_t i = 0; i < SP_SCHEMA_SECTIONS; i++)
		if (!v->section_line[i] &&
			!sp_schema_absence(v, sp_schema_sections[i].when, sp_schema_sections[i].absent))
			sp_violation_add(v, last_line, "`%s` is missing", sp_schema_sections[i].heading);
}

void sp_validate(struct sp_validation *v, const char *text, size_t length)
{
	struct sp_line line = {.at = text, .end = text + length};
	struct sp_profile *profile;
	const char *why = NULL;
	double cpu_seconds = 0;

	*v = (struct sp_validation){.foreign = true};
	if (check_front_matter(v, &line, &cpu_seconds) && v->foreign && !v->count)
		sp_violation_add(v, 1, "`schema` is missing in the front matter");
	else if (!v->foreign) {
		check_top(v, &line);
		sp_validate_complete(v, &line, cpu_seconds * 1e9);
		check_presence(v, line.number);
	}
	if (v->count)
		return;
	profile = sp_markdown_read(text, length, &why);
	if (!profile)
		sp_violation_add(v, line.number, "it cannot be read back: %s", why);
	sp_profile_free(profile);
}

void sp_validation_free(struct sp_validation *v)
{
	sp_pool_free(&v->pool);
	free(v->unknown_keys);
	free(v->unknown_sections);
	*v = (struct sp_validation){0};
}

const char *sp_schema_absence(const struct sp_validation *v, enum sp_when when, const char *absent)
{
	if (when == SP_OPTIONAL)
		return absent;
	if (when == SP_WITH_CPU && !v->cpu)
		return "CPU time was not sampled";
	if (when == SP_WITH_HEAP && !v->heap)
		return "the heap was not sampled";
	return NULL;
}
