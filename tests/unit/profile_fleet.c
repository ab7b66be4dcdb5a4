/* Profiles in a store of many machines: SQL that hostile texts cannot leave, rows, and the way back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "profiles/export/export.h"
#include "profiles/fleet/answer.h"
#include "profiles/fleet/rows.h"
#include "profiles/markdown/markdown.h"
#include "profiles/model/facts.h"
#include "profiles/model/merge.h"
#include "profiles/model/spans.h"
#include "tests/unit/profile_spool.h"

#define HOUR 3600u
#define DAY_S 1796000400u /* a whole hour */
#define EVERY ((1u << SP_FLEET_KINDS) - 1)

static const char hostile[] = "x'); DROP TABLE smartprof_samples; --\\' \\\\\t\n\x1b[31m\x7f\xff\xe2\x80\xae{t:String}";

static struct sp_buffer markdown;

static int set_up(void **state)
{
	struct sp_snapshot snapshot = {0};
	struct sp_profile *profile;
	struct spool spool;

	(void)state;
	sp_json_init();
	spool_open(&spool);
	spool_fill(&spool);
	spool_wait(&spool, SP_CALL_pthread_mutex_lock, ((const int[]){6, 5, 1, -1}), 7000000);
	spool_snapshot(&spool, &snapshot);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
	sp_facts_collect(profile);
	sp_markdown_write(&markdown, profile, "prog.md", true);
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	spool_close(&spool);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sp_buffer_free(&markdown);
	return 0;
}

static struct sp_profile *read_profile(void)
{
	const char *why = "";
	struct sp_profile *profile = sp_markdown_read(markdown.data, markdown.length, &why);

	if (!profile)
		fail_msg("%s", why);
	return profile;
}

/* --- SQL */

/* What a server makes of a string at *text, as its documentation tells; NULL where it is none. */
static char *read_literal(const char **text)
{
	struct sp_buffer out = {0};
	const char *at = *text;

	sp_buffer_puts(&out, "");
	if (*at++ != '\'')
		return NULL;
	for (; *at != '\''; at++) {
		if (!*at)
			return NULL;
		at += *at == '\\';
		sp_buffer_add(&out, at, 1);
	}
	*text = at + 1;
	return out.data;
}

static void assert_quoted(const char *text)
{
	struct sp_buffer sql = {0};
	const char *end;
	char *read;

	sp_sql_text(&sql, text);
	end = sql.data;
	read = read_literal(&end);
	assert_non_null(read);
	assert_string_equal(end, "");
	for (const char *c = sql.data; *c; c++)
		assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
	sp_unescape(read);
	assert_string_equal(read, text);
	free(read);
	sp_buffer_free(&sql);
}

