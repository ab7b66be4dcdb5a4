/* By how much identical runs differ: learning it, writing it, reading it. */
#include "profiles/compare/noise.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/compare/compare.h"
#include "profiles/compare/stages.h"
#include "profiles/compare/stats.h"

#define SCHEMA "smartprof-noise/1"
#define LOG_LEAST 1e-9
#define TEXT_MAX_BYTES (1u << 20)

static double spread_of(const double *logs, size_t n)
{
	double freedom;

	return sp_stats_spread(logs, n, logs, 0, &freedom);
}

static void learn_metrics(struct sp_noise *noise, struct sp_profile **profiles, size_t count)
{
	double *logs = sp_alloc(count, sizeof(*logs));

	for (unsigned m = 0; m < SP_METRICS; m++) {
		bool known = true;

		for (size_t i = 0; i < count; i++) {
			double value = sp_metric_value(profiles[i], m);

			known = known && value >= 0;
			logs[i] = log(fmax(value, 1));
		}
		noise->metrics[m] = known ? spread_of(logs, count) : -1;
	}
	free(logs);
}

static void add_row(struct sp_noise *noise, const char *function, const char *module, double spread)
{
	sp_grow(&noise->rows, &noise->row_capacity, noise->row_count + 1, sizeof(*noise->rows));
	noise->rows[noise->row_count++] = (struct sp_noise_row){sp_pool_copy(&noise->pool, function, strlen(function)),
		sp_pool_copy(&noise->pool, module, strlen(module)), spread};
}

/* Rows as a comparison makes them, of the runs with themselves. Sampling error is in these spreads: a
 * little more caution than needed for fewer samples, none too much. */
static void learn_rows(struct sp_noise *noise, struct sp_profile **profiles, const char **names, size_t count)
{
	struct sp_comparison_input in = {
		.profiles = {profiles, profiles}, .names = {names, names}, .count = {count, count}};
	struct sp_comparison c = {.input = &in};
	double *values = sp_alloc(count, sizeof(*values));

	sp_compare_rows_load(&c);
	for (size_t i = 0; i < c.row_count; i++) {
		const struct sp_row *row = &c.rows[i];

		if (row->kind != SP_ROW_CPU ||
			sp_row_mean(&c, row, SP_BASELINE) < SP_COMPARE_SHARE * c.row_totals[SP_ROW_CPU][0])
			continue;
		sp_row_values(&c, row, SP_BASELINE, values);
		for (size_t k = 0; k < count; k++)
			values[k] = log(fmax(values[k], 1));
		add_row(noise, row->function, row->module, spread_of(values, count));
	}
	free(values);
	sp_compare_rows_free(&c);
}

static const char *copy(struct sp_noise *noise, const char *text)
{
	return text ? sp_pool_copy(&noise->pool, text, strlen(text)) : "";
}

struct sp_noise *sp_noise_learn(struct sp_profile **profiles, const char **names, size_t count)
{
	struct sp_noise *noise = sp_alloc(1, sizeof(*noise));

	noise->program = copy(noise, sp_profile_fact(profiles[0], "program"));
	noise->environment = copy(noise, sp_profile_fact(profiles[0], "environment"));
	noise->runs = (unsigned)count;
	learn_metrics(noise, profiles, count);
	learn_rows(noise, profiles, names, count);
	return noise;
}

double sp_noise_function(const struct sp_noise *noise, const char *function, const char *module)
{
	for (size_t i = 0; i < noise->row_count; i++)
		if (strcmp(noise->rows[i].function, function) == 0 && strcmp(noise->rows[i].module, module) == 0)
			return noise->rows[i].spread;
	return -1;
}

char *sp_noise_text(const struct sp_noise *noise)
{
	json_t *metrics = json_object(), *functions = json_array(), *root;
	char *text;

	for (unsigned m = 0; m < SP_METRICS; m++)
		if (noise->metrics[m] >= 0)
			json_object_set_new(metrics, sp_metric_info[m].key, json_real(noise->metrics[m]));
	for (size_t i = 0; i < noise->row_count; i++) {
		const struct sp_noise_row *row = &noise->rows[i];
		json_t *item = json_pack("{s:s, s:s, s:f}", "function", row->function, "module", row->module, "spread",
			row->spread);

		if (item) /* a name that is no UTF-8 cannot be written, nor looked up */
			json_array_append_new(functions, item);
	}
	root = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "schema", SCHEMA, "program", noise->program, "environment",
		noise->environment, "runs", (int)noise->runs, "spread", metrics, "functions", functions);
	text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : NULL;
	json_decref(root);
	return text;
}

static double spread_or_none(const json_t *value)
{
	double spread = json_is_number(value) ? json_number_value(value) : -1;

	return spread >= 0 && spread < 100 ? fmax(spread, LOG_LEAST) : -1;
}

static bool read_root(struct sp_noise *noise, const json_t *root)
{
	const char *schema = json_string_value(json_object_get(root, "schema"));
	json_int_t runs = json_integer_value(json_object_get(root, "runs"));
	const json_t *functions = json_object_get(root, "functions"), *item;
	size_t i;

	if (!schema || strcmp(schema, SCHEMA) != 0 || runs < 2 || runs > 1000000)
		return false;
	noise->runs = (unsigned)runs;
	noise->program = copy(noise, json_string_value(json_object_get(root, "program")));
	noise->environment = copy(noise, json_string_value(json_object_get(root, "environment")));
	for (unsigned m = 0; m < SP_METRICS; m++)
		noise->metrics[m] =
			spread_or_none(json_object_get(json_object_get(root, "spread"), sp_metric_info[m].key));
	json_array_foreach(functions, i, item)
	{
		const char *function = json_string_value(json_object_get(item, "function"));
		const char *module = json_string_value(json_object_get(item, "module"));
		double spread = spread_or_none(json_object_get(item, "spread"));

		if (function && module && spread >= 0)
			add_row(noise, function, module, spread);
	}
	return true;
}

struct sp_noise *sp_noise_parse(const char *text, size_t length, const char **why, size_t *line)
{
	struct sp_noise *noise;
	json_error_t error = {.line = 1};
	json_t *root = length <= TEXT_MAX_BYTES ? json_loadb(text, length, JSON_REJECT_DUPLICATES, &error) : NULL;

	noise = sp_alloc(1, sizeof(*noise));
	*line = root || error.line < 1 ? 1 : (size_t)error.line;
	*why = length > TEXT_MAX_BYTES ? "it is larger than any noise file"
		: root                 ? "it is not a noise file of this version"
				       : "it is not JSON from here on";
	if (root && read_root(noise, root)) {
		json_decref(root);
		return noise;
	}
	json_decref(root);
	sp_noise_free(noise);
	return NULL;
}

void sp_noise_free(struct sp_noise *noise)
{
	if (!noise)
		return;
	sp_pool_free(&noise->pool);
	free(noise->rows);
	free(noise);
}
