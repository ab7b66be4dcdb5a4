/* The parts of `smartprof guard`.
 *
 * One loop (loop.c) looks at the targets and lets the rules decide. What takes time is done by processes of its own (jobs.c): a
 * capture, the report, a command that the user wants run. So a guardian stays small, and no look waits. */
#ifndef SP_TOOLS_GUARD_H
#define SP_TOOLS_GUARD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "env/env.h"
#include "profiles/base/buffer.h"
#include "tools/guard/rules.h"
#include "tools/guard/watch.h"

#define SP_GUARD_CAPTURES_FOLDER "auto-memory"
#define SP_GUARD_REPORTS_FOLDER "monitored"
#define SP_GUARD_CAPTURES_BYTES 128000000u

/* --- what was asked for */

struct sp_guard_wish {
	struct sp_guard_threshold memory[SP_GUARD_MEMORY_RULES];
	unsigned cpu_percent; /* of the usable cores; 0: no such rule */
	uint64_t interval_ns;
	bool profiling;
	char **commands[SP_GUARD_MEMORY_RULES]; /* words of what to run when a rule fires; NULL: nothing */
	const char *directory;                  /* absolute: captures and reports go to folders in it */
	struct sp_machine machine;
};

/* A command line in words, as a shell would split it, without anything that a shell would put in: NULL: a quote is left open,
 * or there is no word. To be freed as one piece. */
char **sp_guard_words(const char *text);

/* --- what happened */

struct sp_guard_event {
	enum sp_guard_rule_id rule;
	bool again;                   /* it had fired already, and this is growth */
	bool wanted;                  /* a capture is under way */
	bool seen_by_agent;           /* and not by us, between whose looks it was */
	struct timespec at, fired_at; /* when it was crossed, as far as is known, and when the rule fired */
	uint64_t t_ns, memory, needed, rss, cpu;
	char *capture, *snapshot; /* paths; NULL: none */
	char why[160];            /* there is no capture */
};

#define SP_GUARD_EVENTS 64u

struct sp_guard_target {
	int pid, pidfd;
	uint64_t start_ticks;
	bool ours;       /* we started it, and wait for it */
	bool by_name;    /* one of many that come and go: little is said of it */
	bool with_agent; /* it was found to have a spool, or we loaded the agent */
	struct sp_guard_facts facts;
	struct timespec since;
	uint64_t next_look_ns, next_marks_ns, saved_ns;
	uint32_t marks_seen; /* of the agent */
	bool unsaved;
	struct sp_memory_bounds bounds;
	uint64_t kills_before;
	bool kills_known;
	struct sp_guard_rules rules;
	struct sp_guard_timeline timeline;
	uint64_t memory_most, cpu_ns, cpu_at_ns;
	struct sp_guard_event events[SP_GUARD_EVENTS];
	size_t event_count, events_untold;
	unsigned renderers, commands; /* jobs that are under way */
	bool ended, report_wanted, finishing, done;
	struct timespec ended_at;
	bool status_known;
	int status; /* as of wait(2) */
	bool killed_for_memory;
	char report[PATH_MAX]; /* empty: none yet */
};