static void test_text_stays_in_its_quotes(void **state)
{
	static const char *const texts[] = {"", "'", "''", "\\", "\\'", "'\\", "a' OR 1 = 1 --", "\\x27", "%27", "/*",
		"`", "\"", "ünïcode", hostile};
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_quoted(texts[i]);
	for (int i = 0; i < 2000; i++) {
		char text[17] = "";

		for (int k = 0; k < 16; k++)
			text[k] = (char)(rand_r(&seed) % 255 + 1);
		assert_quoted(text);
	}
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

/* A statement without what stands in its quotes. */
static void put_bare(struct sp_buffer *out, const char *sql)
{
	while (*sql) {
		char *text = *sql == '\'' ? read_literal(&sql) : NULL;

		if (text)
			free(text);
		else
			sp_buffer_add(out, sql++, 1);
	}
}

static void test_questions_hold_nothing_hostile(void **state)
{
	const struct sp_fleet_label labels[] = {{"service", hostile}, {hostile, hostile}, {"version", hostile}};
	const struct sp_fleet_where where = {labels, 3, DAY_S + 5, DAY_S + 30 * HOUR};
	struct sp_buffer sql = {0}, bare = {0};

	(void)state;
	for (int by = 0; by < 2; by++) {
		sp_sql_samples(&sql, &where, by, EVERY);
		sp_sql_totals(&sql, &where, by);
		sp_sql_processes(&sql, &where, by);
	}
	sp_sql_hosts(&sql, &where);
	sp_sql_functions(&sql, &where);
	sp_sql_growth(&sql, &where);
	sp_sql_spans(&sql, &where);
	put_bare(&bare, sql.data);
	assert_null(strstr(bare.data, "DROP"));
	assert_null(strstr(bare.data, "--"));
	assert_null(strchr(bare.data, '\\'));
	assert_non_null(strstr(sql.data, "DROP"));
	assert_true(count_of(bare.data, "(") == count_of(bare.data, ")"));
	sp_buffer_free(&sql);
	sp_buffer_free(&bare);
}

static void test_whole_hours_come_from_their_sums(void **state)
{
	const struct sp_fleet_label label = {"service", "shop"};
	struct sp_fleet_where where = {&label, 1, DAY_S + 10, DAY_S + 3 * HOUR + 20};
	struct sp_buffer sql = {0};

	(void)state;
	sp_sql_samples(&sql, &where, SP_FLEET_BY_ALL, 1u << SP_FLEET_CPU | 1u << SP_FLEET_SITE);
	assert_int_equal(count_of(sql.data, "UNION ALL"), 2);
	assert_int_equal(count_of(sql.data, "FROM smartprof_hours WHERE service = 'shop'"), 1);
	assert_non_null(strstr(sql.data, "(time >= toDateTime(1796000410) AND time < toDateTime(1796004000))"));
	assert_non_null(strstr(sql.data, "(hour >= toDateTime(1796004000) AND hour < toDateTime(1796011200))"));
	assert_non_null(strstr(sql.data, "(time >= toDateTime(1796011200) AND time < toDateTime(1796011220))"));
	assert_int_equal(count_of(sql.data, "kind IN ('cpu', 'site')"), 3);
	sp_buffer_clear(&sql);
	where.until_s = DAY_S + HOUR - 1;
	sp_sql_samples(&sql, &where, SP_FLEET_BY_HOST, EVERY);
	assert_null(strstr(sql.data, "smartprof_hours"));
	assert_int_equal(count_of(sql.data, "FROM smartprof_samples"), 1);
	sp_buffer_free(&sql);
}

/* A thousand hosts are a thousand times the rows: what nobody reads is not asked for. */
static void test_hosts_are_asked_for_no_more_than_is_compared(void **state)
{
	const struct sp_fleet_label label = {"service", "shop"};
	const struct sp_fleet_where where = {&label, 1, DAY_S, DAY_S + 2 * HOUR};
	struct sp_buffer sql = {0};

	(void)state;
	sp_sql_samples(&sql, &where, SP_FLEET_BY_HOST, 1u << SP_FLEET_FUNCTION);
	assert_int_equal(
		count_of(sql.data,
			"SELECT 4, toString(stack), host, sum(value), 0, sum(samples), 0, sum(total_ns), 0, 0, "),
		1);
	assert_non_null(strstr(sql.data, ") GROUP BY stack, host FORMAT"));
	assert_int_equal(count_of(sql.data, "kind"), 1); /* IN */
	sp_buffer_clear(&sql);
	sp_sql_samples(&sql, &where, SP_FLEET_BY_HOST, 1u << SP_FLEET_FUNCTION | 1u << SP_FLEET_SITE);
	assert_non_null(strstr(sql.data, ") GROUP BY kind, stack, host FORMAT"));
	sp_buffer_clear(&sql);
	sp_sql_samples(&sql, &where, SP_FLEET_BY_ALL, 1u << SP_FLEET_CPU);
	assert_non_null(strstr(sql.data, "sum(system_ns)"));
	assert_non_null(strstr(sql.data, " ORDER BY stack FORMAT"));
	sp_buffer_clear(&sql);
	sp_sql_totals(&sql, &where, SP_FLEET_BY_HOST);
	assert_null(strstr(sql.data, "uniqExact"));
	assert_null(strstr(sql.data, "any(environment_reason)"));
	assert_non_null(strstr(sql.data, "any(kernel)"));
	sp_buffer_free(&sql);
}

static void test_tables_forget_where_the_server_can(void **state)
{
	struct sp_buffer old = {0}, new = {0};
	size_t steps = 0;

	(void)state;
	while (sp_sql_schema(&old, steps, SP_FLEET_TTL_VERSION - 1) && sp_sql_schema(&new, steps, SP_FLEET_TTL_VERSION))
		steps++;
	assert_int_equal(steps, 6);
	assert_int_equal(count_of(old.data, "IF NOT EXISTS"), 6);
	assert_int_equal(count_of(old.data, "TTL"), 0);
	assert_int_equal(count_of(new.data, "TTL"), 4);
	assert_int_equal(count_of(new.data, "ORDER BY"), 5);
	sp_buffer_free(&old);
	sp_buffer_free(&new);
}

/* --- rows */

static void write_rows(struct sp_fleet_rows *rows, const char *host)
{
	static const struct sp_fleet_label label = {"region", hostile};
	struct sp_profile *profile = read_profile();
	const struct sp_fleet_origin origin = {.service = "shop",
		.version = "1.2",
		.host = host,
		.labels = &label,
		.label_count = 1,
		.now_s = 1,
		.content = markdown.data,
		.length = markdown.length};

	sp_fleet_rows_write(rows, profile, &origin);
	sp_profile_free(profile);
}

/* The next row of a body; NULL at its end. */
static json_t *next_row(const char **text)
{
	size_t length = strcspn(*text, "\n");
	json_t *row = **text ? json_loadb(*text, length, 0, NULL) : NULL;

	assert_true(row || !**text);
	*text += length + ((*text)[length] == '\n');
	return row;
}

static uint64_t number(json_t *row, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(row, key));
}

