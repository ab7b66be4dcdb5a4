/* Reading answers. */
#include "profiles/fleet/answer.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/model/spans.h"

#define STACKS_MOST 1000000u
#define FRAMES_MOST (16u << 20)
#define SAMPLES_MOST 4000000u
#define DEPTH_MOST 10000u
#define SAMPLE_FIELDS (3 + SP_FLEET_VALUES + SP_FLEET_VARIANCES)
#define TOTAL_HEAD 5
#define TOTAL_FIELDS (TOTAL_HEAD + SP_FLEET_TEXTS + SP_FLEET_NUMBERS + SP_FLEET_REALS)
#define PROCESS_FIELDS 16
#define SPAN_FIELDS (1 + SP_FLEET_SPANS + SP_FLEET_SPAN_REALS)
#define SPANS_MOST 100000u

/* --- lines */

/* As ClickHouse escapes TabSeparated. */
static void untab(char *field)
{
	static const char from[] = "tnrbf0'\\", to[] = "\t\n\r\b\f\0'\\";
	char *out = field;

	for (const char *at = field; *at; at++) {
		const char *known = *at == '\\' && at[1] ? strchr(from, at[1]) : NULL;

		if (known && to[known - from])
			*out++ = to[known - from];
		else
			*out++ = *at;
		at += known != NULL;
	}
	*out = '\0';
}

size_t sp_fleet_line(char **text, char **fields, size_t most)
{
	char *line = *text, *end = line + strcspn(line, "\n");
	size_t count = 0;

	if (!*line)
		return 0;
	*text = *end ? end + 1 : end;
	*end = '\0';
	while (line && count < most) {
		char *tab = strchr(line, '\t');

		if (tab)
			*tab = '\0';
		fields[count] = line;
		untab(fields[count]);
		sp_unescape(fields[count++]);
		line = tab ? tab + 1 : NULL;
	}
	return line ? most + 1 : count;
}

bool sp_fleet_whole(const char *field, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(field, &end, 10);
	return isdigit((unsigned char)*field) && !*end && !errno;
}

bool sp_fleet_real(const char *field, double *number)
{
	char *end;

	*number = strtod(field, &end);
	return end > field && !*end && isfinite(*number);
}

/* "01234567-89ab-…" */
bool sp_fleet_id(const char *text, uint64_t key[static 2])
{
	char digits[33];
	size_t count = 0;

	for (; *text && count < 32; text++)
		if (*text != '-')
			digits[count++] = *text;
	digits[count] = '\0';
	if (count != 32 || *text || digits[strspn(digits, "0123456789abcdef")])
		return false;
	key[1] = strtoull(digits + 16, NULL, 16);
	digits[16] = '\0';
	key[0] = strtoull(digits, NULL, 16);
	return true;
}

/* --- stacks */

static const char *text_at(struct sp_fleet_stacks *s, json_t *row, const char *key, size_t i)
{
	const char *text = json_string_value(json_array_get(json_object_get(row, key), i));
	char *copy;

	if (!text)
		return NULL;
	copy = sp_copy_text(text);
	sp_unescape(copy);
	text = sp_names_text(&s->names, sp_names_id(&s->names, copy));
	free(copy);
	return text;
}

/* Numbers of 64 bits may come as texts. */
static uint64_t number_at(json_t *row, const char *key, size_t i)
{
	json_t *value = json_array_get(json_object_get(row, key), i);
	const char *text = json_string_value(value);
	json_int_t number = json_integer_value(value);

	return text ? strtoull(text, NULL, 10) : number > 0 ? (uint64_t)number : 0;
}

static bool read_frames(struct sp_fleet_stacks *s, json_t *row, size_t depth)
{
	for (size_t i = 0; i < depth; i++) {
		struct sp_fleet_frame frame = {.function = text_at(s, row, "functions", i),
			.module = text_at(s, row, "modules", i),
			.build_id = text_at(s, row, "build_ids", i),
			.file = text_at(s, row, "files", i),
			.line = (unsigned)(number_at(row, "lines", i) & UINT32_MAX),
			.inlined = number_at(row, "inlined", i) != 0,
			.address = number_at(row, "addresses", i),
			.code = number_at(row, "codes", i)};

		if (!frame.function || !frame.module || !frame.build_id || !frame.file)
			return false;
		if (frame.build_id[strspn(frame.build_id, "0123456789abcdef")])
			frame.build_id = "";
		sp_grow(&s->frames, &s->frame_capacity, s->frame_count + 1, sizeof(*s->frames));
		s->frames[s->frame_count++] = frame;
	}
	return true;
}

