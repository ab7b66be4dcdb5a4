/* Waiting for signals: a thread that blocks all signals and waits for any must not be handed the
 * profiler's. */
#include <errno.h>
#include <signal.h>

#include "preload/export.h"
#include "preload/real.h"
#include "sampler/clock/clock.h"
#include "sampler/sys.h"
#include "sampler/waits/waits.h"

static bool is_ours(const siginfo_t *info)
{
	return info->si_signo == sp_agent.config.signal && sp_clock_recognize(sp_tls.thread, info) != SP_SIGNAL_FOREIGN;
}

/* The time that is left of a wait that began at `began`. */
static struct timespec left(const struct timespec *timeout, uint64_t began)
{
	uint64_t gone = sp_clock_read_ns(CLOCK_MONOTONIC) - began;
	int64_t ns = timeout->tv_nsec - (int64_t)(gone % 1000000000u);
	int64_t s = timeout->tv_sec - (int64_t)(gone / 1000000000u) - (ns < 0);

	return s < 0 ? (struct timespec){0, 0} : (struct timespec){s, ns < 0 ? ns + 1000000000 : ns};
}

SP_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	uint64_t began = timeout ? sp_clock_read_ns(CLOCK_MONOTONIC) : 0;
	struct timespec rest;
	struct sp_timed_call wait;
	siginfo_t own;
	bool timed;
	int result;

	if (!info)
		info = &own;
	timed = sp_wait_begin(&wait, SP_CALL_sigwait);
	result = SP_REAL(sigtimedwait)(set, info, timeout);
	while (sp_unlikely(result > 0 && result == sp_agent.config.signal) && is_ours(info)) {
		if (timeout)
			rest = left(timeout, began);
		result = SP_REAL(sigtimedwait)(set, info, timeout ? &rest : NULL);
	}
	if (timed)
		sp_wait_end(&wait, SP_CALL_sigwait, 0);
	return result;
}

SP_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	return sigtimedwait(set, info, NULL);
}

/* A descriptor for all signals, or all but a few, would be handed the profiler's too. One that names only some
 * gets what it asks for. */
SP_EXPORT int signalfd(int fd, const sigset_t *mask, int flags)
{
	sigset_t others = *mask;
	int number, named = 0;

	for (number = 1; number < 32; number++)
		named += sigismember(mask, number) == 1;
	if (named > 16 && sp_agent.config.signal > 0)
		sigdelset(&others, sp_agent.config.signal);
	return SP_REAL(signalfd)(fd, &others, flags);
}

/* As the C library's: no EINTR, and the error is the result. */
SP_EXPORT int sigwait(const sigset_t *set, int *number)
{
	siginfo_t info;
	int result;

	do
		result = sigtimedwait(set, &info, NULL);
	while (result < 0 && errno == EINTR);
	if (result < 0)
		return errno;
	*number = info.si_signo;
	return 0;
}
