/* Who am I running as, and what does that make of every setting.
 *
 * Pure functions of (a root path, a directory, an environment): the agent, the command and the
 * tests (on recorded machines) run the same code. Everything declared here is async-signal-safe:
 * no malloc, no stdio, no locks, no errno left changed, at most 8 KiB of stack. */
#ifndef SP_ENV_ENV_H
#define SP_ENV_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where to look. */
struct sp_where {
	const char *root;  /* prefixed to every path that is read; "" for the live machine */
	const char *cwd;   /* working directory, absolute; NULL or "" when it is not known */
	char *const *envp; /* NULL-terminated; NULL: empty */
};

enum sp_environment { SP_ENV_DEVELOPMENT, SP_ENV_PRODUCTION, SP_ENV_CI, SP_ENV_CRITICAL, SP_ENVIRONMENTS };

/* Where a value came from; a later source beats an earlier one. */
enum sp_source {
	SP_SOURCE_DEFAULT,  /* the environment's column of options.def */
	SP_SOURCE_DETECTED, /* looked up: the environment itself, and the settings file */
	SP_SOURCE_RULE,     /* a resource or platform rule changed the default */
	SP_SOURCE_FILE,     /* .env.profiling, or what SMARTPROF_CONFIG names */
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
	SP_TYPE_MS,
	SP_TYPE_BYTES,
	SP_TYPE_MB, /* 10^6 bytes; or "80%" of the smallest limit, which sp_config_load makes so many */
	SP_TYPE_PERCENT,
	SP_TYPE_TEXT,
	SP_TYPE_PATH, /* text that says what is run, read or written: never taken from a file that was only found */
	SP_TYPE_MODE,
	SP_TYPE_CHOICE
};

/* One row of options.def, but for the texts of any length (sp_option_help, sp_option_choices). No pointers: the agent's loader
 * would have to relocate them, and each page that it does that in is copied in every process. */
struct sp_option_row {
	char name[32];     /* as printed by `config` and in the profile */
	char variable[40]; /* environment variable */
	char alias[32];    /* the variable's other name, which it beats; empty if it has none */
	char flag[16];     /* of `smartprof run`, without dashes; empty if it has none */
	enum sp_option_type type;
	uint64_t min, max; /* numbers: allowed range, in the type's unit */
	uint64_t defaults[SP_ENVIRONMENTS];
};
extern const struct sp_option_row sp_option_rows[SP_OPTIONS];

/* What a row's setting is, in one line. */
const char *sp_option_help(const struct sp_option_row *row);

/* Of SP_TYPE_CHOICE: "a|b|c"; other spellings of a choice follow it: "a,alpha|b". */
const char *sp_option_choices(const struct sp_option_row *row);

#define SP_MODE_CPU 1u
#define SP_MODE_HEAP 2u

/* The signal number of a value of SP_OPT_SIGNAL. */
int sp_signal_number(uint64_t choice);

/* Names that start with our prefix and are no settings: what our own processes tell each other.
 * NULL-terminated. */
#define SP_VARIABLE_PREFIX "SMARTPROF_"
extern const char *const sp_internal_variables[];

/* Comma-separated names of the settings that `smartprof run` took from its command line. */
#define SP_VARIABLE_FLAGS "SMARTPROF_FLAGS"

/* --- the settings file ------------------------------------------------------------------------ */

#define SP_FILE_NAME ".env.profiling"
#define SP_FILE_SETTINGS 64
#define SP_FILE_TEXT_BYTES 4096
#define SP_FILE_PATH_BYTES 768

/* One assignment in it. */
struct sp_file_setting {
	const char *name, *text; /* in the file's pool */
	unsigned line;
	bool odd; /* not a plain value (an expansion, a quote left open, too long): not to be used */
};

/* A settings file, read once: about 6 KiB. Must stay where it is and outlive the configs made
 * from it, which point into it. */