uint32_t sp_fleet_stack_of(struct sp_fleet_stacks *s, const uint64_t key[static 2])
{
	int found;
	uint32_t *cell = sp_map_at(&s->index, key[0], key[1], &found);

	if (!found) {
		*cell = (uint32_t)s->count;
		sp_grow(&s->list, &s->capacity, s->count + 1, sizeof(*s->list));
		s->list[s->count++] = (struct sp_fleet_stack){.key = {key[0], key[1]}};
	}
	return *cell;
}

static const char *read_stack(struct sp_fleet_stacks *s, json_t *row)
{
	const char *id = json_string_value(json_object_get(row, "stack"));
	size_t depth = json_array_size(json_object_get(row, "functions"));
	size_t first = s->frame_count;
	uint64_t key[2];
	uint32_t number;

	if (!id || !sp_fleet_id(id, key) || !depth || depth > DEPTH_MOST)
		return "a stack in its answer is damaged";
	if (s->count >= STACKS_MOST || s->frame_count + depth > FRAMES_MOST)
		return "there are more stacks in its answer than can be shown; ask for less";
	number = sp_fleet_stack_of(s, key);
	if (s->list[number].depth)
		return NULL;
	if (!read_frames(s, row, depth))
		return "a stack in its answer is damaged";
	s->list[number].first = first;
	s->list[number].depth = (uint32_t)depth;
	return NULL;
}

const char *sp_fleet_stacks_read(struct sp_fleet_stacks *s, char *text)
{
	const char *why = NULL;

	while (!why && *text) {
		size_t length = strcspn(text, "\n");
		json_t *row = json_loadb(text, length, 0, NULL);

		why = row ? read_stack(s, row) : "a stack in its answer is no JSON";
		json_decref(row);
		text += length + (text[length] != '\0');
	}
	return why;
}

void sp_fleet_stacks_free(struct sp_fleet_stacks *s)
{
	sp_names_free(&s->names);
	sp_map_free(&s->index);
	free(s->list);
	free(s->frames);
}

/* --- samples */

static bool read_sample(struct sp_fleet_samples *s, struct sp_fleet_stacks *stacks, char **fields)
{
	struct sp_fleet_sample row = {0};
	uint64_t kind, key[2];

	if (!sp_fleet_whole(fields[0], &kind) || kind < 1 || kind > SP_FLEET_KINDS || !sp_fleet_id(fields[1], key))
		return false;
	row.kind = (enum sp_fleet_kind)(kind - 1);
	for (int i = 0; i < SP_FLEET_VALUES; i++)
		if (!sp_fleet_whole(fields[3 + i], &row.values[i]))
			return false;
	for (int i = 0; i < SP_FLEET_VARIANCES; i++)
		if (!sp_fleet_real(fields[3 + SP_FLEET_VALUES + i], &row.variances[i]) || row.variances[i] < 0)
			return false;
	row.stack = sp_fleet_stack_of(stacks, key);
	row.host = sp_names_id(&s->hosts, fields[2]);
	sp_grow(&s->list, &s->capacity, s->count + 1, sizeof(*s->list));
	s->list[s->count++] = row;
	return true;
}

const char *sp_fleet_samples_read(struct sp_fleet_samples *s, struct sp_fleet_stacks *stacks, char *text)
{
	char *fields[SAMPLE_FIELDS];
	size_t count;

	while ((count = sp_fleet_line(&text, fields, SAMPLE_FIELDS)) > 0) {
		if (count != SAMPLE_FIELDS || !read_sample(s, stacks, fields))
			return "a row of samples in its answer is damaged";
		if (s->count > SAMPLES_MOST)
			return "there are more samples in its answer than can be shown; ask for less";
	}
	return NULL;
}

size_t sp_fleet_samples_known(struct sp_fleet_samples *s, const struct sp_fleet_stacks *stacks)
{
	size_t kept = 0, count = s->count;

	for (size_t i = 0; i < count; i++)
		if (stacks->list[s->list[i].stack].depth)
			s->list[kept++] = s->list[i];
	s->count = kept;
	return count - kept;
}

void sp_fleet_samples_free(struct sp_fleet_samples *s)
{
	sp_names_free(&s->hosts);
	free(s->list);
}

/* --- totals */

static const char *keep(struct sp_fleet_totals *t, const char *text)
{
	return sp_pool_copy(&t->pool, text, strlen(text));
}

static bool read_total(struct sp_fleet_totals *t, char **fields)
{
	struct sp_fleet_total total = {.host = keep(t, fields[0])};
	char **texts = fields + TOTAL_HEAD, **numbers = texts + SP_FLEET_TEXTS, **reals = numbers + SP_FLEET_NUMBERS;

	if (!sp_fleet_whole(fields[1], &total.profiles) || !sp_fleet_whole(fields[2], &total.hosts) ||
		!sp_fleet_whole(fields[3], &total.from_ns))
		return false;
	total.facts.environment = keep(t, fields[4]);
	for (int i = 0; i < SP_FLEET_TEXTS; i++)
		total.facts.texts[i] = keep(t, texts[i]);
	for (int i = 0; i < SP_FLEET_NUMBERS; i++)
		if (!sp_fleet_whole(numbers[i], &total.facts.numbers[i]))
			return false;
	for (int i = 0; i < SP_FLEET_REALS; i++)
		if (!sp_fleet_real(reals[i], &total.facts.reals[i]))
			return false;
	if (!total.profiles)
		return true;
	sp_grow(&t->list, &t->capacity, t->count + 1, sizeof(*t->list));
	t->list[t->count++] = total;
	return true;
}

