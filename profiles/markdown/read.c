/* Reading a written profile back: front matter and complete part. Untrusted input. */
#include "profiles/markdown/read.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/markdown/markdown.h"
#include "profiles/model/build.h"
#include "profiles/model/facts.h"

#define FACTS_MAX 1000u
#define FUNCTION_NUMBERS 8u
#define SITE_NUMBERS 15u
#define LINE_NUMBERS 4u
#define SUM_NUMBERS 3u
#define THREAD_NUMBERS 7u

/* Of all tables together: keeps what is read below half a gigabyte. An agent keeps at most 131,072 stacks; g++ on a file full of
 * templates, sampled as densely as can be, gave 40,339 stacks, 53,000 rows and 4.1 MB, so that full tables make some 170,000 rows
 * and 13 MB, of 64 MB that a file may have (tools/input.c). */
#define ROWS_MAX 1000000u

/* The next line as a copy that may be changed and lives as long as the profile; NULL at the end. */
static char *next_line(struct sp_reader *r)
{
	const char *newline;
	char *line;

	if (r->at >= r->end)
		return NULL;
	newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
	if (!newline)
		newline = r->end;
	line = sp_pool_copy(&r->profile->arena, r->at, (size_t)(newline - r->at));
	r->at = newline < r->end ? newline + 1 : r->end;
	return line;
}

bool sp_reader_fail(struct sp_reader *r, const char *why)
{
	r->why = why;
	return false;
}

