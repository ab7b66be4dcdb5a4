/* Checking the complete part: its tables of tab-separated values. */
#include "profiles/markdown/validate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/markdown/checks.h"
#include "profiles/markdown/front.h"
#include "profiles/model/folded.h"
#include "profiles/model/traces.h"

#define COLUMNS_MAX 64u
#define UINT64_DIGITS "18446744073709551615"

/* Where some columns stand in a table, -1: nowhere. */
struct table {
	const struct sp_schema_table *schema;
	size_t columns;
	bool named; /* all columns of the schema are there */
	bool number[COLUMNS_MAX];
	int self_user, self_sys, total_user, total_sys, row, shared;
	double self_ns;        /* sum */
	struct sp_front front; /* of the row above */
};

struct field {
	const char *text;
	size_t length;
};

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t n = strlen(end);

	return length >= n && memcmp(text + length - n, end, n) == 0;
}

static bool is_number_column(const char *name, size_t length)
{
	static const char *const ends[] = {
		"_ns", "_bytes", "_count", "samples", "_variance", "line", "tid", "pid", "merged", "slice"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(name, length, ends[i]))
			return true;
	return false;
}

/* The column's place in the line of names, or -1. */
static int find_column(const struct sp_line *line, const char *name, size_t length)
{
	size_t column = 0, at = 0;

	while (at <= line->length) {
		const char *tab = memchr(line->text + at, '\t', line->length - at);
		size_t n = (tab ? (size_t)(tab - line->text) : line->length) - at;

		if (n == length && memcmp(line->text + at, name, n) == 0)
			return (int)column;
		at += n + 1;
		column++;
	}
	return -1;
}

static void read_columns(struct sp_validation *v, const struct sp_line *line, struct table *t)
{
	size_t at = 0;

	t->named = true;
	for (const char *name = t->schema->columns; *name;) {
		size_t n = strcspn(name, " ");

		if (find_column(line, name, n) >= 0) {
			name += n + 1;
			continue;
		}
		t->named = false;
		sp_violation_add(v, line->number, "the table has no column `%.*s`", (int)n, name);
		name += n + 1;
	}
	for (; at <= line->length && t->columns < COLUMNS_MAX; t->columns++) {
		const char *name = line->text + at, *tab = memchr(name, '\t', line->length - at);
		size_t n = (tab ? (size_t)(tab - line->text) : line->length) - at;

		t->number[t->columns] = sp_schema_has_column(t->schema, name, n) && is_number_column(name, n);
		at += n + 1;
	}
	t->self_user = find_column(line, "self_user_ns", strlen("self_user_ns"));
	t->self_sys = find_column(line, "self_sys_ns", strlen("self_sys_ns"));
	t->total_user = find_column(line, "total_user_ns", strlen("total_user_ns"));
	t->total_sys = find_column(line, "total_sys_ns", strlen("total_sys_ns"));
	t->row = find_column(line, "row", strlen("row"));
	t->shared = find_column(line, "shared", strlen("shared"));
}

static bool is_number(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && isdigit((unsigned char)text[i]))
		i++;
	return i == length && length > 0 && (length < 20 || (length == 20 && memcmp(text, UINT64_DIGITS, 20) <= 0));
}

/* "\\" and "\xNN" are all there is. */
static bool is_escaped(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\\')
			continue;
		if (i + 1 < length && text[i + 1] == '\\')
			i++;
		else if (i + 3 < length && text[i + 1] == 'x' && isxdigit((unsigned char)text[i + 2]) &&
			isxdigit((unsigned char)text[i + 3]))
			i += 3;
		else
			return false;
	}
	return true;
}

static bool is_hex(struct field field)
{
	uint64_t number;

	return sp_hex_parse(field.text, field.length, &number);
}

static void check_module(struct sp_validation *v, size_t line, const struct field *fields)
{
	size_t digits = 0;

	for (size_t i = 0; i < 3; i++)
		if (!is_hex(fields[i]))
			sp_violation_add(v, line, "field %zu is not a hexadecimal number", i + 1);
	while (digits < fields[3].length && strchr("0123456789abcdef", fields[3].text[digits]))
		digits++;
	if (digits < fields[3].length)
		sp_violation_add(v, line, "the build-id is not hexadecimal");
}

