/* Reading a written profile back: front matter and complete part. Untrusted input. */
#include "profiles/markdown/read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/markdown/front.h"
#include "profiles/markdown/markdown.h"
#include "profiles/markdown/schema.h"
#include "profiles/model/build.h"
#include "profiles/model/facts.h"
#include "profiles/model/heap.h"
#include "profiles/model/places.h"

#define FACTS_MAX 1000u

/* Of all tables together: keeps what is read below half a gigabyte. An agent keeps at most 131,072 stacks; g++ on a file full of
 * templates, sampled as densely as can be, gave 40,339 stacks, 53,000 rows and 4.1 MB, so that full tables make some 170,000 rows
 * and 13 MB, of 64 MB that a file may have (tools/input.c). */
#define ROWS_MAX 1000000u

/* The next line as a copy that may be changed and lives as long as the profile; NULL at the end. */
static char *next_line(struct sp_markdown_reader *r)
{
	const char *newline;
	char *line;

	if (r->at >= r->end)
		return NULL;
	newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
	if (!newline)
		newline = r->end;
	line = sp_pool_copy(&r->profile->pool, r->at, (size_t)(newline - r->at));
	r->at = newline < r->end ? newline + 1 : r->end;
	return line;
}

bool sp_reader_fail(struct sp_markdown_reader *r, const char *why)
{
	r->why = why;
	return false;
}

static bool check_schema(struct sp_markdown_reader *r, const char *schema)
{
	if (strncmp(schema, "smartprof/", 10) != 0)
		return sp_reader_fail(r, "its schema is not one of smartprof's");
	return strcmp(schema, SP_PROFILE_SCHEMA) == 0 ||
		sp_reader_fail(r,
			"its schema is of another version of smartprof, and this version reads " SP_PROFILE_SCHEMA);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Complains of a time or a number of bytes that nothing can be compared with: if it were left out, it would look
 * unchanged. */
static bool is_no_figure(const char *key, const char *value)
{
	char *end;
	double figure = strtod(value, &end);

	if (sp_schema_key(key) == SP_SCHEMA_KEYS)
		return false;
	if (!ends_with(key, "_seconds") && !(strncmp(key, "heap_", 5) == 0 && ends_with(key, "_bytes")))
		return false;
	if (strcmp(key, "heap_growth_bytes") == 0)
		figure = fabs(figure);
	return end == value || *end || !(figure >= 0 && figure < 1e18);
}

static bool read_front_matter(struct sp_markdown_reader *r)
{
	char *line = next_line(r);

	if (!line || strcmp(line, "---") != 0)
		return sp_reader_fail(r, "it does not start with the front matter of a profile");
	while ((line = next_line(r)) && strcmp(line, "---") != 0) {
		char *value = strstr(line, ": ");
		size_t length;

		if (!value || value == line)
			return sp_reader_fail(r, "its front matter has a line that is not `key: value`");
		*value = '\0';
		value += 2;
		length = strlen(value);
		if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
			value[length - 1] = '\0';
			sp_unescape(++value);
		}
		if (r->profile->fact_count >= FACTS_MAX)
			return sp_reader_fail(r, "its front matter is too long");
		if (is_no_figure(line, value))
			return sp_reader_fail(r, "its front matter has a figure that is not a number");
		if (strcmp(line, "schema") == 0 && !check_schema(r, value))
			return false;
		sp_profile_add_fact(r->profile, line, "%s", value);
	}
	if (!line)
		return sp_reader_fail(r, "its front matter does not end");
	return sp_profile_fact(r->profile, "schema") ? true : sp_reader_fail(r, "it names no smartprof schema");
}

/* How many columns a line of their names has, in *known those before the first that the table does not have: a later version
 * may have put others behind. */
static size_t count_columns(const char *heading, const char *names, size_t *known)
{
	const struct sp_schema_table *table = sp_schema_table_at(heading, strlen(heading));
	size_t count = 0, n;

	for (*known = 0;; names += n + 1) {
		n = strcspn(names, "\t");
		*known += *known == count && sp_schema_has_column(table, names, n);
		count++;
		if (!names[n])
			return count;
	}
}

/* Leaves the row with its first `known` of `count` columns; false when it has not so many. */
static bool cut_row(char *line, size_t known, size_t count)
{
	char *end = NULL;
	size_t n = 1;

	for (char *tab = line; (tab = strchr(tab, '\t')); tab++, n++)
		if (n == known)
			end = tab;
	if (n != count || !end)
		return false;
	*end = '\0';
	return true;
}