static bool check_schema(struct sp_reader *r, const char *schema)
{
	if (strncmp(schema, "smartprof/", 10) != 0)
		return sp_reader_fail(r, "its schema is not one of smartprof's");
	return strcmp(schema, SP_PROFILE_SCHEMA) == 0 ||
		sp_reader_fail(r, "its schema is of another version of smartprof, this one reads " SP_PROFILE_SCHEMA);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* A time or a number of bytes that nothing can be compared with: left out, it would look like one that has not changed. */
static bool is_no_figure(const char *key, const char *value)
{
	char *end;
	double figure = strtod(value, &end);

	if (!ends_with(key, "_seconds") && !(strncmp(key, "heap_", 5) == 0 && ends_with(key, "_bytes")))
		return false;
	return end == value || *end || !(figure >= 0 && figure < 1e18);
}

static bool read_front_matter(struct sp_reader *r)
{
	char *line = next_line(r);

	if (!line || strcmp(line, "---") != 0)
		return sp_reader_fail(r, "it does not start with the front matter of a profile");
	while ((line = next_line(r)) && strcmp(line, "---") != 0) {
		char *value = strstr(line, ": ");
		size_t length;

		if (!value || value == line)
			return sp_reader_fail(r, "its front matter has a line that is no `key: value`");
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
			return sp_reader_fail(r, "its front matter has a figure that is none");
		if (strcmp(line, "schema") == 0 && !check_schema(r, value))
			return false;
		sp_profile_add_fact(r->profile, line, "%s", value);
	}
	if (!line)
		return sp_reader_fail(r, "its front matter does not end");
	return sp_profile_fact(r->profile, "schema") ? true : sp_reader_fail(r, "it names no smartprof schema");
}

size_t sp_reader_split(char *line, char **fields)
{
	size_t n = 0;

	while (n < SP_READER_FIELDS) {
		char *tab = strchr(line, '\t');

		fields[n++] = line;
		if (!tab)
			break;
		*tab = '\0';
		line = tab + 1;
	}
	return n;
}

bool sp_reader_numbers(char **fields, size_t count, uint64_t *numbers)
{
	for (size_t i = 0; i < count; i++) {
		char *end;

		errno = 0;
		numbers[i] = strtoull(fields[i], &end, 10);
		if (!isdigit((unsigned char)fields[i][0]) || *end || errno)
			return false;
	}
	return true;
}

uint32_t sp_reader_module(struct sp_reader *r, const char *path)
{
	struct sp_profile *p = r->profile;
	uint32_t id = sp_names_id(&r->modules, path);
	const char *slash;

	if (id < p->module_count)
		return id;
	sp_grow(&p->modules, &r->module_capacity, p->module_count + 1, sizeof(*p->modules));
	path = sp_pool_copy(&p->arena, path, strlen(path));
	slash = strrchr(path, '/');
	p->modules[p->module_count++] = (struct sp_module_info){.path = path,
		.name = slash && slash[1] ? slash + 1 : path,
		.build_id = "",
		.handle = -1,
		.canonical = id};
	return id;
}

/* The last four fields of a row: function, module, file, line. */
static bool parse_place(struct sp_reader *r, char **fields, uint32_t *function, const char **file, unsigned *line)
{
	uint64_t number;
	uint32_t module;

	if (!sp_reader_numbers(fields + 3, 1, &number) || number > UINT32_MAX)
		return false;
	for (size_t i = 0; i < 3; i++)
		sp_unescape(fields[i]);
	module = sp_reader_module(r, fields[1]);
	*function = sp_profile_function(r->profile, module, fields[0], &r->functions);
	*file = fields[2][0] ? fields[2] : NULL;
	*line = (unsigned)number;
	return true;
}

static bool read_function(struct sp_reader *r, char *text)
{
	char *fields[SP_READER_FIELDS];
	uint64_t n[FUNCTION_NUMBERS];
	struct sp_function *f;
	uint32_t id;
	const char *file;
	unsigned line;

	if (sp_reader_split(text, fields) != FUNCTION_NUMBERS + 4 || !sp_reader_numbers(fields, FUNCTION_NUMBERS, n) ||
		!parse_place(r, fields + FUNCTION_NUMBERS, &id, &file, &line))
		return sp_reader_fail(r, "a row of All functions is damaged");
	f = &r->profile->functions[id];
	f->self_user_ns += n[0];
	f->self_sys_ns += n[1];
	f->total_user_ns += n[2];
	f->total_sys_ns += n[3];
	f->self_samples += n[4];
	f->total_samples += n[5];
	f->self_error = hypot(f->self_error, (double)n[6]); /* still in ns: sum_up knows the total */
	f->total_error = hypot(f->total_error, (double)n[7]);
	f->file = file;
	f->line = line;
	return true;
}

static bool read_site(struct sp_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS];
	uint64_t n[SITE_NUMBERS];
	struct sp_heap_site s = {0};

	if (sp_reader_split(text, fields) != SITE_NUMBERS + 4 || !sp_reader_numbers(fields, SITE_NUMBERS, n) ||
		!parse_place(r, fields + SITE_NUMBERS, &s.function, &s.file, &s.line))
		return sp_reader_fail(r, "a row of All heap sites is damaged");
	s.alloc_bytes = n[0], s.alloc_count = n[1];
	s.inuse_bytes = n[2], s.inuse_count = n[3];
	s.peak_bytes = n[4], s.peak_count = n[5];
	s.short_bytes = n[6], s.short_count = n[7];
	s.samples = n[8], s.inuse_samples = n[9];
	s.alloc_variance = (double)n[10];
	s.inuse_variance = (double)n[11];
	s.temp_bytes = n[12], s.temp_count = n[13]; /* n[14], what may have leaked, follows from more than is here */
	sp_grow(&p->sites, &p->site_capacity, p->site_count + 1, sizeof(*p->sites));
	p->sites[p->site_count++] = s;
	return true;
}

