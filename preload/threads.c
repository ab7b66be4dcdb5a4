/* Threads: from pthread_create to the end of their thread-specific data. */
#include <limits.h>
#include <pthread.h>

#include "preload/agent.h"
#include "preload/export.h"
#include "preload/real.h"
#include "sampler/clock.h"
#include "sampler/heap.h"
#include "sampler/thread.h"

static pthread_key_t exit_key;
static bool has_exit_key;

/* Runs as a destructor of thread-specific data, at the thread's end. The application's destructors
 * may still use CPU and memory, so it asks to be called in a later round as long as it can. */
static void thread_exit(void *arg)
{
	struct sp_thread *t = arg;

	if (t->tls != &sp_tls || sp_agent.sealed)
		return; /* a forked child has taken the block away, or system calls may be deadly */
	if (t->exit_rounds++ < PTHREAD_DESTRUCTOR_ITERATIONS - 2 && pthread_setspecific(exit_key, t) == 0)
		return;
	sp_clock_disarm(t);
	sp_thread_release(t);
}

/* The start routine is a tail call: it returns to the C library as if it had been called from
 * there, and this frame is never in a stack. */
static void *thread_main(void *arg)
{
	struct sp_thread *t = arg;
	void *(*start)(void *) = t->start;
	void *start_arg = t->start_arg;

	t->exit_rounds = 0;
	t->root_pc = (uint64_t)(uintptr_t)__builtin_return_address(0);
	sp_thread_adopt(t, (uint64_t)(uintptr_t)start);
	sp_heap_start_thread(t);
	if (has_exit_key && pthread_setspecific(exit_key, t) == 0)
		sp_clock_arm(t); /* never without the means to disarm it */
	return start(start_arg);
}

void sp_threads_init(void)
{
	has_exit_key = pthread_key_create(&exit_key, thread_exit) == 0;
}

void sp_threads_own(struct sp_thread *t)
{
	t->exit_rounds = 0;
	if (has_exit_key)
		pthread_setspecific(exit_key, t);
}

SP_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	struct sp_thread *t;
	int err;

	if (sp_load(&sp_agent.state) == SP_AGENT_DORMANT && !sp_is_vfork_child())
		sp_agent.activate(); /* while there is one thread only */
	if (sp_load(&sp_agent.state) != SP_AGENT_ACTIVE || !(t = sp_thread_take()))
		return SP_REAL(pthread_create)(thread, attr, start, arg);
	t->start = start;
	t->start_arg = arg;
	err = SP_REAL(pthread_create)(thread, attr, thread_main, t);
	if (err)
		sp_thread_untake(t);
	return err;
}