/* Reads the fenced rows below a heading "## <title> (<count>)". */
static bool read_rows(struct sp_markdown_reader *r, const char *heading,
	bool (*row)(struct sp_markdown_reader *, char *))
{
	const char *open = strrchr(heading, '(');
	unsigned long long expected = open ? strtoull(open + 1, NULL, 10) : 0, count = 0;
	size_t columns, known;
	char *line;

	if (expected > ROWS_MAX - r->rows)
		return sp_reader_fail(r, "it has more rows than any profile");
	r->rows += expected;
	line = next_line(r);
	while (line && strcmp(line, "```tsv") != 0)
		line = next_line(r);
	line = next_line(r);
	columns = count_columns(heading, line ? line : "", &known);
	r->front.depth = 0;
	r->last_module = 0;
	while ((line = next_line(r)) && strcmp(line, "```") != 0) {
		if (count++ == expected)
			return sp_reader_fail(r, "it has more rows than its heading says");
		if (known < columns && !cut_row(line, known, columns))
			return sp_reader_fail(r, "a row has not the columns of its table");
		if (!row(r, line))
			return false;
	}
	if (!line || count != expected)
		return sp_reader_fail(r, "its complete part is not complete");
	return true;
}

static bool read_complete(struct sp_markdown_reader *r)
{
	static const struct {
		const char *heading;
		bool (*row)(struct sp_markdown_reader *, char *);
	} tables[] = {{"## All functions (", sp_read_function}, {"## All code (", sp_read_code},
		{"## All lines (", sp_read_line}, {"## All files (", sp_read_file},
		{"## All modules (", sp_read_module}, {"## All threads (", sp_read_thread},
		{"## All waits (", sp_read_wait}, {"## All spans (", sp_read_span},
		{"## All processes (", sp_read_process}, {"## All heap sites (", sp_read_site},
		{"## All mappings (", sp_read_mapping}, {"## All frames (", sp_read_frame},
		{"## All CPU stacks (", sp_read_cpu_stack}, {"## All heap stacks (", sp_read_heap_stack},
		{"## All heap details (", sp_read_heap_detail}, {"## All slices (", sp_read_slice},
		{"## All CPU samples (", sp_read_samples}, {"## All traces (", sp_read_trace},
		{"## All wait stacks (", sp_read_wait_stack}};
	char *line;

	while ((line = next_line(r)) && strcmp(line, "</details>") != 0)
		for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
			if (strncmp(line, tables[i].heading, strlen(tables[i].heading)) != 0)
				continue;
			r->profile->cpu_on |= tables[i].row == sp_read_function;
			r->profile->heap_on |= tables[i].row == sp_read_site;
			r->profile->waits_on |= tables[i].row == sp_read_wait_stack;
			r->profile->has_stacks |= tables[i].row == sp_read_frame;
			if (!read_rows(r, line, tables[i].row))
				return false;
			break;
		}
	return line ? true : sp_reader_fail(r, "it ends before its complete part does");
}

static uint64_t fact_ns(const struct sp_profile *p, const char *key)
{
	const char *text = sp_profile_fact(p, key);
	double seconds = text ? strtod(text, NULL) : 0;

	return seconds > 0 && seconds < 1e9 ? (uint64_t)(seconds * 1e9) : 0;
}

static void sum_up(struct sp_profile *p)
{
	sp_profile_sum_up(p);
	p->wall_ns = fact_ns(p, "wall_seconds");
	p->cpu_user_ns = fact_ns(p, "cpu_user_seconds");
	p->cpu_sys_ns = fact_ns(p, "cpu_system_seconds");
	p->waiting = (struct sp_waiting){.wall_ns = fact_ns(p, "thread_seconds"),
		.cpu_ns = p->cpu_user_ns + p->cpu_sys_ns,
		.queue_ns = fact_ns(p, "run_queue_seconds"),
		.queue_known = sp_profile_fact(p, "run_queue_seconds") != NULL,
		.throttled_ns = fact_ns(p, "throttled_seconds"),
		.throttled_periods = sp_profile_fact_number(p, "throttled_periods"),
		.throttle_known = sp_profile_fact(p, "throttled_seconds") != NULL};
	for (int i = 0; i < SP_WAIT_KINDS; i++) {
		p->waiting.kinds_known |= sp_profile_fact(p, sp_wait_kind_fact(i)) != NULL;
		p->waiting.kind_ns[i] = fact_ns(p, sp_wait_kind_fact(i));
	}
	if (p->waiting.wall_ns)
		sp_waiting_close(&p->waiting);
	p->heap_allocated_bytes = sp_profile_fact_number(p, "heap_allocated_bytes");
	p->heap_allocations = sp_profile_fact_number(p, "heap_allocations");
	p->heap_frees = sp_profile_fact_number(p, "heap_frees");
}

