/* What one measured run of a command is: what `smartprof monitor` measures, shows and exports, and what the history keeps.
 *
 * Times are nanoseconds, sizes bytes, unless the name says otherwise. "The tree" is the command's process and every
 * process it started, those that escaped included. */
#ifndef SP_PROFILES_MONITOR_RUN_H
#define SP_PROFILES_MONITOR_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"

enum sp_monitor_state {
	SP_MONITOR_OK,
	SP_MONITOR_FAILED,       /* exit status other than 0 */
	SP_MONITOR_SIGNAL,       /* ended by a signal */
	SP_MONITOR_TIMEOUT,      /* ended by us, when its time was up */
	SP_MONITOR_LEFT_RUNNING, /* exit status 0, but processes that it started went on */
	SP_MONITOR_NOT_STARTED,  /* could not be executed, or was not tried */
	SP_MONITOR_STATES
};

/* As they stand in exports: "ok", "failed", "signal", "timeout", "left-running", "not-started". */
extern const char *const sp_monitor_state_names[SP_MONITOR_STATES];

#define SP_MONITOR_POINTS 1000u

/* What the tree had used up to a moment, and held since the point before. */
struct sp_monitor_point {
	uint64_t at_ns;     /* since the start */
	uint64_t cpu_ns;    /* used so far */
	uint64_t rss_bytes; /* the most that was seen; of several processes, with what they share counted once */
	uint32_t processes; /* likewise */
};

/* step_ns apart at the least: whenever there are SP_MONITOR_POINTS, every two become one and the step doubles. */
struct sp_monitor_timeline {
	struct sp_monitor_point *points;
	size_t count, capacity;
	uint64_t step_ns;
};

/* Adds what was seen; moments only grow. step_ns must have been set. */
void sp_monitor_timeline_add(struct sp_monitor_timeline *timeline, const struct sp_monitor_point *seen);

/* Of {"points": [[at_ns, cpu_ns, rss_bytes, processes], …]}, any text, into an empty one; false: it is no such thing. points: the caller's to
 * free in any case. */
bool sp_monitor_timeline_read(struct sp_monitor_timeline *timeline, const char *text, size_t bytes);

enum sp_monitor_tree_kind {
	SP_MONITOR_TREE_NONE,   /* too short to be looked at: peak_tree_bytes is that of the largest process */
	SP_MONITOR_TREE_SINGLE, /* one process at a time: peak_tree_bytes is exact */
	SP_MONITOR_TREE_PSS,    /* looked at every step_ns or more often; what processes share counts once */
	SP_MONITOR_TREE_RSS,    /* the same, but what they share counts for each: it could not be told apart */
};

struct sp_monitor_run {
	/* What was run. All text is any bytes: show it by profiles/base/escape.h. */
	char **argv;        /* ends with NULL */
	char *command;      /* the same as one line, quoted for a shell where that is needed */
	char *program;      /* the file's name without its directory; of a script, the script's */
	char *program_path; /* the file that was executed; NULL: not found */
	char *args_class;   /* the arguments without what changes by itself from run to run (sp_monitor_class) */
	char *environment;  /* "development", "ci" and the like; NULL unknown */
	char *directory;    /* the working directory */
	unsigned jobs;      /* how many ran at a time; times of more than 1 disturb each other and are never compared */
	unsigned iteration; /* from 1, of the same command */
	bool profiled;      /* with the agent */
	char *profile_path; /* its profile, NULL: none */

	/* How it ended. */
	enum sp_monitor_state state;
	int exit_status;  /* -1: it did not exit */
	int signal;       /* 0: none */
	int exec_errno;   /* SP_MONITOR_NOT_STARTED: why; 0: it was not tried */
	bool interrupted; /* ended because the monitor was: what was measured up to there */
	bool complete;    /* false: it could not be ended, so the totals are what was last seen */
	unsigned left;    /* processes left running */
	char *left_names; /* of them, "name (pid), …"; NULL none */
	unsigned attempt; /* from 1: of a job that is tried again */

	/* What it took. */
	uint64_t started_ns; /* since 1970 */
	uint64_t timeout_ns; /* what it was given; 0: no limit */
	uint64_t wall_ns;
	uint64_t user_ns, sys_ns; /* the tree's, by wait4 */
	uint64_t peak_rss_bytes;  /* of the largest process, by wait4 */
	uint64_t floor_rss_bytes; /* what a process here begins with: no smaller peak can be told */
	uint64_t peak_tree_bytes; /* of the tree at one moment */
	enum sp_monitor_tree_kind tree_kind;
	uint32_t processes_most; /* at one moment, as far as was seen; 0: not looked at */
	uint64_t voluntary_switches, involuntary_switches;
	uint64_t minor_faults, major_faults;
	uint64_t read_bytes, written_bytes; /* from and to block devices */
	uint64_t stdout_bytes, stderr_bytes;
	bool stdout_counted, stderr_counted;

	/* How far the machine disturbed it. */
	uint64_t queue_ns; /* threads waited for a CPU; of processes that came and went between two looks, not known */
	uint64_t throttled_ns; /* the cgroup was held back by its CPU limit meanwhile */
	uint64_t pressure_ns;  /* some task of the machine waited for a CPU meanwhile */
	bool throttled_known, pressure_known;

	struct sp_monitor_timeline timeline;
};

/* A run of nothing yet. Copies argv (of the caller's strings). */
struct sp_monitor_run *sp_monitor_run_make(char *const *argv);
void sp_monitor_run_free(struct sp_monitor_run *run);

/* Whether it did what it was asked for: its numbers stand for the command. */
bool sp_monitor_run_is_good(const struct sp_monitor_run *run);

/* As GNU time has it: user and system over wall time, in percent. */
double sp_monitor_cpu_percent(const struct sp_monitor_run *run);

/* "exit 3", "signal 9 (Killed)", "timeout" …: how it ended. */
void sp_monitor_put_ending(struct sp_buffer *out, const struct sp_monitor_run *run);

/* The words as one line that a shell would take apart into them. free() it. */
char *sp_monitor_command_line(char *const *argv);

/* Arguments as one line in which temporary paths, long numbers, times and hashes are `*`, so that runs of one series have the same. free()
 * it. */
char *sp_monitor_class(char *const *argv);

#endif