/* The function is a row of All functions, stands there, or is that of the row above. */
static void check_function(struct sp_validation *v, size_t line, const struct table *t, const struct field *fields)
{
	const struct field *row = t->row == 3 ? &fields[3] : NULL, *names = &fields[row ? 4 : 3];

	if (row && row->length &&
		(!is_number(row->text, row->length) || strtoull(row->text, NULL, 10) >= v->function_count))
		sp_violation_add(v, line, "`row` is no row of All functions");
	if (row && row->length && (names[0].length || names[1].length))
		sp_violation_add(v, line, "it has a row of All functions and names a function");
	if (!(row && row->length) && !names[0].length && !v->frame_count)
		sp_violation_add(v, line, "the first frame has no function");
}

static void check_frame(struct sp_validation *v, size_t line, const struct table *t, const struct field *fields)
{
	if (!is_hex(fields[0]))
		sp_violation_add(v, line, "the address is not a hexadecimal number");
	if (strtoull(fields[1].text, NULL, 10) > UINT32_MAX)
		sp_violation_add(v, line, "no file has such a line");
	if (fields[2].length != 1 || (fields[2].text[0] != '0' && fields[2].text[0] != '1'))
		sp_violation_add(v, line, "`inlined` is neither 0 nor 1");
	check_function(v, line, t, fields);
	v->frame_count++;
}

static void check_runs(struct sp_validation *v, size_t line, const struct field *runs)
{
	const char *at = runs->text, *end = at + runs->length, *why = NULL;
	struct sp_sample_run run;

	while (!why && at < end) {
		why = sp_sample_run_parse(&at, end, &run);
		if (!why && run.path >= v->cpu_stack_count)
			why = "a sample's stack is not in All CPU stacks";
	}
	if (why)
		sp_violation_add(v, line, "%s", why);
}

static void check_samples(struct sp_validation *v, size_t line, const struct field *fields)
{
	if (strtoull(fields[0].text, NULL, 10) >= v->slice_count)
		sp_violation_add(v, line, "the slice is not in All slices");
	if (strtoull(fields[1].text, NULL, 10) > INT32_MAX)
		sp_violation_add(v, line, "no thread has such a number");
	check_runs(v, line, &fields[2]);
}

static void check_trace(struct sp_validation *v, size_t line, const struct field *fields)
{
	uint8_t id[SP_TRACE_ID_BYTES];

	if (!sp_trace_id_parse(fields[0].text, fields[0].length, id, SP_TRACE_ID_BYTES) ||
		!sp_trace_id_parse(fields[1].text, fields[1].length, id, SP_TRACE_SPAN_ID_BYTES))
		sp_violation_add(v, line, "no trace has such a number");
	check_runs(v, line, &fields[4]);
}

static void check_code(struct sp_validation *v, size_t line, const struct field *fields)
{
	if (!is_number(fields[0].text, fields[0].length) || strtoull(fields[0].text, NULL, 10) >= v->function_count)
		sp_violation_add(v, line, "`row` is no row of All functions");
	if (!is_hex(fields[1]))
		sp_violation_add(v, line, "`code` is not a hexadecimal number");
}

/* What the columns of the tables of stacks promise beside being numbers. */
static void check_stacks(struct sp_validation *v, size_t line, struct table *t, const struct field *fields)
{
	const struct field *path;
	const char *why;

	if (t->schema->kind == SP_TABLE_MAPPINGS)
		check_module(v, line, fields);
	if (t->schema->kind == SP_TABLE_CODE)
		check_code(v, line, fields);
	if (t->schema->kind == SP_TABLE_FRAMES)
		check_frame(v, line, t, fields);
	if (t->schema->kind == SP_TABLE_SAMPLES)
		check_samples(v, line, fields);
	if (t->schema->kind == SP_TABLE_TRACES)
		check_trace(v, line, fields);
	v->function_count += t->schema->kind == SP_TABLE_FUNCTIONS;
	v->slice_count += t->schema->kind == SP_TABLE_SLICES;
	if (v->slice_count > SP_SAMPLE_SLICES)
		sp_violation_add(v, line, "it has more slices than any profile");
	if (t->schema->kind != SP_TABLE_STACKS)
		return;
	v->cpu_stack_count += strncmp(t->schema->columns, "user_ns", 7) == 0;
	if ((size_t)t->shared + 1 >= t->columns) {
		sp_violation_add(v, line, "`frames` does not stand behind `shared`");
		return;
	}
	path = &fields[t->shared]; /* and the column behind it */
	why = sp_front_next(&t->front, path[0].text, path[0].length, path[1].text, path[1].length, v->frame_count);
	if (why)
		sp_violation_add(v, line, "%s", why);
}

