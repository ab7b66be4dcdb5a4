/* Settles every setting: the environment's default, then resource rules, then variables. */
#include "env/env.h"

#include <errno.h>
#include <string.h>

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

/* Rules lower the load on a machine that has little to spare; they change defaults only. */
static const struct rule {
	bool (*holds)(const struct sp_machine *machine);
	enum sp_option option;
	uint32_t multiply, divide;
	const char *reason;
} rules[] = {
	{memory_is_small, SP_OPT_CPU_MAX_SAMPLES, 1, 2, "halved: less than 2 GB of memory usable"},
	{cores_are_few, SP_OPT_CPU_INTERVAL, 2, 1, "doubled: fewer than 4 cores usable"},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

const char *sp_rule_reason(enum sp_option option)
{
	for (size_t i = 0; i < RULES; i++)
		if (rules[i].option == option)
			return rules[i].reason;
	return NULL;
}

const char *sp_environment_name(enum sp_environment environment)
{
	static const char *const names[SP_ENVIRONMENTS] = {"development", "production", "ci", "critical"};

	return (unsigned)environment < SP_ENVIRONMENTS ? names[environment] : "unknown";
}

const char *sp_source_name(enum sp_source source)
{
	static const char *const names[] = {"default", "rule", "variable", "flag"};

	return (unsigned)source < sizeof(names) / sizeof(names[0]) ? names[source] : "unknown";
}

const char *sp_environ_get(char *const *envp, const char *name)
{
	size_t bytes = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, bytes) == 0 && (*envp)[bytes] == '=')
			return *envp + bytes + 1;
	return NULL;
}

/* An empty variable is an unset one. */
static const char *variable_of(const struct sp_option_row *row, char *const *envp)
{
	const char *text = sp_environ_get(envp, row->variable);

	return text && *text ? text : NULL;
}

static bool from_flag(const struct sp_option_row *row, char *const *envp)
{
	const char *names = sp_environ_get(envp, SP_VARIABLE_FLAGS);

	return names && sp_text_listed(names, strlen(names), row->name);
}

static void settle_environment(struct sp_config *config, const char *root, char *const *envp)
{
	const struct sp_option_row *row = &sp_option_rows[SP_OPT_ENVIRONMENT];
	const char *text = variable_of(row, envp);
	struct sp_text_out out = {config->reason_text, sizeof(config->reason_text), 0};
	uint64_t number;

	if (text && sp_option_parse(row, text, &number) == 0) {
		config->environment = (enum sp_environment)number;
		config->reason = from_flag(row, envp) ? "--env asks for it" : "SMARTPROF_ENV asks for it";
		return;
	}
	config->environment = sp_environment_detect(root, envp, &config->reason);
	if (!text)
		return;
	sp_text_put(&out, config->reason);
	sp_text_put(&out, " (SMARTPROF_ENV has no known value)");
	config->reason = config->reason_text;
}

static void apply_rules(struct sp_config *config)
{
	for (size_t i = 0; i < RULES; i++) {
		struct sp_value *value = &config->values[rules[i].option];

		if (!rules[i].holds(&config->machine))
			continue;
		value->number = value->number * rules[i].multiply / rules[i].divide;
		value->source = SP_SOURCE_RULE;
	}
}

static void apply_variable(struct sp_value *value, const struct sp_option_row *row, char *const *envp)
{
	const char *text = variable_of(row, envp);
	uint64_t number;

	if (!text)
		return;
	if (sp_option_parse(row, text, &number) < 0) {
		value->invalid = true;
		return;
	}
	value->number = number;
	value->text = row->type == SP_TYPE_TEXT ? text : NULL;
	value->source = from_flag(row, envp) ? SP_SOURCE_FLAG : SP_SOURCE_VARIABLE;
}

void sp_config_load(struct sp_config *config, const char *root, char *const *envp)
{
	int saved = errno;

	memset(config, 0, sizeof(*config));
	settle_environment(config, root, envp);
	sp_machine_read(&config->machine, root);
	for (int i = 0; i < SP_OPTIONS; i++)
		config->values[i].number = sp_option_rows[i].defaults[config->environment];
	apply_rules(config);
	for (int i = 0; i < SP_OPTIONS; i++)
		apply_variable(&config->values[i], &sp_option_rows[i], envp);
	errno = saved;
}

/* `*` and `?` only. Backs up to the last star instead of recursing. */
static bool glob_matches(const char *glob, size_t bytes, const char *name)
{
	const char *end = glob + bytes, *star = NULL, *retry = NULL;

	while (*name) {
		if (glob < end && *glob == '*') {
			star = ++glob;
			retry = name;
		} else if (glob < end && (*glob == '?' || *glob == *name)) {
			glob++;
			name++;
		} else if (star) {
			glob = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (glob < end && *glob == '*')
		glob++;
	return glob == end;
}

bool sp_program_wanted(char *const *envp, const char *program)
{
	const char *enabled = variable_of(&sp_option_rows[SP_OPT_ENABLED], envp);
	const char *globs = variable_of(&sp_option_rows[SP_OPT_PROGRAM], envp);
	uint64_t on;

	if (enabled && sp_option_parse(&sp_option_rows[SP_OPT_ENABLED], enabled, &on) == 0 && !on)
		return false;
	if (!globs)
		return true;
	for (;;) {
		size_t bytes;

		globs += strspn(globs, " ");
		bytes = strcspn(globs, ",");
		if (glob_matches(globs, bytes, program))
			return true;
		globs += bytes;
		if (*globs++ == '\0')
			return false;
	}
}
