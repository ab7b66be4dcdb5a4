/* What commands that run programs put into the history. */
#ifndef SP_TOOLS_HISTORY_RECORD_H
#define SP_TOOLS_HISTORY_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiles/history/store.h"
#include "profiles/monitor/run.h"

/* Where the history is by the settings (SMARTPROF_HISTORY), also where nothing is kept. Returns 0, or complains for `command`
 * and returns 1. */
int sp_record_place(const char *command, char path[static PATH_MAX]);

/* Whether runs are to be kept: asked for, or not in production. */
bool sp_record_is_on(void);

/* Adds the run, with what is the same for all runs of this process where it is not set: machine, environment, directory,
 * commit and branch. What prevents that is told of once, in one line for `command`, and is nobody's failure. Returns whether it was
 * kept. The store stays open to the end of the process. */
bool sp_record_add(const char *command, struct sp_history_run *run);

/* machine.c: this machine, without its class. */
void sp_record_machine(struct sp_history_machine *machine);

/* The build-id of the program in that file; the run's is left alone where it has none. */
void sp_record_build_id(struct sp_history_run *run, const char *path);

/* measured.c: what a run that was measured is in the history; its profile included. The caller's to free. */
struct sp_history_run *sp_record_from_monitor(const struct sp_monitor_run *run);

/* ran.c: keeps what was started and waited for. */
struct sp_target;
struct rusage;
struct sp_record_ran {
	const char *kind; /* "run", "guard": also the command's name */
	char *const *argv;
	const struct sp_target *target;
	uint64_t started_ns, wall_ns; /* since 1970 */
	int status;                   /* as of wait(2) */
	const struct rusage *usage;   /* NULL: not known */
	bool with_agent;
	const char *profile; /* path; NULL: none */
};
void sp_record_ran(const struct sp_record_ran *ran);

/* profile.c: adds the profile in that file, and its totals and functions. false: it cannot be read. */
bool sp_record_profile(struct sp_history_run *run, const char *path);

#endif
