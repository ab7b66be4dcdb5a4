/* Reading the rows of the complete part's tables, but for those of stacks. */
#include "profiles/markdown/read.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/model/build.h"
#include "profiles/model/spans.h"
#include "profiles/model/wait_rows.h"

#define FUNCTION_NUMBERS 8u
#define SITE_NUMBERS 15u
#define LINE_NUMBERS 4u
#define SUM_NUMBERS 3u
#define THREAD_NUMBERS 7u
#define THREAD_MORE 3u /* and, of one that knows them, kinds of waiting */
#define SPAN_NUMBERS 10u
#define WAIT_NUMBERS 6u
#define WAIT_TEXTS 6u
#define PROCESS_NUMBERS 11u
#define PROCESS_TEXTS 5u

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

uint32_t sp_reader_module(struct sp_markdown_reader *r, const char *path)
{
	struct sp_profile *p = r->profile;
	uint32_t id = sp_names_id(&r->modules, path);
	const char *slash;

	if (id < p->module_count)
		return id;
	sp_grow(&p->modules, &r->module_capacity, p->module_count + 1, sizeof(*p->modules));
	path = sp_pool_copy(&p->pool, path, strlen(path));
	slash = strrchr(path, '/');
	p->modules[p->module_count++] = (struct sp_module_info){.path = path,
		.name = slash && slash[1] ? slash + 1 : path,
		.build_id = "",
		.handle = -1,
		.canonical = id};
	return id;
}

/* Of a row that does not name it: that of the row above, but none of what is no code. */
static uint32_t module_of(struct sp_markdown_reader *r, const char *function, const char *path)
{
	if (*path)
		return r->last_module = sp_reader_module(r, path);
	if (function[0] == '{')
		return 0;
	for (size_t i = 0; i < SP_PSEUDOS; i++)
		if (strcmp(function, r->profile->functions[i].name) == 0)
			return 0;
	return r->last_module;
}

/* The last four fields of a row: function, module, file, line. */
static bool parse_place(struct sp_markdown_reader *r, char **fields, uint32_t *function, const char **file,
	unsigned *line)
{
	uint64_t number;
	uint32_t module;

	if (!sp_reader_numbers(fields + 3, 1, &number) || number > UINT32_MAX)
		return false;
	for (size_t i = 0; i < 3; i++)
		sp_unescape(fields[i]);
	module = module_of(r, fields[0], fields[1]);
	*function = sp_profile_function(r->profile, module, fields[0], &r->functions);
	*file = fields[2][0] ? fields[2] : NULL;
	*line = (unsigned)number;
	return true;
}

bool sp_read_function(struct sp_markdown_reader *r, char *text)
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
	sp_grow(&r->row_functions, &r->row_function_capacity, r->row_function_count + 1, sizeof(*r->row_functions));
	r->row_functions[r->row_function_count++] = id;
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

bool sp_read_code(struct sp_markdown_reader *r, char *text)
{
	char *fields[SP_READER_FIELDS];
	uint64_t row, code;

	if (sp_reader_split(text, fields) != 2 || !sp_reader_numbers(fields, 1, &row) || row >= r->row_function_count ||
		!sp_hex_parse(fields[1], strlen(fields[1]), &code))
		return sp_reader_fail(r, "a row of All code is damaged");
	r->profile->functions[r->row_functions[row]].code = code;
	return true;
}

bool sp_read_site(struct sp_markdown_reader *r, char *text)
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
	s.temp_bytes = n[12], s.temp_count = n[13];
	s.leaked_bytes = n[14];
	sp_grow(&p->sites, &p->site_capacity, p->site_count + 1, sizeof(*p->sites));
	p->sites[p->site_count++] = s;
	return true;
}

bool sp_read_line(struct sp_markdown_reader *r, char *text)
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

bool sp_read_file(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	struct sp_file_sum sum = {0};

	if (!read_sum(text, &sum.error, &sum.file))
		return sp_reader_fail(r, "a row of All files is damaged");
	sp_grow(&p->file_errors, &p->file_error_capacity, p->file_error_count + 1, sizeof(*p->file_errors));
	p->file_errors[p->file_error_count++] = sum;
	return true;
}

bool sp_read_module(struct sp_markdown_reader *r, char *text)
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