static bool read_line(struct sp_reader *r, char *text)
{
	char *fields[SP_READER_FIELDS];
	uint64_t n[LINE_NUMBERS];
	struct sp_line_info line = {0};

	if (sp_reader_split(text, fields) != LINE_NUMBERS + 4 || !sp_reader_numbers(fields, LINE_NUMBERS, n) ||
		!parse_place(r, fields + LINE_NUMBERS, &line.function, &line.file, &line.line) || !line.file)
		return sp_reader_fail(r, "a row of All lines is damaged");
	line.self_user_ns = n[0];
	line.self_sys_ns = n[1];
	line.self_samples = n[2];
	line.self_error = (double)n[3]; /* still in ns: sum_up knows the total */
	*sp_profile_line(r->profile) = line;
	return true;
}

/* Of what other tables add up to, only the error is news. */
static bool read_sum(char *text, double *error_ns, const char **name)
{
	char *fields[SP_READER_FIELDS];
	uint64_t n[SUM_NUMBERS];

	if (sp_reader_split(text, fields) != SUM_NUMBERS + 1 || !sp_reader_numbers(fields, SUM_NUMBERS, n))
		return false;
	sp_unescape(fields[SUM_NUMBERS]);
	*error_ns = (double)n[2];
	*name = fields[SUM_NUMBERS];
	return true;
}

static bool read_file(struct sp_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	struct sp_file_sum sum = {0};

	if (!read_sum(text, &sum.error, &sum.file))
		return sp_reader_fail(r, "a row of All files is damaged");
	sp_grow(&p->file_errors, &p->file_error_capacity, p->file_error_count + 1, sizeof(*p->file_errors));
	p->file_errors[p->file_error_count++] = sum;
	return true;
}

static bool read_module(struct sp_reader *r, char *text)
{
	const char *path;
	double error_ns;
	uint32_t id;

	if (!read_sum(text, &error_ns, &path))
		return sp_reader_fail(r, "a row of All modules is damaged");
	id = sp_reader_module(r, path);
	r->profile->modules[id].self_error = error_ns;
	return true;
}

static bool read_thread(struct sp_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS];
	uint64_t n[THREAD_NUMBERS];
	struct sp_thread_info t = {0};

	if (sp_reader_split(text, fields) != THREAD_NUMBERS + 2 || !sp_reader_numbers(fields, THREAD_NUMBERS, n) ||
		n[5] > INT32_MAX)
		return sp_reader_fail(r, "a row of All threads is damaged");
	t.cpu_user_ns = n[0], t.cpu_sys_ns = n[1];
	t.user_ns = n[2], t.sys_ns = n[3];
	t.samples = n[4];
	t.tid = (int)n[5];
	t.merged = n[6];
	sp_unescape(fields[THREAD_NUMBERS]);
	sp_unescape(fields[THREAD_NUMBERS + 1]);
	t.name = fields[THREAD_NUMBERS];
	t.start = fields[THREAD_NUMBERS + 1][0] ? fields[THREAD_NUMBERS + 1] : NULL;
	sp_grow(&p->threads, &r->thread_capacity, p->thread_count + 1, sizeof(*p->threads));
	p->threads[p->thread_count++] = t;
	return true;
}

/* Reads the fenced rows below a heading "## <title> (<count>)". */
static bool read_rows(struct sp_reader *r, const char *heading, bool (*row)(struct sp_reader *, char *))
{
	const char *open = strrchr(heading, '(');
	unsigned long long expected = open ? strtoull(open + 1, NULL, 10) : 0, count = 0;
	char *line;

	if (expected > ROWS_MAX - r->rows)
		return sp_reader_fail(r, "it has more rows than any profile");
	r->rows += expected;
	line = next_line(r);
	while (line && strcmp(line, "```tsv") != 0)
		line = next_line(r);
	next_line(r); /* column names */
	r->front.depth = 0;
	while ((line = next_line(r)) && strcmp(line, "```") != 0) {
		if (count++ == expected)
			return sp_reader_fail(r, "it has more rows than its heading says");
		if (!row(r, line))
			return false;
	}
	if (!line || count != expected)
		return sp_reader_fail(r, "its complete part is not complete");
	return true;
}