static void test_rows_add_up_to_the_profile(void **state)
{
	struct sp_profile *profile = read_profile();
	struct sp_fleet_rows rows, again, other;
	uint64_t sums[SP_FLEET_KINDS] = {0}, allocated = 0;
	const char *at;
	json_t *row;

	(void)state;
	write_rows(&rows, "a");
	write_rows(&again, "a");
	write_rows(&other, hostile);
	for (size_t i = 0; i < profile->site_count; i++)
		allocated += profile->sites[i].alloc_bytes;
	for (at = rows.samples.data; (row = next_row(&at)); json_decref(row))
		for (int k = 0; k < SP_FLEET_KINDS; k++)
			if (strcmp(json_string_value(json_object_get(row, "kind")), sp_fleet_kind_names[k]) == 0)
				sums[k] += number(row, "value");
	assert_int_equal(sums[SP_FLEET_FUNCTION], profile->total_ns);
	assert_int_equal(sums[SP_FLEET_CPU], profile->total_ns - profile->unsampled_ns);
	assert_int_equal(sums[SP_FLEET_SITE], allocated);
	assert_int_equal(sums[SP_FLEET_HEAP], allocated);
	assert_true(sums[SP_FLEET_WAIT] > 0);
	assert_string_equal(rows.id, again.id);
	assert_string_equal(rows.stacks.data, again.stacks.data);
	assert_string_equal(rows.stacks.data, other.stacks.data);
	assert_string_not_equal(rows.id, other.id);
	at = other.profile.data;
	row = next_row(&at);
	assert_non_null(strstr(json_string_value(json_object_get(row, "host")), "\\x1b[31m"));
	json_decref(row);
	sp_profile_free(profile);
	sp_fleet_rows_free(&rows);
	sp_fleet_rows_free(&again);
	sp_fleet_rows_free(&other);
}

/* --- and back: what a server answers about rows that are the only ones */

static void put_stacks(struct sp_buffer *out, const struct sp_fleet_rows *rows)
{
	const char *at = rows->stacks.data;
	json_t *row;

	while ((row = next_row(&at))) {
		json_object_set(row, "stack", json_object_get(row, "id"));
		sp_json_put(out, row, false);
		sp_buffer_puts(out, "\n");
	}
}

static void put_value(struct sp_buffer *out, json_t *row, const char *key)
{
	json_t *value = json_object_get(row, key);

	if (json_is_string(value)) {
		sp_buffer_puts(out, "\t");
		for (const char *c = json_string_value(value); *c; c++)
			sp_buffer_printf(out, *c == '\\' || *c == '\'' ? "\\%c" : "%c", *c);
	} else if (json_is_real(value)) {
		sp_buffer_printf(out, "\t%.17g", json_real_value(value));
	} else {
		sp_buffer_printf(out, "\t%llu", (unsigned long long)json_integer_value(value));
	}
}

static void put_samples(struct sp_buffer *out, const struct sp_fleet_rows *rows)
{
	const char *at = rows->samples.data;
	json_t *row;

	for (; (row = next_row(&at)); json_decref(row)) {
		int kind = 0;

		while (strcmp(json_string_value(json_object_get(row, "kind")), sp_fleet_kind_names[kind]) != 0)
			kind++;
		sp_buffer_printf(out, "%d", kind + 1);
		put_value(out, row, "stack");
		put_value(out, row, "host");
		for (int i = 0; i < SP_FLEET_VALUES; i++)
			put_value(out, row, sp_fleet_value_names[i]);
		for (int i = 0; i < SP_FLEET_VARIANCES; i++)
			put_value(out, row, sp_fleet_variance_names[i]);
		sp_buffer_puts(out, "\n");
	}
}

