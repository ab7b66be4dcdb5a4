/* Runs made by hand. */
#include "tests/unit/compare_made.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/markdown/markdown.h"
#include "tests/unit/profile_tables.h"

static struct sp_profile *profiles[SP_SIDES][RUNS_MAX];
static const char *names[SP_SIDES][RUNS_MAX];
struct sp_comparison_input made_input;
struct sp_comparison *made_result;

const struct made made_plain = {
	{{"parse", "a.c", 400}, {"lex", "a.c", 300}, {"main", "b.c", 300}}, 1100, 8e6, 64e6, NULL, {0}, NULL, 0};

int made_set_up(void **state)
{
	(void)state;
	made_input = (struct sp_comparison_input){
		.weights = {50, 25, 15, 10}, .gate = {NAN, NAN, {NAN, NAN, NAN, NAN}, false}};
	for (int side = 0; side < SP_SIDES; side++) {
		made_input.profiles[side] = profiles[side];
		made_input.names[side] = names[side];
	}
	return 0;
}

void made_forget(void)
{
	sp_comparison_free(made_result);
	made_result = NULL;
	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < made_input.count[side]; i++)
			sp_profile_free(profiles[side][i]);
	made_input.count[0] = made_input.count[1] = 0;
}

int made_tear_down(void **state)
{
	(void)state;
	made_forget();
	return 0;
}

/* Every row's self time is one stack, up its callers. */
static void put_stacks(struct sp_buffer *out, const struct made *made, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any = any || made->caller[i];
	if (!any)
		return;
	put_table(out, "All frames", n);
	for (size_t i = 0; i < n; i++)
		sp_buffer_printf(out, "0\t1\t0\t%s\t/bin/app\t\n", made->rows[i].name);
	sp_buffer_puts(out, "```\n\n");
	put_table(out, "All CPU stacks", n);
	for (size_t i = 0; i < n; i++) {
		char chain[100] = "", longer[100];

		for (int at = (int)i + 1; at; at = made->caller[at - 1]) {
			snprintf(longer, sizeof(longer), "%d%s%.80s", at - 1, *chain ? " " : "", chain);
			strcpy(chain, longer);
		}
		sp_buffer_printf(out, "%.0f\t0\t10\t0\t%s\n", made->rows[i].ms * MS, chain);
	}
	sp_buffer_puts(out, "```\n\n");
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void put_run(struct sp_buffer *out, const struct made *made)
{
	double cpu = 0;
	size_t n = 0;

	for (; n < ROWS_MAX && made->rows[n].name; n++)
		cpu += made->rows[n].ms;
	sp_buffer_printf(out,
		"---\nschema: smartprof/1\nprogram: app\n%scpu_user_seconds: %.6f\ncpu_system_seconds: 0\n"
		"wall_seconds: %.6f\n%s",
		made->extra && strstr(made->extra, "exit: ") ? "" : "exit: 0\n", cpu / 1e3, made->wall_ms / 1e3,
		made->extra ? made->extra : "");
	if (made->peak >= 0)
		sp_buffer_printf(out, "heap_peak_bytes: %.0f\nheap_allocated_bytes: %.0f\n", made->peak,
			made->allocated);
	sp_buffer_puts(out, "---\n\n<details>\n\n");
	put_table(out, "All functions", n);
	for (size_t i = 0; i < n; i++)
		sp_buffer_printf(out, "%.0f\t0\t%.0f\t0\t100\t100\t%.0f\t0\t%s\t/bin/app\t%s\t%d\n",
			made->rows[i].ms * MS, made->rows[i].ms * MS, made->rows[i].ms * MS / 20, made->rows[i].name,
			made->rows[i].file ? made->rows[i].file : "", made->rows[i].file ? 7 : 0);
	sp_buffer_puts(out, "```\n\n");
	put_stacks(out, made, n);
	if (made->waits) {
		put_table(out, "All waits", count_lines(made->waits));
		sp_buffer_printf(out, "%s```\n\n", made->waits);
	}
	if (made->site > 0) {
		put_table(out, "All heap sites", 2);
		sp_buffer_printf(out,
			"%.0f\t9\t0\t0\t0\t0\t0\t0\t9\t0\t%.0f\t0\t0\t0\t0\tstore\t/bin/app"
			"\t\t0\n4000000\t1\t0\t0\t0\t0\t0\t0\t1\t0\t0\t0\t0\t0\t0\tlarge\t/bin/app\t\t0\n```\n\n",
			made->site, made->site * 1e5);
	}
	sp_buffer_puts(out, "</details>\n");
}

void made_add(enum sp_side side, const struct made *made)
{
	struct sp_buffer text = {0};
	const char *why = "";

	put_run(&text, made);
	profiles[side][made_input.count[side]] = sp_markdown_read(text.data, text.length, &why);
	assert_non_null(profiles[side][made_input.count[side]]);
	names[side][made_input.count[side]++] = "run.md";
	sp_buffer_free(&text);
}

void made_add_runs(enum sp_side side, struct made made, size_t n, double noise)
{
	for (size_t i = 0; i < n; i++) {
		struct made one = made;
		double factor = 1 + noise * (2.0 * (double)((i * 7 + (size_t)side * 3) % 11) / 10 - 1);

		for (size_t k = 0; k < ROWS_MAX; k++)
			one.rows[k].ms *= factor;
		one.wall_ms *= factor;
		made_add(side, &one);
	}
}

void made_compare(void)
{
	sp_comparison_free(made_result);
	made_result = sp_compare(&made_input);
}

const struct sp_row *made_find(const char *name)
{
	for (size_t i = 0; i < made_result->row_count; i++)
		if (!made_result->rows[i].gone && strcmp(made_result->rows[i].function, name) == 0)
			return &made_result->rows[i];
	return NULL;
}

void made_compare_six(const struct made *old, const struct made *new)
{
	made_forget();
	made_add_runs(SP_BASELINE, *old, 6, 0.01);
	made_add_runs(SP_CURRENT, *new, 6, 0.01);
	made_compare();
}

void made_compare_one(const struct made *old, const struct made *new)
{
	made_forget();
	made_add(SP_BASELINE, old);
	made_add(SP_CURRENT, new);
	made_compare();
}