struct sp_file {
	bool found;          /* nobody has named it */
	const char *problem; /* why (the rest of) it is not used, a static phrase; NULL: nothing wrong */
	unsigned count;
	size_t used;
	char path[SP_FILE_PATH_BYTES]; /* without the root; empty: there is none */
	struct sp_file_setting settings[SP_FILE_SETTINGS];
	char pool[SP_FILE_TEXT_BYTES];
};

/* Finds and reads the file: what SMARTPROF_CONFIG names ("/dev/null": none), else .env.profiling in
 * the working directory or the nearest directory above. Nobody but this user and root may be able to write to
 * it; where it was found, not named, it is no link, and nobody else can put another one in its place either.
 * Understands lines "[export ]NAME=value" with shell quotes, without expansions; skips all others.
 * Takes up SMARTPROF_ names and aliases only. */
void sp_file_read(struct sp_file *file, const struct sp_where *where);

/* Whether there is one to be read: it is named, or one stands where it would be found. */
bool sp_file_is_expected(const struct sp_where *where);

/* The last assignment to `name`, or NULL. `file` may be NULL. */
const struct sp_file_setting *sp_file_get(const struct sp_file *file, const char *name);

/* --- the machine ------------------------------------------------------------------------------ */

#define SP_GROUP_BYTES 192

/* What a resource is limited by. */
struct sp_limit {
	const char *name;           /* "memory.max", "affinity mask", …: static; NULL: nothing */
	char group[SP_GROUP_BYTES]; /* control group directory it stands in, the front cut; or empty */
};

#define SP_GROUP_FILE_BYTES 448 /* of a file in a control group's directory */

/* What the kernel will grant this process, and where it runs. 0 and "" mean unknown. */
struct sp_machine {
	uint32_t host_cores;
	uint32_t usable_millicores; /* affinity, cpuset and quota; 500 = half a core */
	struct sp_limit cores_limit;
	char throttle_file
		[SP_GROUP_FILE_BYTES]; /* where the group with the lowest quota counts what it was denied; or "" */
	uint64_t memory_bytes;         /* physical */
	uint64_t memory_limit_bytes;   /* smallest of physical memory, control groups, RLIMIT_AS */
	struct sp_limit memory_limit;
	int perf_event_paranoid; /* -2 unknown */
	uint32_t tick_us;        /* of the kernel; known on the live machine only */
	char kernel[64];
	char architecture[16];
	const char *libc;       /* "glibc", "musl", by the loaders there are; static */
	const char *hypervisor; /* "KVM", "WSL", …; "" on bare metal or where it hides; static */
	bool emulated;          /* the processor is made of software */
	bool memory_is_counted; /* what is mapped is counted as if it were used: strict overcommit, or a limit on data */
};

/* Whether a perf task-clock event can be had by the calling thread, by trying: 0 or a negative
 * errno. Under a seccomp filter that kills, that kills: call it in a child. */
int sp_perf_try(void);

/* What binds the memory of another process. */
struct sp_memory_bounds {
	uint64_t bytes;        /* smallest of the machine's memory and its control groups' limits */
	struct sp_limit limit; /* which that is; the machine's memory has no name */
	char kills_file
		[SP_GROUP_FILE_BYTES]; /* where its group's kills for want of memory are counted; "": not known */
};

/* memory_bytes: the machine's. */
void sp_memory_bounds_read(struct sp_memory_bounds *bounds, const struct sp_where *where, int pid,
	uint64_t memory_bytes);

/* How many processes the kernel has killed in that group so far; false: it does not tell. */
bool sp_memory_kills(const struct sp_memory_bounds *bounds, const struct sp_where *where, uint64_t *kills);

/* --- all of it -------------------------------------------------------------------------------- */

