/* A run as the history keeps it: what ran, where, how it ended, what it took, where the time went.
 *
 * Text is any bytes without NUL: show it by profiles/base/escape.h. Texts are NULL or "" where nothing is known; read from
 * a store they are never NULL. Units are in the names of metrics: wall_ns, peak_rss_bytes, cpu_percent, … */
#ifndef SP_PROFILES_HISTORY_RUN_H
#define SP_PROFILES_HISTORY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_HISTORY_ID 33   /* bytes of an id: hexadecimal, with the NUL */
#define SP_HISTORY_SHORT 8 /* digits of an id that are shown; any unique beginning is understood */
#define SP_HISTORY_HASH 65 /* bytes of a blob's name: SHA-256 of its content, hexadecimal, with the NUL */

/* What can be told of a function: its name there, and its unit. */
enum sp_history_of {
	SP_HISTORY_CPU,       /* nanoseconds of CPU time */
	SP_HISTORY_ALLOCATED, /* bytes */
	SP_HISTORY_WAITED,    /* nanoseconds off the CPU */
	SP_HISTORY_OF
};

struct sp_history_metric {
	char *name;
	double value;
	double error; /* standard error; NAN unknown */
};

/* Those with 0.1 % of the whole or more. */
struct sp_history_function {
	enum sp_history_of of;
	char *name, *module; /* normal: as profiles/base/normal_name.h has them */
	double self, total;  /* total: with what it called; NAN unknown */
	double error;        /* standard error of self; NAN unknown */
};

/* Runs on different classes are never compared. */
struct sp_history_machine {
	char class[17]; /* hash of the rest, hexadecimal; set by sp_history_machine_class */
	char *cpu;      /* model */
	unsigned millicores;
	uint64_t memory_bytes;
	char *kernel;   /* "6.1" */
	char *governor; /* of the CPU's frequency; "" there is none */
};

/* What stands beside a run as a file of its own. */
enum sp_history_part {
	SP_HISTORY_PROFILE,  /* Markdown with its complete part */
	SP_HISTORY_LOG,      /* of timing, as JSON lines */
	SP_HISTORY_TIMELINE, /* JSON: {"step_ns":…, "points":[[at_ns, cpu_ns, rss_bytes, processes], …]} */
	SP_HISTORY_PARTS
};
extern const char *const sp_history_part_names[SP_HISTORY_PARTS]; /* "profile", "log", "timeline" */

struct sp_history_blob {
	char hash[SP_HISTORY_HASH]; /* "" none */
	uint64_t bytes;
	void *data; /* to be added; read from a store it is NULL: sp_history_blob_read */
};

struct sp_history_run {
	/* Set by the store. */
	char id[SP_HISTORY_ID];
	int64_t series; /* number of its series in this store; runs of one series can be compared */

	/* What ran. */
	uint64_t started_ns; /* since 1970 */
	char *kind;          /* "run", "monitor", "guard" */
	char *program;       /* file name without its directory */
	char *command;       /* one line, quoted for a shell */
	char *args_class;    /* the arguments without what changes by itself from run to run */
	char *environment;   /* "development", "ci", … */
	char *directory;     /* the working directory */
	char *commit;        /* of the repository it ran in, hexadecimal */
	char *branch;        /* "" detached or unknown */
	int dirty;           /* 1: files differed from the commit; 0: none; -1 unknown */
	char *build_id;      /* of the program, hexadecimal */
	unsigned jobs; /* that ran at a time; those of more than 1 are in series of their own and never compared */
	bool profiled; /* with the agent */
	struct sp_history_machine machine;

	/* How it ended. */
	char *state; /* "ok", "failed", "signal", "timeout", "left-running", "not-started" (profiles/monitor/run.h) */
	int exit_status; /* -1: it did not exit */
	int signal;      /* 0: none */

	struct sp_history_metric *metrics; /* by name */
	size_t metric_count, metric_capacity;
	struct sp_history_function *functions; /* by `of`, most of self first */
	size_t function_count, function_capacity;
	struct sp_history_blob blobs[SP_HISTORY_PARTS];

	/* What people and other runs say of it: no part of its id. */
	char **tags;
	size_t tag_count, tag_capacity;
	char *note;
	bool pinned; /* kept for ever (read only) */
};

/* An empty one: jobs 1, exit_status -1, dirty -1. */
struct sp_history_run *sp_history_run_make(void);
void sp_history_run_free(struct sp_history_run *run); /* NULL: nothing */

/* Sets a text of it, a copy; NULL counts as "". */
void sp_history_set(char **text, const char *value);

/* The first of one name counts; values that are no finite numbers are left out. */
void sp_history_add_metric(struct sp_history_run *run, const char *name, double value, double error);
void sp_history_add_function(struct sp_history_run *run, enum sp_history_of of, const char *name, const char *module,
	double self, double total, double error);
void sp_history_add_tag(struct sp_history_run *run, const char *tag);

/* Takes a copy. */
void sp_history_set_blob(struct sp_history_run *run, enum sp_history_part part, const void *data, size_t bytes);

/* NAN: the run has no such metric. error may be NULL. */
double sp_history_value(const struct sp_history_run *run, const char *name, double *error);

/* Whether its numbers stand for what the command does: it ended well, and alone on the machine. */
bool sp_history_is_good(const struct sp_history_run *run);

/* Sets machine->class by the rest. */
void sp_history_machine_class(struct sp_history_machine *machine);

/* The run's id by its content, blobs included: the same run has the same, whichever store it is in. */
void sp_history_run_id(const struct sp_history_run *run, char id[static SP_HISTORY_ID]);

#endif