static void put_totals(struct sp_buffer *out, const struct sp_fleet_rows *rows)
{
	const char *at = rows->profile.data;
	json_t *row = next_row(&at);

	sp_buffer_puts(out, "\t1\t1");
	put_value(out, row, "start_ns");
	put_value(out, row, "environment");
	for (int i = 0; i < SP_FLEET_TEXTS; i++)
		put_value(out, row, sp_fleet_texts[i]);
	for (int i = 0; i < SP_FLEET_NUMBERS; i++)
		put_value(out, row, sp_fleet_numbers[i].name);
	for (int i = 0; i < SP_FLEET_REALS; i++)
		put_value(out, row, sp_fleet_reals[i].name);
	sp_buffer_puts(out, "\n");
	json_decref(row);
}

struct answers {
	struct sp_fleet_stacks stacks;
	struct sp_fleet_samples samples;
	struct sp_fleet_totals totals;
};

static void read_answers(struct answers *a)
{
	struct sp_fleet_rows rows;
	struct sp_buffer text = {0};

	write_rows(&rows, hostile);
	put_samples(&text, &rows);
	assert_null(sp_fleet_samples_read(&a->samples, &a->stacks, text.data));
	sp_buffer_clear(&text);
	put_stacks(&text, &rows);
	assert_null(sp_fleet_stacks_read(&a->stacks, text.data));
	assert_int_equal(sp_fleet_samples_known(&a->samples, &a->stacks), 0);
	sp_buffer_clear(&text);
	put_totals(&text, &rows);
	assert_null(sp_fleet_totals_read(&a->totals, text.data));
	assert_int_equal(a->samples.count, rows.sample_count);
	assert_int_equal(a->totals.count, 1);
	sp_buffer_free(&text);
	sp_fleet_rows_free(&rows);
}

static void free_answers(struct answers *a)
{
	sp_fleet_totals_free(&a->totals);
	sp_fleet_samples_free(&a->samples);
	sp_fleet_stacks_free(&a->stacks);
}

/* The rows of a table of the complete part, sorted, without its columns `from` to before `to`. */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_table(struct sp_buffer *out, const char *text, const char *title)
{
	const char *at = strstr(text, title), *end;
	char *rows, *list[500], *next = NULL;
	size_t count = 0;

	assert_non_null(at);
	end = strstr(at, "\n```\n");
	rows = strndup(at, (size_t)(end - at));
	for (char *row = strtok_r(rows, "\n", &next); row && count < 500; row = strtok_r(NULL, "\n", &next))
		list[count++] = row;
	qsort(list, count, sizeof(*list), by_text);
	for (size_t i = 0; i < count; i++)
		sp_buffer_printf(out, "%s\n", list[i]);
	free(rows);
}

static void write_merged(struct sp_buffer *out, struct sp_profile *profile)
{
	struct sp_merge *merge = sp_merge_new();

	sp_merge_add(merge, profile, "prog.md");
	sp_markdown_write(out, sp_merge_finish(merge, 0), "merged.md", true);
	sp_merge_free(merge);
	sp_profile_free(profile);
}

/* Every stack by its names, of each kind. */
static void put_folded(struct sp_buffer *out, const struct sp_buffer *text)
{
	const char *why = "";
	struct sp_profile *profile = sp_markdown_read(text->data, text->length, &why);

	assert_non_null(profile);
	assert_null(sp_export_prepare(profile, NULL));
	for (int view = 0; view < SP_VIEWS; view++)
		sp_export_folded(out, profile, view);
	sp_profile_free(profile);
}