/* Of the settings, those that say which functions are allocation sites. */
static const char *heap_wrappers(struct sp_profile *p, const char *text, size_t length)
{
	static const char row[] = "\n| heap_wrappers | ";
	const char *at = memmem(text, sp_markdown_top(text, length), row, sizeof(row) - 1), *end;
	char *value, *to;

	at = at ? at + sizeof(row) - 1 : "";
	end = strstr(at, " | ");
	value = sp_pool_copy(&p->pool, at, end ? (size_t)(end - at) : 0);
	for (char *from = to = value; *from; from++) /* globs hold characters that Markdown escapes */
		if (*from != '\\' || !from[1])
			*to++ = *from;
	*to = '\0';
	return value;
}

static void mark_sites(struct sp_profile *p, const char *text, size_t length)
{
	const char *allocator = sp_profile_fact(p, "allocator"), *exe = sp_profile_fact(p, "build_id");

	p->heap_wrappers = heap_wrappers(p, text, length);
	for (size_t i = 1; i < p->module_count; i++) {
		struct sp_module_info *m = &p->modules[i];

		m->system = sp_is_system_path(m->path) && !(exe && strcmp(m->build_id, exe) == 0);
		m->allocator = allocator && strcmp(m->path, allocator) == 0 && !(exe && strcmp(m->build_id, exe) == 0);
	}
	sp_frames_mark(p);
}

size_t sp_markdown_top(const char *text, size_t length)
{
	const char *at = memmem(text, length, "\n<details>\n", 11);

	return at ? (size_t)(at + 1 - text) : length;
}

static bool has_end(const char *top, size_t length)
{
	static const char end[] = "\n</details>";

	return memmem(top, length, end, strlen(end)) != NULL;
}

bool sp_markdown_is_whole(const char *text, size_t length)
{
	size_t top = sp_markdown_top(text, length);

	return has_end(text + top, length - top);
}

/* A file that was cut is refused before its rows are read. */
static bool find_end(struct sp_markdown_reader *r, const char *top)
{
	if (has_end(top, (size_t)(r->end - top)))
		return true;
	r->at = r->end;
	return sp_reader_fail(r, "it ends before its complete part does");
}

/* That of the line read last. */
static size_t line_number(const struct sp_markdown_reader *r, const char *text)
{
	size_t number = 1;

	for (const char *at = text; at + 1 < r->at && (at = memchr(at, '\n', (size_t)(r->at - 1 - at))); at++)
		number++;
	return number;
}

struct sp_profile *sp_markdown_read(const char *text, size_t length, const char **why)
{
	size_t line;

	return sp_markdown_read_at(text, length, why, &line);
}

struct sp_profile *sp_markdown_read_at(const char *text, size_t length, const char **why, size_t *line)
{
	struct sp_markdown_reader r = {.at = text, .end = text + length};
	const char *top = text + sp_markdown_top(text, length);
	bool ok;

	r.profile = sp_alloc(1, sizeof(*r.profile));
	sp_profile_setup(r.profile);
	sp_reader_module(&r, "");
	for (uint32_t i = 0; i < SP_PSEUDOS; i++) {
		int found;

		*sp_map_at(&r.functions, 0, sp_names_id(&r.profile->names, r.profile->functions[i].name), &found) = i;
	}
	ok = read_front_matter(&r);
	if (ok && find_end(&r, top)) {
		r.at = top;
		ok = read_complete(&r);
	}
	ok = ok && !r.why;
	if (ok) {
		sum_up(r.profile);
		mark_sites(r.profile, text, length);
		sp_places_find(r.profile);
	}
	sp_map_free(&r.functions);
	sp_names_free(&r.modules);
	sp_front_free(&r.front);
	free(r.row_functions);
	*why = r.why;
	if (ok)
		return r.profile;
	*line = line_number(&r, text);
	sp_profile_free(r.profile);
	return NULL;
}
