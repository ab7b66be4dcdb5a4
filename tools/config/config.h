/* smartprof config: what is known, and the forms it is printed in. */
#ifndef SP_TOOLS_CONFIG_H
#define SP_TOOLS_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "env/env.h"

struct sp_warning {
	const char *id; /* stable, for scripts */
	bool blocking;  /* there will be no profile */
	char message[PATH_MAX + 128];
	char fix[PATH_MAX + 128]; /* a command that would fix it; empty: there is none */
};

#define SP_WARNINGS_MAX 16
#define SP_EVENTS_UNKNOWN 1

/* What the agent will do with the settings here. */
struct sp_plan {
	const struct sp_where *where;
	const struct sp_file *file;
	struct sp_config config;
	bool live;        /* this machine and not a recorded one */
	int events_error; /* 0: perf events work; negative errno: why not; or SP_EVENTS_UNKNOWN */
	bool cpu, heap;
	uint64_t signal_cost_us;  /* as measured here; 0: it was not */
	uint64_t cpu_expected_us; /* where the interval will settle; 0: not known */
	char output[PATH_MAX];    /* directory or file of the profile */
	unsigned warning_count;
	struct sp_warning warnings[SP_WARNINGS_MAX];
};

/* Settles everything; *where and *file must outlive the plan. live: try things out on this machine. */
void sp_plan_make(struct sp_plan *plan, const struct sp_where *where, const struct sp_file *file, bool live);

/* For those that look: adds a warning. The fix may be "". */
void sp_plan_warn(struct sp_plan *plan, const char *id, bool blocking, const char *fix, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* check.c: looks for what would keep profiling from working. */
void sp_plan_check(struct sp_plan *plan);

bool sp_plan_is_blocked(const struct sp_plan *plan);

/* "perf events work here", or why not; NULL where it is not known. */
const char *sp_plan_events(const struct sp_plan *plan);

/* text.c */
void sp_config_print(const struct sp_plan *plan, bool colour);
void sp_config_print_warnings(const struct sp_plan *plan, bool colour);

/* json.c: schema smartprof-config/1, docs/CONFIG.md. Returns 0, or -ENOMEM. */
int sp_config_print_json(const struct sp_plan *plan, FILE *out);

/* write.c: writes the settings file, for shells or for docker's --env-file. Complains and
 * returns 1 when it cannot. */
int sp_config_write(const struct sp_plan *plan, const char *path, bool docker);

#endif