static void test_what_comes_back_is_what_merging_gives(void **state)
{
	static const char *const titles[] = {"## All functions (", "## All heap sites (", "## All code ("};
	struct sp_buffer ours = {0}, theirs = {0}, our_stacks = {0}, their_stacks = {0};
	struct answers a = {0};

	(void)state;
	read_answers(&a);
	write_merged(&ours, sp_fleet_profile(a.samples.list, a.samples.count, &a.stacks, &a.totals.list[0], 1));
	write_merged(&theirs, read_profile());
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		struct sp_buffer x = {0}, y = {0};

		if (!strstr(theirs.data, titles[i]))
			continue;
		put_table(&x, ours.data, titles[i]);
		put_table(&y, theirs.data, titles[i]);
		assert_string_equal(x.data, y.data);
		sp_buffer_free(&x);
		sp_buffer_free(&y);
	}
	put_folded(&our_stacks, &ours);
	put_folded(&their_stacks, &theirs);
	assert_non_null(strstr(our_stacks.data, ";[lock] "));
	assert_string_equal(our_stacks.data, their_stacks.data);
	sp_buffer_free(&our_stacks);
	sp_buffer_free(&their_stacks);
	sp_buffer_free(&ours);
	sp_buffer_free(&theirs);
	free_answers(&a);
}

static const struct sp_span_info spans[] = {{.name = hostile,
						    .parent = UINT32_MAX,
						    .count = 4,
						    .sum_ns = 20000,
						    .self_ns = 15000,
						    .cpu_ns = 16000,
						    .cpu_error = 3000,
						    .bytes = 100,
						    .median_ns = 5000,
						    .p99_ns = 6000,
						    .max_ns = 7000,
						    .spread = {.us_sq = 123456789012}},
	{.name = "request", .parent = UINT32_MAX, .count = 1, .sum_ns = INT64_MAX}};

static void give_spans(struct sp_profile *profile)
{
	profile->spans = sp_alloc(2, sizeof(*spans));
	memcpy(profile->spans, spans, sizeof(spans));
	profile->span_count = 2;
}

static void put_spans(struct sp_buffer *out, const struct sp_fleet_rows *rows)
{
	const char *at = rows->spans.data;
	json_t *row;

	for (; (row = next_row(&at)); json_decref(row)) {
		const size_t from = out->length;

		put_value(out, row, "span");
		memmove(out->data + from, out->data + from + 1, out->length - from - 1); /* the tab */
		out->length--;
		for (int i = 0; i < SP_FLEET_SPANS; i++)
			put_value(out, row, sp_fleet_spans[i].name);
		for (int i = 0; i < SP_FLEET_SPAN_REALS; i++)
			put_value(out, row, sp_fleet_span_reals[i].name);
		sp_buffer_puts(out, "\n");
	}
}

static void test_spans_come_back(void **state)
{
	static const struct sp_fleet_origin origin = {.service = "shop", .version = "", .host = "", .content = ""};
	struct sp_profile *profile = read_profile(), *back = read_profile();
	struct sp_buffer text = {0}, damaged = {0};
	struct sp_fleet_rows rows;

	(void)state;
	give_spans(profile);
	sp_fleet_rows_write(&rows, profile, &origin);
	put_spans(&text, &rows);
	assert_null(sp_fleet_spans_read(back, text.data));
	assert_int_equal(back->span_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(back->spans[i].name, spans[i].name);
		assert_int_equal(back->spans[i].count, spans[i].count);
		assert_int_equal(back->spans[i].sum_ns, spans[i].sum_ns);
		assert_int_equal(back->spans[i].self_ns, spans[i].self_ns);
		assert_int_equal(back->spans[i].cpu_ns, spans[i].cpu_ns);
		assert_float_equal(back->spans[i].cpu_error, spans[i].cpu_error, 1e-6);
		assert_int_equal(back->spans[i].bytes, spans[i].bytes);
		assert_int_equal(back->spans[i].median_ns, spans[i].median_ns);
		assert_int_equal(back->spans[i].p99_ns, spans[i].p99_ns);
		assert_int_equal(back->spans[i].max_ns, spans[i].max_ns);
		assert_float_equal(back->spans[i].spread.us_sq, spans[i].spread.us_sq, 0);
	}
	sp_buffer_puts(&damaged, "request\t1\t2\n");
	assert_non_null(sp_fleet_spans_read(back, damaged.data));
	sp_buffer_free(&text);
	sp_buffer_free(&damaged);
	sp_fleet_rows_free(&rows);
	sp_profile_free(profile);
	sp_profile_free(back);
}