const char *sp_fleet_totals_read(struct sp_fleet_totals *t, char *text)
{
	char *fields[TOTAL_FIELDS];
	size_t count;

	while ((count = sp_fleet_line(&text, fields, TOTAL_FIELDS)) > 0)
		if (count != TOTAL_FIELDS || !read_total(t, fields))
			return "a row of totals in its answer is damaged";
	return NULL;
}

void sp_fleet_totals_free(struct sp_fleet_totals *t)
{
	sp_pool_free(&t->pool);
	free(t->list);
}

/* --- processes */

const char *sp_fleet_processes_read(struct sp_profile *p, char *text)
{
	char *fields[PROCESS_FIELDS];
	uint64_t n[PROCESS_FIELDS];
	size_t count;

	while ((count = sp_fleet_line(&text, fields, PROCESS_FIELDS)) > 0) {
		const char *texts[5];

		for (size_t i = 5; i < PROCESS_FIELDS && count == PROCESS_FIELDS; i++)
			count = sp_fleet_whole(fields[i], &n[i]) && n[i] <= INT64_MAX ? count : 0;
		if (count != PROCESS_FIELDS)
			return "a row of profiles in its answer is damaged";
		for (size_t i = 0; i < 5; i++)
			texts[i] = sp_pool_copy(&p->pool, fields[i], strlen(fields[i]));
		sp_grow(&p->processes, &p->process_capacity, p->process_count + 1, sizeof(*p->processes));
		p->processes[p->process_count++] = (struct sp_member){.program = texts[0],
			.command = texts[1],
			.tree = texts[2],
			.exit = texts[3],
			.profile = texts[4],
			.pid = (int)(n[5] & INT32_MAX),
			.ppid = (int)(n[6] & INT32_MAX),
			.root = n[7] != 0,
			.start_ns = n[8],
			.wall_ns = n[9],
			.cpu_user_ns = n[10],
			.cpu_sys_ns = n[11],
			.samples = n[12],
			.max_rss_bytes = n[13],
			.peak_bytes = n[14],
			.alloc_bytes = n[15]};
	}
	return NULL;
}

/* --- spans */

static bool read_span(struct sp_profile *p, size_t *capacity, char **fields)
{
	uint64_t n[SP_FLEET_SPANS];
	double reals[SP_FLEET_SPAN_REALS];

	for (int i = 0; i < SP_FLEET_SPANS; i++)
		if (!sp_fleet_whole(fields[1 + i], &n[i]))
			return false;
	for (int i = 0; i < SP_FLEET_SPAN_REALS; i++)
		if (!sp_fleet_real(fields[1 + SP_FLEET_SPANS + i], &reals[i]) || reals[i] < 0)
			return false;
	sp_grow(&p->spans, capacity, p->span_count + 1, sizeof(*p->spans));
	p->spans[p->span_count++] = (struct sp_span_info){.name = sp_pool_copy(&p->pool, fields[0], strlen(fields[0])),
		.parent = UINT32_MAX,
		.count = n[SP_FLEET_SPAN_COUNT],
		.sum_ns = n[SP_FLEET_SPAN_SUM],
		.self_ns = n[SP_FLEET_SPAN_SELF],
		.cpu_ns = n[SP_FLEET_SPAN_CPU],
		.bytes = n[SP_FLEET_SPAN_BYTES],
		.max_ns = n[SP_FLEET_SPAN_MAX],
		.median_ns = n[SP_FLEET_SPAN_MEDIAN],
		.p99_ns = n[SP_FLEET_SPAN_P99],
		.cpu_error = SP_FLEET_Z95 * sqrt(reals[SP_FLEET_SPAN_CPU_VAR]),
		.spread = {.us_sq = reals[SP_FLEET_SPAN_US_SQ]}};
	return true;
}

const char *sp_fleet_spans_read(struct sp_profile *p, char *text)
{
	char *fields[SPAN_FIELDS];
	size_t count, capacity = 0;

	while ((count = sp_fleet_line(&text, fields, SPAN_FIELDS)) > 0) {
		if (p->span_count >= SPANS_MOST)
			return "there are more spans in its answer than can be shown; ask for less";
		if (count != SPAN_FIELDS || !read_span(p, &capacity, fields))
			return "a row of spans in its answer is damaged";
	}
	return NULL;
}
