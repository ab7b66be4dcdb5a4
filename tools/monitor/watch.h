/* Commands under way: started, watched, ended. One loop serves all that run at a time. */
#ifndef SP_TOOLS_MONITOR_WATCH_H
#define SP_TOOLS_MONITOR_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "profiles/monitor/run.h"
#include "tools/monitor/look.h"
#include "tools/monitor/machine.h"
#include "tools/monitor/nursery.h"
#include "tools/monitor/caught.h"

/* How commands are run. */
struct sp_watch_terms {
	enum sp_caught_kind output;
	const char *directory; /* SP_CAUGHT_FILE */
	uint64_t timeout_ns;   /* 0: none */
	unsigned jobs;
	int input; /* what the command reads */
};

struct sp_watch {
	struct sp_monitor_run *run;
	uint64_t label; /* the caller's */
	int control;    /* to its keeper; -1: not under way */
	int32_t pid, keeper;
	struct sp_caught output, errors;
	struct sp_look look;
	struct sp_held_back before;
	uint64_t began_ns; /* CLOCK_MONOTONIC */
	uint64_t look_ns;  /* of the next look; UINT64_MAX: none any more */
	bool started, ended, over;
	bool ordered_to_end;
	char tail[2048]; /* the last it wrote to standard error, where that is not shown elsewhere */
};

struct sp_watches {
	struct sp_nursery nursery;
	struct sp_watch *items;
	unsigned count;
	int signals;         /* a signalfd */
	int stopped;         /* the signal that told us to end; 0: none */
	uint64_t give_up_ns; /* from then on no reader of ours is waited for; UINT64_MAX: not stopped */
	void (*show)(struct sp_watches *watches, void *context); /* now and then, for the terminal; NULL: nothing */
	void *context;
	uint64_t show_ns;
};

/* Opens the nursery, takes the signals that end us, and makes room for so many at a time. Returns 0 or a negative errno. */
int sp_watches_open(struct sp_watches *watches, unsigned most);
void sp_watches_close(struct sp_watches *watches);

/* Around what may take for ever while nothing runs, such as a write to a reader that does not read. */
void sp_watches_let_signals_end_us(bool yes);

/* Starts the run's command in a free place, which it returns; run->program_path (NULL: none was found, run->exec_errno says why), argv and
 * variables (a whole environment) say what. The run is the caller's and must stay until sp_watches_next gives it back; what kept it from being
 * started stands in it then. hold: NULL, or the tree's. */
struct sp_watch *sp_watch_start(struct sp_watches *watches, struct sp_monitor_run *run,
	const struct sp_watch_terms *terms, char *const *variables, const struct sp_tree_hold *hold, uint64_t label);

/* Waits until one is over, and gives it back with its run complete; NULL: there is none. The place is free after sp_watch_release. */
struct sp_watch *sp_watches_next(struct sp_watches *watches);
void sp_watch_release(struct sp_watch *watch);

/* The same of this one, whatever ends meanwhile: that is given back later. */
void sp_watch_await(struct sp_watches *watches, struct sp_watch *watch);

/* Waits until that moment of CLOCK_MONOTONIC; false: a signal came. */
bool sp_watches_sleep(struct sp_watches *watches, uint64_t until_ns);

bool sp_watch_is_free(const struct sp_watch *watch);

#endif