static void test_a_longer_time_is_brought_to_the_same(void **state)
{
	struct sp_profile *once, *twice;
	struct answers a = {0};

	(void)state;
	read_answers(&a);
	once = sp_fleet_profile(a.samples.list, a.samples.count, &a.stacks, &a.totals.list[0], 1);
	twice = sp_fleet_profile(a.samples.list, a.samples.count, &a.stacks, &a.totals.list[0], 2);
	assert_int_equal(twice->total_ns, 2 * once->total_ns);
	assert_int_equal(twice->cpu_user_ns, 2 * once->cpu_user_ns);
	assert_int_equal(twice->heap_allocated_bytes, 2 * once->heap_allocated_bytes);
	assert_int_equal(twice->samples, once->samples);
	for (size_t i = SP_PSEUDOS; i < once->function_count; i++)
		assert_float_equal(twice->functions[i].self_error, once->functions[i].self_error, 1e-9);
	sp_profile_free(once);
	sp_profile_free(twice);
	free_answers(&a);
}

static void test_damaged_answers_are_refused(void **state)
{
	static const char *const stacks[] = {"x\n", "{}\n", "{\"stack\":\"1\",\"functions\":[\"f\"]}\n",
		"{\"stack\":\"01234567-89ab-cdef-0123-456789abcdef\",\"functions\":[]}\n",
		"{\"stack\":\"01234567-89ab-cdef-0123-456789abcdef\",\"functions\":[\"f\"],\"modules\":[1]}\n"};
	static const char *const samples[] = {"1\n", "9\t01234567-89ab-cdef-0123-456789abcdef\th\n", "\t\t\t\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		struct sp_fleet_stacks s = {0};
		char *text = sp_copy_text(stacks[i]);

		assert_non_null(sp_fleet_stacks_read(&s, text));
		sp_fleet_stacks_free(&s);
		free(text);
	}
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct sp_fleet_stacks s = {0};
		struct sp_fleet_samples read = {0};
		struct sp_fleet_totals totals = {0};
		char *text = sp_copy_text(samples[i]), *again = sp_copy_text(samples[i]);

		assert_non_null(sp_fleet_samples_read(&read, &s, text));
		assert_non_null(sp_fleet_totals_read(&totals, again));
		sp_fleet_samples_free(&read);
		sp_fleet_totals_free(&totals);
		sp_fleet_stacks_free(&s);
		free(text);
		free(again);
	}
}

/* Every byte of good answers, changed: they are read or refused. */
static void test_flipped_answers_do_no_harm(void **state)
{
	struct sp_fleet_rows rows;
	struct sp_buffer stacks = {0}, samples = {0};
	unsigned seed = 7;

	(void)state;
	write_rows(&rows, "a");
	put_stacks(&stacks, &rows);
	put_samples(&samples, &rows);
	for (int i = 0; i < 400; i++) {
		struct sp_fleet_stacks s = {0};
		struct sp_fleet_samples read = {0};
		char *x = sp_copy_text(stacks.data), *y = sp_copy_text(samples.data);

		for (int k = 0; k < 3; k++) {
			x[(size_t)rand_r(&seed) % stacks.length] = (char)(rand_r(&seed) % 255 + 1);
			y[(size_t)rand_r(&seed) % samples.length] = (char)(rand_r(&seed) % 255 + 1);
		}
		if (!sp_fleet_samples_read(&read, &s, y) && !sp_fleet_stacks_read(&s, x)) {
			const struct sp_fleet_total total = {.facts = {.environment = ""}};
			struct sp_fleet_total with = total;

			sp_fleet_samples_known(&read, &s);
			for (int k = 0; k < SP_FLEET_TEXTS; k++)
				with.facts.texts[k] = "";
			sp_profile_free(sp_fleet_profile(read.list, read.count, &s, &with, 1));
		}
		sp_fleet_samples_free(&read);
		sp_fleet_stacks_free(&s);
		free(x);
		free(y);
	}
	sp_buffer_free(&stacks);
	sp_buffer_free(&samples);
	sp_fleet_rows_free(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_text_stays_in_its_quotes),
		cmocka_unit_test(test_questions_hold_nothing_hostile),
		cmocka_unit_test(test_whole_hours_come_from_their_sums),
		cmocka_unit_test(test_hosts_are_asked_for_no_more_than_is_compared),
		cmocka_unit_test(test_tables_forget_where_the_server_can),
		cmocka_unit_test(test_rows_add_up_to_the_profile),
		cmocka_unit_test(test_what_comes_back_is_what_merging_gives), cmocka_unit_test(test_spans_come_back),
		cmocka_unit_test(test_a_longer_time_is_brought_to_the_same),
		cmocka_unit_test(test_damaged_answers_are_refused), cmocka_unit_test(test_flipped_answers_do_no_harm)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
