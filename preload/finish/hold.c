/* While the end of the process waits for its renderer, signals wait with it: interpreters put their handlers back
 * to the default before their exit handlers are done, and a signal that would have come after the process's end
 * must not find it still there.
 *
 * The calling thread blocks them. One that is sent to the process goes to any other thread that does not: there the
 * dispositions that would end the process become a handler that does nothing. Handlers of the application's go on
 * working in the other threads, and wait in this one. */
#include "preload/finish/hold.h"

#include <signal.h>
#include <string.h>

#include "preload/libc.h"
#include "sampler/sys.h"

#define BIT(n) (1ull << ((n)-1))

/* What the process does to itself, or what is for the kernel alone to decide: never held. */
#define OWN_DOING \
	(BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGSEGV) | BIT(SIGPIPE) | \
		BIT(SIGXFSZ) | BIT(SIGSYS) | BIT(SIGKILL) | BIT(SIGSTOP))
#define STOPS (BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))
/* By default ignored; and the C library's own two. */
#define HARMLESS (BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(32) | BIT(33))
/* Somebody wants the process to be gone. */
#define IMPATIENT (BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGTERM))

#define ALARMS (BIT(SIGALRM) | BIT(SIGXCPU))

static struct {
	uint32_t on;      /* atomic */
	uint32_t hurried; /* atomic: an impatient signal came to another thread */
	uint64_t before;  /* mask of the thread that holds */
	uint64_t ignored;
} hold;

static void on_held(int signal)
{
	if (BIT(signal) & IMPATIENT)
		sp_store(&hold.hurried, 1);
}

static bool is_held(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) && action->sa_handler == on_held;
}

/* Every default action that would end the process becomes on_held; `back`: those of impatient signals and alarms,
 * by which a process that hangs in its last steps is ended, become it again. The others were not meant for a process
 * that would have been gone long ago. Returns the signals whose default is to stop it. */
static uint64_t change_defaults(bool back)
{
	struct sigaction now, want;
	uint64_t stops = 0;
	int i;

	memset(&want, 0, sizeof want);
	want.sa_handler = back ? SIG_DFL : on_held;
	want.sa_flags = SA_RESTART | SA_ONSTACK;
	for (i = 1; i < 65; i++) {
		if ((OWN_DOING | HARMLESS) & BIT(i) || sp_libc_sigaction(i, NULL, &now) != 0)
			continue;
		if (now.sa_handler == SIG_IGN)
			hold.ignored |= BIT(i);
		if (back ? !is_held(&now) || !(BIT(i) & (IMPATIENT | ALARMS)) : now.sa_handler != SIG_DFL)
			continue;
		if (STOPS & BIT(i))
			stops |= BIT(i);
		else
			sp_libc_sigaction(i, &want, NULL);
	}
	return stops;
}

void sp_hold_signals(uint64_t before)
{
	uint64_t mask;

	hold.before = before;
	hold.ignored = 0;
	sp_store(&hold.hurried, 0);
	__atomic_store_n(&hold.on, 1, __ATOMIC_RELEASE);
	mask = ~change_defaults(false); /* Ctrl-Z stops it as ever */
	sp_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
}

void sp_hold_end(void)
{
	/* What has come meanwhile is delivered now, to on_held or the application's handlers. */
	sp_restore_signals(hold.before);
	change_defaults(true);
	__atomic_store_n(&hold.on, 0, __ATOMIC_RELEASE);
}

bool sp_hold_takes(int signal)
{
	if (!__atomic_load_n(&hold.on, __ATOMIC_ACQUIRE))
		return false;
	on_held(signal);
	return true;
}

bool sp_hold_is_hurried(void)
{
	uint64_t pending = 0;

	if (sp_load(&hold.hurried))
		return true;
	sp_sys(SYS_rt_sigpending, &pending, 8);
	return pending & IMPATIENT & ~hold.ignored & ~hold.before;
}