struct sp_value {
	enum sp_source source;
	uint64_t number;      /* bool, count, …, SP_MODE_ bits, index of the choice */
	const char *text;     /* SP_TYPE_TEXT and _PATH: points into the environment or file given; NULL when unset */
	const char *variable; /* the spelling that was set, for SP_SOURCE_FILE and up */
	unsigned line;        /* SP_SOURCE_FILE */
	unsigned rules;       /* SP_SOURCE_RULE: which, for sp_source_text() */
	struct sp_refused {   /* the strongest source that had a value not allowed: it was passed over */
		const char *variable, *text; /* NULL: there was none */
		unsigned line;               /* in the file; 0: an environment variable */
	} refused;
};

struct sp_config {
	enum sp_environment environment;
	const char *reason;    /* one phrase; static, or reason_text: mind that when copying the struct */
	char reason_text[128]; /* backing store where `reason` is composed */
	uint64_t clues;        /* which rows of the table of clues hold, the winning one apart */
	struct sp_machine machine;
	const struct sp_file *file;
	struct sp_value values[SP_OPTIONS];
};

/* Detects and settles everything. `where->envp` and `file` (may be NULL) must outlive *config.
 * Never fails: what cannot be read is unknown, what is not allowed is refused and passed over. */
void sp_config_load(struct sp_config *config, const struct sp_where *where, const struct sp_file *file);

/* The same on the live machine, with what other processes have read of it: facts.h. The two may be NULL; else `own` must
 * outlive *config. Of what speaks for an environment only variables are looked at once it is decided. */
struct sp_facts;
void sp_config_load_shared(struct sp_config *config, const struct sp_where *where, const struct sp_file *file,
	struct sp_facts *own, struct sp_facts *shared);

/* One setting by itself, without detection: file and variables over the default for development.
 * For what must be known before a process has shown that it is worth more. */
void sp_value_load(struct sp_value *value, enum sp_option option, char *const *envp, const struct sp_file *file);

/* Another environment that something speaks for, though what decided is stronger. i counts from 0;
 * false when there are no more. *reason: one phrase, in `buffer`. */
bool sp_environment_outvoted(const struct sp_config *config, const struct sp_where *where, unsigned i,
	enum sp_environment *environment, char *buffer, size_t size);

const char *sp_environment_name(enum sp_environment environment);
const char *sp_source_name(enum sp_source source);

/* Where a setting's value comes from and why, as "variable SMARTPROF_DIR" or "rule: doubled: fewer
 * than 4 cores usable", with a word on a value that was refused. No tab, no newline; always
 * NUL-terminated. Returns the length. */
size_t sp_source_text(const struct sp_config *config, const struct sp_where *where, enum sp_option option, char *buffer,
	size_t size);

/* In the number that sp_option_parse makes of "80%" for a row of SP_TYPE_MB: the rest is the percentage. */
#define SP_MB_OF_LIMIT (1ull << 63)

/* Parses a value of the row's type ("500us", "2ms", "16KiB", "512MB", "on", "cpu,heap"; bare
 * numbers are in the type's unit). Returns 0, or -EINVAL (does not parse), or -ERANGE. */
int sp_option_parse(const struct sp_option_row *row, const char *text, uint64_t *number);

/* Writes a value as people write it ("2000 us", "16 KiB", "on"); always NUL-terminates.
 * Returns the length written. */
size_t sp_option_format(const struct sp_option_row *row, const struct sp_value *value, char *buffer, size_t size);

/* The index of `name` in a list like sp_option_choices(), or -1. Upper and lower case are the
 * same here, as in everything the table parses. */
int sp_choice_find(const char *choices, const char *name);

/* The value of `name` in envp, or NULL. */
const char *sp_environ_get(char *const *envp, const char *name);

/* Whether a name matches a glob of so many bytes, `*` and `?`. Any context. */
bool sp_glob_matches(const char *glob, size_t bytes, const char *name);

/* True when `program` (a base name) is wanted: SMARTPROF_ENABLED is on and the name matches the
 * glob list (comma-separated, `*` and `?`) in SMARTPROF_PROGRAM, where set. Cheap: reads only
 * these two, for processes that live a millisecond. `file` may be NULL. */
bool sp_program_wanted(char *const *envp, const struct sp_file *file, const char *program);

#endif