/* Lines about a target on stderr. */
void sp_guard_tell(const struct sp_guard_target *target, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sp_guard_put_megabytes(struct sp_buffer *out, uint64_t bytes);
uint64_t sp_guard_now_ns(void);

/* "<begin> critical in 4 to 9 min", nothing where memory does not grow. */
void sp_guard_put_forecast(struct sp_buffer *out, const char *begin, const struct sp_guard_target *target,
	enum sp_guard_rule_id next, const struct sp_guard_trend *trend, uint64_t memory);

/* --- target.c */

/* Begins to watch; 0, or SP_EXIT_USAGE after a complaint, and -1 without one where that is not wanted. The caller frees. */
int sp_guard_target_open(struct sp_guard_target **target, const struct sp_guard_wish *wish, int pid, bool ours,
	bool quiet);
void sp_guard_target_free(struct sp_guard_target *target);

/* Says what is watched, and how far. */
void sp_guard_target_announce(struct sp_guard_target *target, const struct sp_guard_wish *wish);

/* Looks, and does what is due. */
void sp_guard_target_look(struct sp_guard_target *target, const struct sp_guard_wish *wish);

/* Room for an event, and what follows from one that has been told; NULL: there is none. */
struct sp_guard_event *sp_guard_event_add(struct sp_guard_target *target);
void sp_guard_event_act(struct sp_guard_target *target, const struct sp_guard_wish *wish, size_t event,
	bool other_is_captured);

/* It has ended. */
void sp_guard_target_ended(struct sp_guard_target *target);

/* The spool of the process; false: there is none that we can see. */
bool sp_guard_spool(const struct sp_guard_target *target, char path[static PATH_MAX]);

/* --- jobs.c */

void sp_guard_capture(struct sp_guard_target *target, const struct sp_guard_wish *wish, size_t event);
void sp_guard_command(struct sp_guard_target *target, const struct sp_guard_wish *wish, size_t event);
void sp_guard_report(struct sp_guard_target *target, const struct sp_guard_wish *wish);

/* A child of this process has ended: true when it was a job's. */
bool sp_guard_job_ended(int pid, int status, const struct sp_guard_wish *wish);

/* Ends jobs that take too long. Returns when to come again, UINT64_MAX: there are none. */
uint64_t sp_guard_jobs_look(uint64_t now_ns);

/* Whether a job is about this event. */
bool sp_guard_job_is_about(const struct sp_guard_target *target, size_t event);

/* Commands for a target that has ended have little time left. */
void sp_guard_jobs_hurry(const struct sp_guard_target *target);

/* --- in a job's process */

/* Takes a snapshot of the target and writes its profile; then old ones go. */
struct sp_guard_result {
	int err;
	struct timespec at; /* of the mark that was taken in place of the moment; 0: none was */
	uint64_t memory, rss;
	char path[PATH_MAX], snapshot[PATH_MAX], why[160];
};
void sp_guard_snapshot_path(const struct sp_guard_target *target, size_t event, char path[static PATH_MAX]);
void sp_guard_capture_write(const struct sp_guard_target *target, const struct sp_guard_wish *wish, size_t event,
	struct sp_guard_result *result);

/* The same from the snapshot, where there was no room for more than that while the target ran. */
void sp_guard_capture_late(const struct sp_guard_target *target, const struct sp_guard_wish *wish, size_t event,
	struct sp_guard_result *result);

/* Writes the session's report; of a target that has ended also its profile. */
void sp_guard_report_write(struct sp_guard_target *target, const struct sp_guard_wish *wish,
	struct sp_guard_result *result);

/* marks.c: the agent's mark of the crossing that the event is of, NULL: there is none; *at: when that was. */
struct sp_snapshot;
struct sp_mark;
const struct sp_mark *sp_guard_mark_of(const struct sp_guard_target *target, const struct sp_guard_event *event,
	const struct sp_snapshot *snapshot, struct timespec *at);

/* Tells that spans were slow, when the agent has marked that since the last look. */
void sp_guard_responses_look(struct sp_guard_target *target, const struct sp_guard_wish *wish);

/* Adds events for the crossings that only the agent saw, from the spool of a target that has ended (NULL: there is none), and
 * puts all in the order of time. */
void sp_guard_marks_take(struct sp_guard_target *target, const char *spool);

/* growth.c: sections of the report about the heap. spool: of a target that was killed, else NULL. */
void sp_guard_put_growth(struct sp_buffer *out, const struct sp_guard_target *target, const char *spool);
void sp_guard_put_held(struct sp_buffer *out, struct sp_snapshot *snapshot);

/* --- state.c: limits outlive a guardian */

void sp_guard_state_load(struct sp_guard_target *target);
void sp_guard_state_save(struct sp_guard_target *target);
void sp_guard_state_drop(const struct sp_guard_target *target);

/* Tells of each rule what it saw last, what it needs, and since when. The exit status. */
int sp_guard_explain(const struct sp_guard_wish *wish, int pid, const char *name);

/* --- loop.c */

/* Whether a process goes by that name. */
bool sp_guard_is_named(int pid, const char *glob);

/* Processes by number, at most `most`, that go by the name. */
size_t sp_guard_find(int *pids, size_t most, const char *glob);

struct sp_tree_hold;

struct sp_guard_run {
	int pid;          /* 0: by name */
	const char *name; /* the glob; of an app what it is called */
	bool app;         /* we started it, */
	bool with_agent;  /* with the agent */
	struct sp_tree_hold *hold;
	int status;        /* of the app, as of wait(2) */
	uint64_t ended_ns; /* when: sp_guard_now_ns */
};

/* Watches until the process has ended, or those of that name until a signal, which come through `signals`. Returns the exit
 * status. */
int sp_guard_loop(struct sp_guard_run *run, const struct sp_guard_wish *wish, int signals);

#endif
