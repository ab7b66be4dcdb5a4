/* Who am I running as, and what does that make of every setting.
 *
 * Pure functions of (a root path, an environment): the agent, the command and the tests (on
 * recorded machines) run the same code. Everything declared here is async-signal-safe: no malloc,
 * no stdio, no locks, no errno left changed, at most 8 KiB of stack. */
#ifndef SP_ENV_ENV_H
#define SP_ENV_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sp_environment { SP_ENV_DEVELOPMENT, SP_ENV_PRODUCTION, SP_ENV_CI, SP_ENV_CRITICAL, SP_ENVIRONMENTS };

/* Where a value came from; a later source beats an earlier one. */
enum sp_source {
	SP_SOURCE_DEFAULT,  /* the environment's column of options.def */
	SP_SOURCE_RULE,     /* a resource rule (few cores, little memory) changed the default */
	SP_SOURCE_VARIABLE, /* environment variable */
	SP_SOURCE_FLAG,     /* command line; `smartprof run` hands flags to the agent as variables */
};

enum sp_option {
#define SP_OPTION(id, ...) SP_OPT_##id,
#include "env/options.def"
#undef SP_OPTION
	SP_OPTIONS
};

enum sp_option_type {
	SP_TYPE_BOOL,
	SP_TYPE_COUNT,
	SP_TYPE_US,
	SP_TYPE_BYTES,
	SP_TYPE_PERCENT,
	SP_TYPE_TEXT,
	SP_TYPE_MODE,
	SP_TYPE_CHOICE
};

/* One row of options.def: the whole knowledge about a setting. */
struct sp_option_row {
	const char *name;     /* as printed by `config` and in the profile */
	const char *variable; /* environment variable */
	const char *flag;     /* of `smartprof run`, without dashes; NULL if it has none */
	enum sp_option_type type;
	const char *choices; /* SP_TYPE_CHOICE: "a|b|c"; other spellings of a choice follow it: "a,alpha|b" */
	uint64_t min, max;   /* numbers: allowed range, in the type's unit */
	uint64_t defaults[SP_ENVIRONMENTS];
	const char *help; /* one line */
};
extern const struct sp_option_row sp_option_rows[SP_OPTIONS];

#define SP_MODE_CPU 1u
#define SP_MODE_HEAP 2u

struct sp_value {
	enum sp_source source;
	uint64_t number;  /* bool, count, microseconds, bytes, percent, SP_MODE_ bits, index of the choice */
	const char *text; /* SP_TYPE_TEXT: points into the environment given; NULL when unset */
	bool invalid;     /* the variable was set to something not allowed: the default is used */
};

/* Variables that start with our prefix and are no settings: what our own processes tell each other.
 * NULL-terminated. */
#define SP_VARIABLE_PREFIX "SMARTPROF_"
extern const char *const sp_internal_variables[];

/* Comma-separated names of the settings that `smartprof run` took from its command line. */
#define SP_VARIABLE_FLAGS "SMARTPROF_FLAGS"

/* What the kernel will grant this process. 0 means unknown. */
struct sp_machine {
	uint32_t host_cores;
	uint32_t usable_millicores;  /* affinity and cgroup quota; 500 = half a core */
	uint64_t memory_bytes;       /* physical */
	uint64_t memory_limit_bytes; /* smallest of physical memory, cgroup limits, RLIMIT_AS */
	int perf_event_paranoid;     /* -2 unknown */
};

struct sp_config {
	enum sp_environment environment;
	const char *reason;   /* one phrase; static, or reason_text: mind that when copying the struct */
	char reason_text[96]; /* backing store where `reason` is composed */
	struct sp_machine machine;
	struct sp_value values[SP_OPTIONS];
};

/* Detects and settles everything. `root` is prefixed to /proc and /sys ("" for the live machine),
 * `envp` a NULL-terminated environment that must outlive *config. Never fails: what cannot be
 * read is unknown, what cannot be parsed is marked invalid and replaced by its default. */
void sp_config_load(struct sp_config *config, const char *root, char *const *envp);

/* Why a setting has SP_SOURCE_RULE, one phrase; NULL for one that no rule changes. Static. */
const char *sp_rule_reason(enum sp_option option);

const char *sp_environment_name(enum sp_environment environment);
const char *sp_source_name(enum sp_source source);

/* Parses a value of the row's type ("500us", "2ms", "16KiB", "512MB", "on", "cpu,heap"; bare
 * numbers are in the type's unit). Returns 0, or -EINVAL (does not parse), or -ERANGE. */
int sp_option_parse(const struct sp_option_row *row, const char *text, uint64_t *number);

/* Writes a value as people write it ("2000 us", "16 KiB", "on"); always NUL-terminates.
 * Returns the length written. */
size_t sp_option_format(const struct sp_option_row *row, const struct sp_value *value, char *buffer, size_t size);

/* The index of `name` in a list like sp_option_row.choices, or -1. Upper and lower case are the
 * same here, as in everything the table parses. */
int sp_choice_find(const char *choices, const char *name);

/* The value of `name` in envp, or NULL. */
const char *sp_environ_get(char *const *envp, const char *name);

/* True when `program` (a base name) is wanted: SMARTPROF_ENABLED is on and the name matches the
 * glob list (comma-separated, `*` and `?`) in SMARTPROF_PROGRAM, where set. Cheap: reads only
 * these two, for processes that live a millisecond. */
bool sp_program_wanted(char *const *envp, const char *program);

#endif
