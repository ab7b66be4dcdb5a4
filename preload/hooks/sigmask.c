/* Threads that block the profiling signal. While one of them may run, the signal of a timer of the process would be
 * delivered to another thread, which sleeps, and break its system call. So that timer is given up. */
#include "preload/hooks/sigmask.h"

#include <signal.h>

#include "preload/export.h"
#include "preload/hooks/threads.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/clock/clock.h"
#include "sampler/waits/waits.h"

void sp_sigmask_give_up_process(void)
{
	if (sp_agent_state() == SP_AGENT_DORMANT)
		sp_clock_start_later();
	sp_clock_give_up_process();
}

/* A shell blocks all signals before each program that it starts: there is nothing left to give up. */
static bool has_given_up(int state)
{
	return sp_clock_has_given_up_process() && (state != SP_AGENT_DORMANT || sp_clock_starts_later());
}

static void note(int result, int how, const sigset_t *set)
{
	int state = sp_agent_state();
	bool blocks = set && how != SIG_UNBLOCK && sigismember(set, sp_agent.config.signal) == 1;
	bool waits = sp_tls.thread && sp_load(&sp_tls.thread->waits);

	if (result != 0 || (blocks ? has_given_up(state) : !waits) ||
		(state != SP_AGENT_DORMANT && state != SP_AGENT_ACTIVE) || sp_is_stale_child() || sp_is_vfork_child())
		return;
	if (blocks)
		sp_sigmask_give_up_process();
	else if (state == SP_AGENT_ACTIVE)
		sp_threads_unblocked();
}

void sp_sigmask_note_handler(const struct sigaction *action)
{
	if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN)
		note(0, SIG_BLOCK, &action->sa_mask);
}

SP_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	int result = SP_REAL(pthread_sigmask)(how, set, old);

	note(result, how, set);
	return result;
}

SP_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	int result = SP_REAL(sigprocmask)(how, set, old);

	note(result, how, set);
	return result;
}

/* The C library's own threads for these block all signals. */
static void before_helper(void)
{
	sp_threads_wake();
	sp_clock_give_up_process();
}

SP_EXPORT int aio_read(struct aiocb *block)
{
	before_helper();
	return SP_REAL(aio_read)(block);
}

SP_EXPORT int aio_write(struct aiocb *block)
{
	before_helper();
	return SP_REAL(aio_write)(block);
}

SP_EXPORT int aio_fsync(int operation, struct aiocb *block)
{
	before_helper();
	return SP_REAL(aio_fsync)(operation, block);
}

SP_EXPORT int lio_listio(int mode, struct aiocb *const *list, int count, struct sigevent *event)
{
	before_helper();
	return SP_TIMED(SP_CALL_lio_listio, 0, SP_REAL(lio_listio)(mode, list, count, event));
}

SP_EXPORT int getaddrinfo_a(int mode, struct gaicb **list, int count, struct sigevent *event)
{
	before_helper();
	return SP_REAL(getaddrinfo_a)(mode, list, count, event);
}

SP_EXPORT int timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
	if (event && event->sigev_notify == SIGEV_THREAD)
		before_helper();
	return SP_REAL(timer_create)(clock, event, timer);
}

SP_EXPORT int mq_notify(mqd_t queue, const struct sigevent *event)
{
	if (event && event->sigev_notify == SIGEV_THREAD)
		before_helper();
	return SP_REAL(mq_notify)(queue, event);
}

/* On x86-64 both names are one function. */
SP_EXPORT int aio_read64(struct aiocb64 *block) __attribute__((alias("aio_read"), nothrow));
SP_EXPORT int aio_write64(struct aiocb64 *block) __attribute__((alias("aio_write"), nothrow));
SP_EXPORT int aio_fsync64(int operation, struct aiocb64 *block) __attribute__((alias("aio_fsync"), nothrow));
SP_EXPORT int lio_listio64(int mode, struct aiocb64 *const *list, int count, struct sigevent *event)
	__attribute__((alias("lio_listio"), nothrow));
