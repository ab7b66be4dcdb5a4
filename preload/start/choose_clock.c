/* Which CPU clock the kernel lets us have. */
#include "preload/start/choose_clock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "preload/finish/tree.h"
#include "preload/libc.h"
#include "preload/process.h"
#include "sampler/clock/clock.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"

/* Whether a seccomp filter that is there already would kill us for what we need: tried in a child
 * that shares our memory and may die of it. */
#define DEADLY 1
static int probe_main(void *arg)
{
	int *result = arg;

	*result = sp_clock_event.probe();
	sp_sys(SYS_exit, 0);
	return 0;
}

static int probe_outside(struct sp_thread *t, bool filtered)
{
	uint64_t mask = sp_block_signals();
	int result = DEADLY;
	long pid;

	_Static_assert(sizeof(struct sp_thread) + 8192 <= SP_BLOCK_BYTES / 2, "the child's stack");

	/* What of the block's lower half is private stack is the child's while we wait. The end of a vfork is what a
	 * command that attaches stops at. */
	pid = __clone(probe_main, (char *)sp_thread_stack(t) - SP_BLOCK_BYTES / 2,
		CLONE_VM | (sp_agent.attached ? 0 : CLONE_VFORK), &result, NULL, NULL, NULL);
	if (pid > 0)
		sp_sys(SYS_wait4, pid, NULL, __WALL, NULL);
	sp_restore_signals(mask);
	return pid < 0 && !filtered ? sp_clock_event.probe() : result;
}

/* Whatever decides and may differ between processes of one user, as a word that is not 0. */
static uint64_t event_limits(void)
{
	struct rlimit locked = {0, 0}, descriptors = {0, 0};

	sp_sys(SYS_prlimit64, 0, RLIMIT_MEMLOCK, NULL, &locked);
	sp_sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &descriptors);
	return ((locked.rlim_cur * 31 + descriptors.rlim_cur) * 31 + (uint64_t)sp_sys(SYS_geteuid)) | 1ull << 63;
}

/* Returns 0, a negative errno, or DEADLY. In a thread that is better off without an event the child tries too. Since
 * this process has to wait for that child, it first looks at what other processes of the tree have found. */
static int probe_event(struct sp_thread *t)
{
	bool filtered = sp_sys(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == 2;
	uint64_t limits = event_limits();
	int result;

	if (!filtered && sp_tree_knows_events(limits))
		return 0;
	result = !filtered && sp_clock_bears_event(t) ? sp_clock_event.probe() : probe_outside(t, filtered);
	if (!result && !filtered)
		sp_tree_tell_events(limits);
	return result;
}

static const char *event_refusal(int error, int paranoid)
{
	if ((error == -EACCES || error == -EPERM) && paranoid > 2)
		return "perf events are refused to users here; setting kernel.perf_event_paranoid to 2 would allow "
		       "them";
	if (error == -EACCES || error == -EPERM)
		return "perf events are refused here, as containers' seccomp filters do; adding perf_event_open to the "
		       "profile would allow them";
	if (error == -EMFILE || error == -ENFILE)
		return "no file descriptor was left for a perf event; a higher `ulimit -n` would allow them";
	if (error == -ENOMEM)
		return "the limit on locked memory leaves no room for a perf event; a higher `ulimit -l` would allow "
		       "them";
	if (error == -ENOENT || error == -ENOSYS)
		return "this kernel has no perf events";
	return "perf events do not work here";
}

void sp_choose_clock(struct sp_thread *t, int perf_event_paranoid, struct sp_spool_header *h)
{
	const char *event = NULL;
	char reason[256];
	int error = -EPERM, timer_error;

	h->cpu.tick_ns = (uint32_t)sp_clock_tick_ns();
	h->cpu.clock = SP_CLOCK_OFF;
	if (!sp_agent.config.cpu) {
		h->text.clock_reason = sp_spool_string("CPU profiling is switched off");
		return;
	}
	if (sp_is_under_valgrind()) {
		h->text.clock_reason = sp_spool_string("under valgrind, where CPU time means nothing");
		return;
	}
	/* The last resort is tried first, while there still is a signal for it. */
	sp_clock_process.probe();
	error = probe_event(t);
	if (error == DEADLY)
		event = "a seccomp filter would kill the program for opening a perf event";
	else if (error)
		event = event_refusal(error, perf_event_paranoid);
	if (!event) {
		h->cpu.clock = SP_CLOCK_EVENT;
		h->text.clock_reason = sp_spool_string("perf events work here");
		return;
	}
	timer_error = sp_clock_timer.probe();
	if (!timer_error) {
		h->cpu.clock = SP_CLOCK_TIMER;
		h->text.clock_reason = sp_spool_string(event);
		return;
	}
	stpcpy(stpcpy(stpcpy(stpcpy(reason, sp_clock_event.name), " and "), sp_clock_timer.name),
		timer_error == -EAGAIN ? " are refused here, the latter by the limit on pending signals (`ulimit -i`)"
				       : " are refused here, as seccomp filters do");
	h->cpu.clock = sp_clock_process.probe() == 0 ? SP_CLOCK_PROCESS : SP_CLOCK_OFF;
	h->text.clock_reason = sp_spool_string(reason);
}
