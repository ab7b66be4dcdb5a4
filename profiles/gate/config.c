/* Reading smartprof.toml: see config.h. */
#include "profiles/gate/config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/gate/toml.h"
#include "symbolize/base/memory.h"

#define RUNS_MOST 10000
#define DECIDE_NS (300ull * 1000000000u)

struct loader {
	struct sp_gate_config *config;
	const char *command; /* whose table is read; NULL: [check] */
	char *why;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct loader *l, const char *format, ...)
{
	int used = 0;
	va_list args;

	if (*l->why)
		return false;
	if (l->command)
		used = snprintf(l->why, SP_GATE_WHY, "command '%.60s': ", l->command);
	va_start(args, format);
	vsnprintf(l->why + used, SP_GATE_WHY - (size_t)used, format, args);
	va_end(args);
	return false;
}

struct unit {
	const char *name;
	double factor;
};

static double parse_unit(const char *text, const struct unit *units, size_t count)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || !(number >= 0) || !isfinite(number))
		return NAN;
	end += *end == ' ';
	for (size_t i = 0; i < count; i++)
		if (strcmp(end, units[i].name) == 0)
			return number * units[i].factor;
	return NAN;
}

double sp_gate_parse_ns(const char *text)
{
	static const struct unit units[] = {
		{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"µs", 1e3}, {"ns", 1}, {"m", 60e9}, {"h", 3600e9}};

	return parse_unit(text, units, sizeof(units) / sizeof(units[0]));
}

double sp_gate_parse_bytes(const char *text)
{
	static const struct unit units[] = {{"B", 1}, {"K", 1024}, {"KiB", 1024}, {"KB", 1e3}, {"M", 1048576},
		{"MiB", 1048576}, {"MB", 1e6}, {"G", 1073741824}, {"GiB", 1073741824}, {"GB", 1e9}};

	return parse_unit(text, units, sizeof(units) / sizeof(units[0]));
}

static bool get_text(struct loader *l, const char *key, const json_t *value, const char **text)
{
	*text = json_string_value(value);
	if (*text && **text && strlen(*text) == json_string_length(value))
		return true;
	return fail(l, "%s must be text", key);
}

static bool get_number(struct loader *l, const char *key, const json_t *value, double least, double most,
	double *number)
{
	*number = json_number_value(value);
	if (json_is_number(value) && *number >= least && *number <= most)
		return true;
	return fail(l, "%s must be a number from %g to %g", key, least, most);
}

static bool get_count(struct loader *l, const char *key, const json_t *value, unsigned least, unsigned *count)
{
	double number;

	if (!json_is_integer(value))
		return fail(l, "%s must be a whole number", key);
	if (!get_number(l, key, value, least, RUNS_MOST, &number))
		return false;
	*count = (unsigned)number;
	return true;
}

static bool get_quantity(struct loader *l, const char *key, const json_t *value, enum sp_gate_unit unit, double *number)
{
	const char *text = json_string_value(value);

	*number = text ? unit == SP_GATE_NS ? sp_gate_parse_ns(text) : sp_gate_parse_bytes(text) : NAN;
	if (*number > 0 && *number <= 1e18)
		return true;
	return fail(l, "%s must be %s", key,
		unit == SP_GATE_NS ? "a time such as \"1.5s\" or \"20ms\"" : "a size such as \"100MB\"");
}

static void add_limit(struct sp_gate_command *c, enum sp_gate_metric metric, const char *span, double most)
{
	sp_grow(&c->limits, &c->limit_capacity, c->limit_count + 1, sizeof(*c->limits));
	c->limits[c->limit_count++] = (struct sp_gate_limit){span, metric, most};
}

static int metric_of(const char *key)
{
	for (int m = 0; m < SP_GATE_METRICS; m++)
		if (strcmp(sp_gate_metrics[m].key, key) == 0)
			return m;
	return -1;
}