static double value_of(const double *values, int column)
{
	return column >= 0 && column < (int)COLUMNS_MAX ? values[column] : 0;
}

static void check_row(struct sp_validation *v, const struct sp_line *line, struct table *t)
{
	double values[COLUMNS_MAX] = {0}, self, total;
	struct field fields[COLUMNS_MAX] = {0};
	size_t at = 0, column = 0;

	for (; at <= line->length; column++) {
		const char *tab = memchr(line->text + at, '\t', line->length - at);
		size_t n = (tab ? (size_t)(tab - line->text) : line->length) - at;

		if (column < COLUMNS_MAX)
			fields[column] = (struct field){line->text + at, n};
		if (column < t->columns && t->number[column]) {
			if (!is_number(line->text + at, n))
				sp_violation_add(v, line->number, "field %zu is not a whole number", column + 1);
			values[column] = strtod(line->text + at, NULL);
		} else if (!is_escaped(line->text + at, n)) {
			sp_violation_add(v, line->number, "field %zu has a backslash that escapes nothing", column + 1);
		}
		at += n + 1;
	}
	if (column != t->columns) {
		sp_violation_add(v, line->number, "the row has %zu fields, and the table has %zu columns", column,
			t->columns);
		return;
	}
	self = value_of(values, t->self_user) + value_of(values, t->self_sys);
	total = value_of(values, t->total_user) + value_of(values, t->total_sys);
	t->self_ns += self;
	if (t->named)
		check_stacks(v, line->number, t, fields);
	if (t->total_user >= 0 && self > total)
		sp_violation_add(v, line->number, "its self time is more than its total time");
}

/* The rows below a heading; false when the text ends in them. */
static bool check_table(struct sp_validation *v, struct sp_line *line, struct table *t)
{
	const char *open = memrchr(line->text, '(', line->length);
	unsigned long long expected = strtoull(open + 1, NULL, 10), count = 0;
	size_t heading = line->number;

	while (sp_line_next(line) && !sp_line_is(line, "```tsv"))
		if (line->length) {
			sp_violation_add(v, line->number, "the fenced table does not stand below the heading");
			return true;
		}
	if (!sp_line_next(line))
		return false;
	read_columns(v, line, t);
	while (sp_line_next(line)) {
		if (sp_line_is(line, "```")) {
			if (count != expected)
				sp_violation_add(v, heading, "its heading announces %llu rows, and %llu were found",
					expected, count);
			return true;
		}
		count++;
		sp_validate_characters(v, line, true);
		check_row(v, line, t);
	}
	return false;
}

/* 2 ms: the sums in the front matter are rounded. */
static void check_sum(struct sp_validation *v, const struct table *t, size_t number, double cpu_ns)
{
	if (t->schema->kind == SP_TABLE_FUNCTIONS && t->self_ns + 2e6 < cpu_ns)
		sp_violation_add(v, number, "self times add up to %.3f s, less than the %.3f s of CPU time",
			t->self_ns / 1e9, cpu_ns / 1e9);
}

void sp_validate_complete(struct sp_validation *v, struct sp_line *line, double cpu_ns)
{
	bool fence = false;

	while (sp_line_next(line)) {
		struct table t = {.schema = fence ? NULL : sp_schema_table_at(line->text, line->length)};
		size_t number = line->number;

		if (!fence && sp_line_is(line, "</details>")) {
			if (sp_line_next(line))
				sp_violation_add(v, line->number, "something stands behind the complete part");
			return;
		}
		if (!fence && sp_line_starts(line, "## "))
			sp_validate_heading(v, line);
		if (t.schema) {
			bool ended = check_table(v, line, &t);

			sp_front_free(&t.front);
			if (!ended)
				break;
			check_sum(v, &t, number, cpu_ns);
			continue;
		}
		sp_validate_characters(v, line, fence);
		if (sp_line_starts(line, "```"))
			fence = !(fence && line->length == 3);
	}
	sp_violation_add(v, line->number, "the complete part does not end");
}
