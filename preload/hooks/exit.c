/* The ways a program ends by itself. */
#include "preload/hooks/exit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "preload/export.h"
#include "preload/finish/allocator_stats.h"
#include "preload/finish/finish.h"
#include "preload/finish/tree.h"
#include "preload/hooks/span_functions.h"
#include "preload/libc.h"
#include "preload/process.h"
#include "preload/real.h"

static int quick_status; /* at_quick_exit handlers do not get it */

/* The C library would flush it after us: whoever reads must not wait for our renderer. */
static void flush_stdout(void)
{
	FILE *out = sp_libc_symbol("_IO_2_1_stdout_");

	if (!out || fileno_unlocked(out) < 0 || ftrylockfile(out) != 0)
		return;
	fflush_unlocked(out);
	funlockfile(out);
}

/* The C library goes on to flush all streams, for which it needs its lock on their list: no thread that is held
 * meanwhile, in fork or fopen, may have it. */
static void finish(int status)
{
	bool alone = sp_is_single_threaded();
	void (*lock)(void) = alone ? NULL : sp_libc_symbol("_IO_list_lock");
	void (*unlock)(void) = alone ? NULL : sp_libc_symbol("_IO_list_unlock");

	if (lock && unlock)
		lock();
	sp_finish(SP_EXIT_CODE, status & 0xff);
	if (lock && unlock)
		unlock();
}

/* The other threads will be gone in a moment. */
static bool may_wait(void)
{
	return sp_agent_state() >= SP_AGENT_ACTIVE || sp_tree_is_held() || sp_is_worth_a_profile();
}

static void at_exit(int status, void *arg)
{
	(void)arg;
	sp_span_functions_finish();
	if (sp_agent.attached) { /* after it come the program's own handlers: nothing is waited for, or held */
		sp_finish(SP_EXIT_CODE, status & 0xff);
		return;
	}
	if (may_wait()) {
		flush_stdout();
		sp_allocator_ask();
	} else if (!sp_process.verbose) {
		return; /* nothing to finish, and nothing to say */
	}
	finish(status);
}

static void at_quick_exit_(void *arg)
{
	(void)arg;
	sp_finish(SP_EXIT_CODE, quick_status & 0xff);
}

/* The C library registers the loader's destructors after our constructor has run, and calls what
 * was registered first last: this runs after every destructor and exit handler of the program. */
void sp_exit_init(void)
{
	on_exit(at_exit, NULL);
	__cxa_at_quick_exit(at_quick_exit_, &quick_status);
}

SP_EXPORT void quick_exit(int status)
{
	quick_status = status;
	SP_REAL(quick_exit)(status);
	__builtin_unreachable();
}

SP_EXPORT void _exit(int status)
{
	sp_finish(SP_EXIT_CODE, status & 0xff);
	SP_REAL(_exit)(status);
	__builtin_unreachable();
}

SP_EXPORT void _Exit(int status)
{
	_exit(status);
}