/* "regression = 10", or a table by metric. */
static bool read_regression(struct loader *l, struct sp_gate_command *c, json_t *value)
{
	const char *key;
	double percent;
	json_t *item;

	if (json_is_number(value)) {
		if (!get_number(l, "regression", value, 0, 10000, &percent))
			return false;
		for (int m = 0; m < SP_GATE_METRICS; m++)
			c->allowed[m] = percent / 100;
		return true;
	}
	if (!json_is_object(value))
		return fail(l, "regression must be a percentage, or a table of percentages by figure");
	json_object_foreach(value, key, item)
	{
		int m = metric_of(key);

		if (m < 0)
			return fail(l, "regression: no figure is called '%.40s'", key);
		if (json_is_false(item))
			c->allowed[m] = -1;
		else if (get_number(l, key, item, 0, 10000, &percent))
			c->allowed[m] = percent / 100;
		else
			return false;
	}
	return true;
}

static bool read_spans(struct loader *l, struct sp_gate_command *c, json_t *value)
{
	const char *span;
	json_t *item;
	double most;

	if (!json_is_object(value))
		return fail(l, "p99 must be a table of times by span");
	json_object_foreach(value, span, item)
	{
		if (!get_quantity(l, span, item, SP_GATE_NS, &most))
			return false;
		add_limit(c, SP_GATE_SPAN, span, most);
	}
	return true;
}

static bool read_code(struct loader *l, const json_t *value, bool *fails)
{
	const char *word = json_string_value(value);

	*fails = word && strcmp(word, "fail") == 0;
	return *fails || (word && strcmp(word, "say") == 0) || fail(l, "same_code must be \"say\" or \"fail\"");
}

/* What may stand in [check], for all commands, and in a command. */
static int read_shared(struct loader *l, struct sp_gate_command *c, const char *key, json_t *value)
{
	double number;

	if (strcmp(key, "runs") == 0)
		return get_count(l, key, value, 1, &c->runs);
	if (strcmp(key, "profiled") == 0)
		return get_count(l, key, value, 0, &c->profiled);
	if (strcmp(key, "regression") == 0)
		return read_regression(l, c, value);
	if (strcmp(key, "same_code") == 0)
		return read_code(l, value, &c->same_code_fails);
	if (strcmp(key, "timeout") == 0) {
		if (!get_quantity(l, key, value, SP_GATE_NS, &number))
			return false;
		c->timeout_ns = (uint64_t)number;
		return true;
	}
	if (strcmp(key, "success") == 0) {
		if (!get_number(l, key, value, 0, 100, &number))
			return false;
		c->success = number / 100;
		return true;
	}
	return -1;
}

static bool read_command_key(struct loader *l, struct sp_gate_command *c, const char *key, json_t *value)
{
	const struct {
		const char *key;
		const char **text;
	} texts[] = {{"name", &c->name}, {"run", &c->run}, {"prepare", &c->prepare}, {"start_run", &c->start},
		{"baseline_run", &c->baseline_run}};
	int metric = metric_of(key), shared = read_shared(l, c, key, value);
	double most;

	if (shared >= 0)
		return shared;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(key, texts[i].key) == 0)
			return get_text(l, key, value, texts[i].text);
	if (metric == SP_GATE_SPAN)
		return read_spans(l, c, value);
	if (metric < 0)
		return fail(l, "there is no key '%.40s'", key);
	if (!get_quantity(l, key, value, sp_gate_metrics[metric].unit, &most))
		return false;
	add_limit(c, (enum sp_gate_metric)metric, NULL, most);
	return true;
}

static bool has_limit(const struct sp_gate_command *c, enum sp_gate_metric metric)
{
	for (size_t i = 0; i < c->limit_count; i++)
		if (c->limits[i].metric == metric)
			return true;
	return false;
}

