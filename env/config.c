/* Settles every setting: the environment's default, then rules, the file, variables and flags. */
#include "env/env.h"

#include <errno.h>
#include <string.h>

#include "env/facts.h"
#include "env/internal.h"
#include "env/text.h"

#define SMALL_MEMORY_BYTES 2000000000ull
#define FEW_MILLICORES 4000u

static bool memory_is_small(const struct sp_machine *machine)
{
	return machine->memory_limit_bytes && machine->memory_limit_bytes < SMALL_MEMORY_BYTES;
}

static bool cores_are_few(const struct sp_machine *machine)
{
	return machine->usable_millicores && machine->usable_millicores < FEW_MILLICORES;
}

static bool processor_is_emulated(const struct sp_machine *machine)
{
	return machine->emulated;
}

/* Rules lower the load on a machine that has little to spare; they change defaults only. */
static const struct rule {
	bool (*holds)(const struct sp_machine *machine);
	enum sp_option option;
	uint32_t multiply, divide;
	const char *reason;
} rules[] = {
	{memory_is_small, SP_OPT_CPU_MAX_SAMPLES, 1, 2, "halved: less than 2 GB of memory usable"},
	{cores_are_few, SP_OPT_CPU_INTERVAL, 2, 1, "doubled: fewer than 4 cores usable"},
	{processor_is_emulated, SP_OPT_CPU_INTERVAL, 2, 1, "doubled: the processor is emulated"},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

const char *sp_rule_reason(unsigned rule)
{
	return rule < RULES ? rules[rule].reason : NULL;
}

static void apply_rules(struct sp_config *config)
{
	for (size_t i = 0; i < RULES; i++) {
		struct sp_value *value = &config->values[rules[i].option];

		if (!rules[i].holds(&config->machine))
			continue;
		value->number = value->number * rules[i].multiply / rules[i].divide;
		value->source = SP_SOURCE_RULE;
		value->rules |= 1u << i;
	}
}

const char *sp_environ_get(char *const *envp, const char *name)
{
	size_t bytes = strlen(name);

	for (; envp && *envp; envp++)
		if (**envp == *name && strncmp(*envp, name, bytes) == 0 && (*envp)[bytes] == '=')
			return *envp + bytes + 1;
	return NULL;
}

static bool from_flag(const struct sp_option_row *row, char *const *envp)
{
	const char *names = sp_environ_get(envp, SP_VARIABLE_FLAGS);

	return names && sp_text_listed(names, strlen(names), row->name);
}

static bool refuse(struct sp_value *value, const struct sp_file_setting *from)
{
	if (!value->refused.variable)
		value->refused = (struct sp_refused){from->name, from->text, from->line};
	return false;
}

/* Takes the text for the value if it is allowed; else notes that it was not. */
static bool accept(struct sp_value *value, const struct sp_option_row *row, const struct sp_file_setting *from,
	enum sp_source source)
{
	uint64_t number;

	if (from->odd || sp_option_parse(row, from->text, &number) < 0)
		return refuse(value, from);
	value->number = number;
	value->text = row->type == SP_TYPE_TEXT || row->type == SP_TYPE_PATH ? from->text : NULL;
	value->variable = from->name;
	value->line = from->line;
	value->source = source;
	return true;
}

/* An empty variable is an unset one. */
static bool from_variable(struct sp_value *value, const struct sp_option_row *row, char *const *envp, const char *name)
{
	struct sp_file_setting from = {.name = name, .text = *name ? sp_environ_get(envp, name) : NULL};

	return from.text && *from.text &&
		accept(value, row, &from, from_flag(row, envp) ? SP_SOURCE_FLAG : SP_SOURCE_VARIABLE);
}

static bool from_file(struct sp_value *value, const struct sp_option_row *row, const struct sp_file *file,
	const char *name)
{
	const struct sp_file_setting *from = *name ? sp_file_get(file, name) : NULL;

	if (!from || (!*from->text && !from->odd))
		return false;
	if (file->found && row->type == SP_TYPE_PATH)
		return refuse(value, from);
	return accept(value, row, from, SP_SOURCE_FILE);
}

/* Looks at the sources from the strongest on: the first with an allowed value gives it. */
static bool overlay(struct sp_value *value, enum sp_option option, char *const *envp, const struct sp_file *file)
{
	const struct sp_option_row *row = &sp_option_rows[option];

	return from_variable(value, row, envp, row->variable) || from_variable(value, row, envp, row->alias) ||
		(option != SP_OPT_CONFIG &&
			(from_file(value, row, file, row->variable) || from_file(value, row, file, row->alias)));
}

void sp_value_load(struct sp_value *value, enum sp_option option, char *const *envp, const struct sp_file *file)
{
	memset(value, 0, sizeof(*value));
	value->number = sp_option_rows[option].defaults[SP_ENV_DEVELOPMENT];
	overlay(value, option, envp, file);
}

static void settle_environment(struct sp_config *config, const struct sp_where *where,
	const struct sp_container_signs *signs, bool explained)
{
	struct sp_text_out out = {config->reason_text, sizeof(config->reason_text), 0};
	struct sp_value *value = &config->values[SP_OPT_ENVIRONMENT];
	bool asked = overlay(value, SP_OPT_ENVIRONMENT, where->envp, config->file);

	if (explained || !asked)
		sp_environment_detect(config, where, signs, explained);
	if (asked) {
		config->environment = (enum sp_environment)value->number;
		config->reason = value->source == SP_SOURCE_FLAG ? "--env asks for it"
			: value->source == SP_SOURCE_FILE        ? "SMARTPROF_ENV in the settings file asks for it"
								 : "SMARTPROF_ENV asks for it";
		return;
	}
	value->number = config->environment;
	value->source = SP_SOURCE_DETECTED;
	if (!value->refused.variable)
		return;
	if (config->reason != config->reason_text)
		sp_text_put(&out, config->reason);
	out.length = strlen(config->reason_text);
	sp_text_put(&out, " (SMARTPROF_ENV has no known value)");
	config->reason = config->reason_text;
}

/* Shares of the limit on memory; where there is none to be known, the default stays. */
static void settle_share(struct sp_config *config, enum sp_option option)
{
	struct sp_value *value = &config->values[option];
	uint64_t percent = value->number & ~SP_MB_OF_LIMIT, limit = config->machine.memory_limit_bytes;

	if (sp_option_rows[option].type != SP_TYPE_MB || percent == value->number)
		return;
	value->number = limit / 100 * percent / 1000000;
	if (!value->number)
		value->number = sp_option_rows[option].defaults[config->environment];
}

static void settle_file(struct sp_value *value, const struct sp_file *file)
{
	if (!file || !file->path[0])
		return;
	value->text = file->problem && !file->count ? NULL : file->path;
	if (value->source == SP_SOURCE_DEFAULT)
		value->source = SP_SOURCE_DETECTED;
}

static void load(struct sp_config *config, const struct sp_where *where, const struct sp_file *file,
	struct sp_facts *own, struct sp_facts *shared, bool explained)
{
	struct sp_container_signs signs = {0};
	int saved = errno;

	memset(config, 0, sizeof(*config));
	config->file = file;
	if (shared)
		sp_facts_read(own, shared, &config->machine, &signs);
	else
		sp_machine_read(&config->machine, where->root, &signs);
	settle_environment(config, where, &signs, explained);
	for (int i = 0; i < SP_OPTIONS; i++)
		if (i != SP_OPT_ENVIRONMENT)
			config->values[i].number = sp_option_rows[i].defaults[config->environment];
	apply_rules(config);
	for (int i = 0; i < SP_OPTIONS; i++)
		if (i != SP_OPT_ENVIRONMENT)
			overlay(&config->values[i], (enum sp_option)i, where->envp, file);
	for (int i = 0; i < SP_OPTIONS; i++)
		settle_share(config, (enum sp_option)i);
	settle_file(&config->values[SP_OPT_CONFIG], file);
	errno = saved;
}

void sp_config_load(struct sp_config *config, const struct sp_where *where, const struct sp_file *file)
{
	load(config, where, file, NULL, NULL, true);
}

void sp_config_load_shared(struct sp_config *config, const struct sp_where *where, const struct sp_file *file,
	struct sp_facts *own, struct sp_facts *shared)
{
	load(config, where, file, own, shared, false);
}
