/* smartprof config for programs. The schema is described in docs/CONFIG.md: fields may be added,
 * none change their meaning without a new number. What is not known is null. */
#include "tools/config/config.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* Arguments, paths and variables need not be UTF-8. */
static json_t *text_or_null(const char *text)
{
	char copy[PATH_MAX];
	json_t *value;

	if (!text || !*text)
		return json_null();
	value = json_string(text);
	if (value)
		return value;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *at = copy; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return json_string(copy);
}

static json_t *number_or_null(uint64_t number)
{
	return number ? json_integer((json_int_t)number) : json_null();
}

static json_t *limit_json(const struct sp_limit *limit)
{
	return json_pack("{s:o, s:o}", "by", text_or_null(limit->name), "control_group", text_or_null(limit->group));
}

static json_t *environment_json(const struct sp_plan *plan)
{
	json_t *against = json_array();
	enum sp_environment environment;
	char reason[128];

	for (unsigned i = 0;
		sp_environment_outvoted(&plan->config, plan->where, i, &environment, reason, sizeof(reason)); i++)
		json_array_append_new(against,
			json_pack("{s:s, s:o}", "environment", sp_environment_name(environment), "reason",
				text_or_null(reason)));
	return against;
}

static json_t *machine_json(const struct sp_plan *plan)
{
	const struct sp_machine *machine = &plan->config.machine;
	json_t *cores = machine->usable_millicores ? json_real(machine->usable_millicores / 1000.0) : json_null();
	int paranoid = machine->perf_event_paranoid;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "kernel",
		text_or_null(machine->kernel), "architecture", text_or_null(machine->architecture), "libc",
		text_or_null(machine->libc), "host_cores", number_or_null(machine->host_cores), "usable_cores", cores,
		"cores_limited", limit_json(&machine->cores_limit), "memory_bytes",
		number_or_null(machine->memory_bytes), "memory_limit_bytes",
		number_or_null(machine->memory_limit_bytes), "memory_limited", limit_json(&machine->memory_limit),
		"tick_us", number_or_null(machine->tick_us), "hypervisor", text_or_null(machine->hypervisor),
		"emulated", machine->emulated, "perf_event_paranoid",
		paranoid == -2 ? json_null() : json_integer(paranoid), "perf_events",
		plan->events_error == SP_EVENTS_UNKNOWN ? json_null() : json_boolean(plan->events_error == 0));
}

/* Numbers in the row's unit, choices and modes as words. */
static json_t *value_json(const struct sp_option_row *row, const struct sp_value *value)
{
	char text[64];

	switch (row->type) {
	case SP_TYPE_BOOL:
		return json_boolean(value->number != 0);
	case SP_TYPE_TEXT:
	case SP_TYPE_PATH:
		return text_or_null(value->text);
	case SP_TYPE_MODE:
	case SP_TYPE_CHOICE:
		sp_option_format(row, value, text, sizeof(text));
		return text_or_null(text);
	default:
		return json_integer((json_int_t)value->number);
	}
}

static const char *unit_of(enum sp_option_type type)
{
	static const char *const units[] = {[SP_TYPE_US] = "us",
		[SP_TYPE_MS] = "ms",
		[SP_TYPE_BYTES] = "bytes",
		[SP_TYPE_MB] = "MB",
		[SP_TYPE_PERCENT] = "percent",
		[SP_TYPE_CHOICE] = NULL};

	return units[type];
}

static json_t *settings_json(const struct sp_plan *plan)
{
	json_t *settings = json_array();

	for (int i = 0; i < SP_OPTIONS; i++) {
		const struct sp_option_row *row = &sp_option_rows[i];
		const struct sp_value *value = &plan->config.values[i];
		char why[1024];

		sp_source_text(&plan->config, plan->where, (enum sp_option)i, why, sizeof(why));
		json_array_append_new(settings,
			json_pack("{s:s, s:s, s:o, s:o, s:s, s:o}", "name", row->name, "variable", row->variable,
				"value", value_json(row, value), "unit", text_or_null(unit_of(row->type)), "source",
				sp_source_name(value->source), "why", text_or_null(why)));
	}
	return settings;
}

static json_t *plan_json(const struct sp_plan *plan)
{
	const struct sp_value *values = plan->config.values;
	const char *clock = !plan->cpu                    ? "off"
		: plan->events_error == SP_EVENTS_UNKNOWN ? NULL
		: plan->events_error == 0                 ? "event"
							  : "timer";

	return json_pack("{s:o, s:o, s:o, s:o, s:s}", "cpu_clock", text_or_null(clock), "cpu_interval_requested_us",
		number_or_null(plan->cpu ? values[SP_OPT_CPU_INTERVAL].number : 0), "cpu_interval_expected_us",
		number_or_null(plan->cpu_expected_us), "heap_interval_bytes",
		number_or_null(plan->heap ? values[SP_OPT_HEAP_INTERVAL].number : 0), "output", plan->output);
}

static json_t *file_json(const struct sp_file *file)
{
	if (!file || !file->path[0])
		return json_null();
	return json_pack("{s:o, s:i, s:o}", "path", text_or_null(file->path), "settings", (int)file->count, "problem",
		text_or_null(file->problem));
}

static json_t *warnings_json(const struct sp_plan *plan)
{
	json_t *warnings = json_array();

	for (unsigned i = 0; i < plan->warning_count; i++)
		json_array_append_new(warnings,
			json_pack("{s:s, s:b, s:o, s:o}", "id", plan->warnings[i].id, "blocking",
				plan->warnings[i].blocking, "message", text_or_null(plan->warnings[i].message), "fix",
				text_or_null(plan->warnings[i].fix)));
	return warnings;
}

int sp_config_print_json(const struct sp_plan *plan, FILE *out)
{
	const struct sp_config *config = &plan->config;
	json_t *root = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", "smartprof-config/1",
		"environment", sp_environment_name(config->environment), "environment_reason",
		text_or_null(config->reason), "environment_against", environment_json(plan), "machine",
		machine_json(plan), "settings_file", file_json(plan->file), "settings", settings_json(plan), "plan",
		plan_json(plan), "warnings", warnings_json(plan));
	int error = root ? json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;

	json_decref(root);
	if (error)
		return -ENOMEM;
	fputc('\n', out);
	return 0;
}