static bool read_command(struct loader *l, const struct sp_gate_command *common, json_t *table)
{
	struct sp_gate_command *c = &l->config->commands[l->config->command_count++];
	const char *key;
	json_t *value;

	*c = *common;
	l->command = json_string_value(json_object_get(table, "name"));
	if (!l->command)
		l->command = json_string_value(json_object_get(table, "run"));
	json_object_foreach(table, key, value)
	{
		if (!read_command_key(l, c, key, value))
			return false;
	}
	if (!c->run)
		return fail(l, "run is missing: the command line");
	if (!c->name)
		c->name = c->run;
	if (has_limit(c, SP_GATE_START) && !c->start)
		return fail(l,
			"start needs start_run, a command that only starts the program, such as \"app --version\"");
	for (size_t i = 0; i + 1 < l->config->command_count; i++)
		if (strcmp(l->config->commands[i].name, c->name) == 0)
			return fail(l, "two commands have this name");
	l->command = NULL;
	return true;
}

static bool read_check(struct loader *l, struct sp_gate_command *common, json_t *table)
{
	struct sp_gate_config *config = l->config;
	const char *key;
	json_t *value;
	double number;

	json_object_foreach(table, key, value)
	{
		int shared = read_shared(l, common, key, value);

		if (shared > 0)
			continue;
		if (!shared)
			return false;
		if (strcmp(key, "confidence") == 0) {
			if (!get_number(l, key, value, 50, 99.9999, &number))
				return false;
			config->confidence = number / 100;
		} else if (strcmp(key, "decide_time") == 0) {
			if (!get_quantity(l, key, value, SP_GATE_NS, &number))
				return false;
			config->decide_ns = (uint64_t)number;
		} else if (strcmp(key, "main") == 0) {
			if (!get_text(l, key, value, &config->main_branch))
				return false;
		} else {
			return fail(l, "[check] has no key '%.40s'", key);
		}
	}
	return true;
}

static bool read_all(struct loader *l)
{
	struct sp_gate_command common = {.runs = SP_GATE_RUNS, .profiled = 1, .success = 1};
	json_t *commands = json_object_get(l->config->root, "command"), *value;
	json_t *check = json_object_get(l->config->root, "check");
	const char *key;
	size_t i;

	for (int m = 0; m < SP_GATE_METRICS; m++)
		common.allowed[m] = SP_GATE_ALLOWED;
	json_object_foreach(l->config->root, key, value)
	{
		if (strcmp(key, "check") != 0 && strcmp(key, "command") != 0 && strcmp(key, "alert") != 0)
			return fail(l, "there is no table '%.40s'; there are [check], [[command]] and [alert]", key);
	}
	if ((check && !json_is_object(check)) || (commands && !json_is_array(commands)))
		return fail(l, "write [check] for what all have, and [[command]] for each command");
	if (check && !read_check(l, &common, check))
		return false;
	if (!json_array_size(commands))
		return fail(l, "it has no [[command]]");
	l->config->commands = sp_alloc(json_array_size(commands), sizeof(*l->config->commands));
	json_array_foreach(commands, i, value)
	{
		if (!json_is_object(value))
			return fail(l, "write each command as a table [[command]]");
		if (!read_command(l, &common, value))
			return false;
	}
	return true;
}

struct sp_gate_config *sp_gate_config_parse(const char *text, size_t length, char why[static SP_GATE_WHY])
{
	struct loader l = {.config = sp_alloc(1, sizeof(*l.config)), .why = why};
	const char *what;
	size_t line;

	*why = '\0';
	l.config->confidence = SP_GATE_CONFIDENCE;
	l.config->decide_ns = DECIDE_NS;
	l.config->root = sp_toml_parse(text, length, &what, &line);
	if (l.config->root && read_all(&l))
		return l.config;
	if (!l.config->root)
		fail(&l, "line %zu: %s", line, what);
	sp_gate_config_free(l.config);
	return NULL;
}

void sp_gate_config_free(struct sp_gate_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->command_count; i++)
		free(config->commands[i].limits);
	free(config->commands);
	json_decref(config->root);
	free(config);
}