/* What a thread allocated, and where its time went, is not in profiles of before. */
bool sp_read_thread(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS];
	uint64_t n[THREAD_NUMBERS], more[THREAD_MORE + SP_WAIT_KINDS] = {0};
	struct sp_thread_info t = {0};
	size_t count = sp_reader_split(text, fields), beyond = count - THREAD_NUMBERS - 2;

	if (count < THREAD_NUMBERS + 2 ||
		(beyond > 1 && beyond != THREAD_MORE && beyond != THREAD_MORE + SP_WAIT_KINDS) ||
		!sp_reader_numbers(fields, THREAD_NUMBERS, n) || n[5] > INT32_MAX ||
		!sp_reader_numbers(fields + THREAD_NUMBERS + 2, beyond, more))
		return sp_reader_fail(r, "a row of All threads is damaged");
	t.cpu_user_ns = n[0], t.cpu_sys_ns = n[1];
	t.user_ns = n[2], t.sys_ns = n[3];
	t.samples = n[4];
	t.tid = (int)n[5];
	t.merged = n[6];
	t.alloc_bytes = more[0];
	t.waiting = (struct sp_waiting){.wall_ns = more[1],
		.cpu_ns = n[0] + n[1],
		.queue_ns = more[2],
		.queue_known = sp_profile_fact(p, "run_queue_seconds") != NULL};
	t.waiting.kinds_known = beyond > THREAD_MORE;
	memcpy(t.waiting.kind_ns, more + THREAD_MORE, sizeof(t.waiting.kind_ns));
	if (more[1])
		sp_waiting_close(&t.waiting);
	sp_unescape(fields[THREAD_NUMBERS]);
	sp_unescape(fields[THREAD_NUMBERS + 1]);
	t.name = fields[THREAD_NUMBERS];
	t.start = fields[THREAD_NUMBERS + 1][0] ? fields[THREAD_NUMBERS + 1] : NULL;
	sp_grow(&p->threads, &r->thread_capacity, p->thread_count + 1, sizeof(*p->threads));
	p->threads[p->thread_count++] = t;
	return true;
}

static bool find_kind(const char *name, enum sp_wait_kind *kind)
{
	for (int i = 0; i < SP_WAIT_KINDS; i++)
		if (strcmp(name, sp_wait_kind_name(i)) == 0) {
			*kind = (enum sp_wait_kind)i;
			return true;
		}
	return false;
}

bool sp_read_wait(struct sp_markdown_reader *r, char *text)
{
	char *fields[SP_READER_FIELDS], **texts = fields + WAIT_NUMBERS;
	uint64_t n[WAIT_NUMBERS];
	enum sp_wait_kind kind;

	if (sp_reader_split(text, fields) != WAIT_NUMBERS + WAIT_TEXTS || !sp_reader_numbers(fields, WAIT_NUMBERS, n) ||
		n[5] > 1 || !find_kind(texts[0], &kind))
		return sp_reader_fail(r, "a row of All waits is damaged");
	for (size_t i = 1; i < WAIT_TEXTS; i++)
		sp_unescape(texts[i]);
	*sp_wait_rows_add(r->profile) = (struct sp_wait_row){.ns = n[0],
		.error_ns = (double)n[1],
		.count = n[2],
		.samples = n[3],
		.longest_ns = n[4],
		.idle = n[5],
		.kind = kind,
		.call = texts[1],
		.caller = texts[2],
		.lock = texts[3],
		.holder = texts[4],
		.holder_call = texts[5]};
	return true;
}

bool sp_read_span(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS];
	uint64_t n[SPAN_NUMBERS];

	if (sp_reader_split(text, fields) != SPAN_NUMBERS + 1 || !sp_reader_numbers(fields, SPAN_NUMBERS, n))
		return sp_reader_fail(r, "a row of All spans is damaged");
	sp_unescape(fields[SPAN_NUMBERS]);
	sp_grow(&p->spans, &r->span_capacity, p->span_count + 1, sizeof(*p->spans));
	p->spans[p->span_count++] = (struct sp_span_info){.name = fields[SPAN_NUMBERS],
		.parent = UINT32_MAX,
		.count = n[0],
		.sum_ns = n[1],
		.self_ns = n[2],
		.cpu_ns = n[3],
		.cpu_error = (double)n[4],
		.bytes = n[5],
		.median_ns = n[6],
		.p99_ns = n[7],
		.max_ns = n[8],
		.spread = {.us_sq = (double)n[9]}};
	return true;
}

bool sp_read_process(struct sp_markdown_reader *r, char *text)
{
	struct sp_profile *p = r->profile;
	char *fields[SP_READER_FIELDS], **texts = fields + PROCESS_NUMBERS;
	uint64_t n[PROCESS_NUMBERS];

	if (sp_reader_split(text, fields) != PROCESS_NUMBERS + PROCESS_TEXTS ||
		!sp_reader_numbers(fields, PROCESS_NUMBERS, n) || n[0] > INT64_MAX || n[1] > INT64_MAX ||
		n[8] > INT32_MAX || n[9] > INT32_MAX || n[10] > 1)
		return sp_reader_fail(r, "a row of All processes is damaged");
	for (size_t i = 0; i < PROCESS_TEXTS; i++)
		sp_unescape(texts[i]);
	sp_grow(&p->processes, &p->process_capacity, p->process_count + 1, sizeof(*p->processes));
	p->processes[p->process_count++] = (struct sp_member){.start_ns = n[0],
		.wall_ns = n[1],
		.cpu_user_ns = n[2],
		.cpu_sys_ns = n[3],
		.samples = n[4],
		.max_rss_bytes = n[5],
		.peak_bytes = n[6],
		.alloc_bytes = n[7],
		.pid = (int)n[8],
		.ppid = (int)n[9],
		.root = n[10],
		.program = texts[0],
		.exit = texts[1],
		.tree = texts[2],
		.profile = texts[3],
		.command = texts[4]};
	return true;
}