static bool read_complete(struct sp_reader *r)
{
	static const struct {
		const char *heading;
		bool (*row)(struct sp_reader *, char *);
	} tables[] = {{"## All functions (", read_function}, {"## All lines (", read_line},
		{"## All files (", read_file}, {"## All modules (", read_module}, {"## All threads (", read_thread},
		{"## All heap sites (", read_site}, {"## All mappings (", sp_read_mapping},
		{"## All frames (", sp_read_frame}, {"## All CPU stacks (", sp_read_cpu_stack},
		{"## All heap stacks (", sp_read_heap_stack}};
	char *line;

	while ((line = next_line(r)) && strcmp(line, "</details>") != 0)
		for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
			if (strncmp(line, tables[i].heading, strlen(tables[i].heading)) != 0)
				continue;
			r->profile->cpu_on |= tables[i].row == read_function;
			r->profile->heap_on |= tables[i].row == read_site;
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

static uint64_t fact_number(const struct sp_profile *p, const char *key)
{
	const char *text = sp_profile_fact(p, key);

	return text ? strtoull(text, NULL, 10) : 0;
}

static void sum_up(struct sp_profile *p)
{
	for (size_t i = 0; i < p->function_count; i++) {
		const struct sp_function *f = &p->functions[i];

		p->total_ns += sp_function_self(f);
		p->samples += f->self_samples;
		p->modules[f->module].self_ns += sp_function_self(f);
		p->modules[f->module].samples += f->self_samples;
		if (i == SP_PSEUDO_UNSAMPLED || i == SP_PSEUDO_BEFORE)
			continue;
		p->sampled_user_ns += f->self_user_ns;
		p->sampled_sys_ns += f->self_sys_ns;
	}
	for (size_t i = 0; p->total_ns && i < p->function_count; i++) {
		p->functions[i].self_error /= (double)p->total_ns;
		p->functions[i].total_error /= (double)p->total_ns;
	}
	for (size_t i = 0; p->total_ns && i < p->line_count; i++)
		p->lines[i].self_error /= (double)p->total_ns;
	for (size_t i = 0; p->total_ns && i < p->file_error_count; i++)
		p->file_errors[i].error /= (double)p->total_ns;
	for (size_t i = 0; p->total_ns && i < p->module_count; i++)
		p->modules[i].self_error /= (double)p->total_ns;
	p->unsampled_ns = sp_function_self(&p->functions[SP_PSEUDO_UNSAMPLED]);
	p->wall_ns = fact_ns(p, "wall_seconds");
	p->cpu_user_ns = fact_ns(p, "cpu_user_seconds");
	p->cpu_sys_ns = fact_ns(p, "cpu_system_seconds");
	p->heap_allocated_bytes = fact_number(p, "heap_allocated_bytes");
	p->heap_allocations = fact_number(p, "heap_allocations");
	p->heap_frees = fact_number(p, "heap_frees");
}

size_t sp_markdown_top(const char *text, size_t length)
{
	const char *at = memmem(text, length, "\n<details>\n", 11);

	return at ? (size_t)(at + 1 - text) : length;
}

/* A file that was cut is refused before its rows are read. */
static bool find_end(struct sp_reader *r, const char *top)
{
	static const char end[] = "\n</details>";

	if (memmem(top, (size_t)(r->end - top), end, strlen(end)))
		return true;
	r->at = r->end;
	return sp_reader_fail(r, "it ends before its complete part does");
}

/* That of the line read last. */
static size_t line_number(const struct sp_reader *r, const char *text)
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
	struct sp_reader r = {.at = text, .end = text + length};
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
	if (ok)
		sum_up(r.profile);
	sp_map_free(&r.functions);
	sp_names_free(&r.modules);
	sp_front_free(&r.front);
	*why = r.why;
	if (ok)
		return r.profile;
	*line = line_number(&r, text);
	sp_profile_free(r.profile);
	return NULL;
}
