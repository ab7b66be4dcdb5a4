/* Threads: from pthread_create to the end of their thread-specific data. */
#include "preload/hooks/threads.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <threads.h>

#include "preload/export.h"
#include "preload/hooks/allocators.h"
#include "preload/hooks/blocking.h"
#include "preload/hooks/children.h"
#include "preload/hooks/operators.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/clock/clock.h"
#include "sampler/heap/heap.h"
#include "sampler/sys.h"
#include "sampler/threads/registry.h"
#include "sampler/threads/self.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/control.h"
#include "sampler/upkeep/discovery.h"
#include "sampler/upkeep/totals.h"
#include "sampler/upkeep/unblocked.h"
#include "sampler/waits/waits.h"

static pthread_key_t exit_key;
static bool has_exit_key;

static bool stop_clocks(struct sp_thread *t, void *unused)
{
	(void)unused;
	return sp_clock_disarm(t);
}

/* Runs as a destructor of thread-specific data, at the thread's end. The application's destructors
 * may still use CPU and memory, so it asks to be called in a later round as long as it can. */
static void thread_exit(void *arg)
{
	struct sp_thread *t = arg;
	bool recorded, waited;

	if (t->tls != &sp_tls || sp_agent.sealed)
		return; /* a forked child has taken the block away, or system calls may be deadly */
	if (t->exit_rounds++ < PTHREAD_DESTRUCTOR_ITERATIONS - 2 && pthread_setspecific(exit_key, t) == 0)
		return;
	if (!sp_unblocked_leave(t, &waited) || !sp_block_await(t, stop_clocks, NULL))
		return;
	recorded = t->record != NULL;
	if (recorded)
		sp_short_settle(t);
	sp_thread_release(t);
	if (recorded)
		sp_totals_follow(sp_tsc_first());
}

/* Not in the constructor: most processes never need it, and the C library's table of keys is a page to be touched. */
static bool make_exit_key(void)
{
	static uint32_t tried;

	if (!__atomic_exchange_n(&tried, 1, __ATOMIC_ACQ_REL))
		has_exit_key = pthread_key_create(&exit_key, thread_exit) == 0;
	return has_exit_key;
}

static bool made;

SP_AT_FORK bool sp_threads_made(void)
{
	return made;
}

void sp_threads_wake(void)
{
	if (!made) {
		sp_allocators_find_all();
		sp_operators_find_all();
		sp_real_find_all();
		sp_blocking_find_all();
		if (sp_agent.watch_forks)
			sp_agent.watch_forks();
	}
	made = true;
	if (sp_unlikely(sp_is_stale_child()))
		sp_agent.forked();
	if (sp_agent_state() == SP_AGENT_DORMANT && !sp_is_vfork_child())
		sp_agent.activate(); /* while there is one thread only */
}

/* What of a new thread's stack is mapped for sure, below its thread pointer: the C library puts that at the stack's end
 * (nptl/allocatestack.c), before or behind what the thread has of thread-local variables. */
static uint64_t stack_bytes(const pthread_attr_t *attr)
{
	pthread_attr_t usual;
	size_t size, guard;

	if (!attr) {
		if (pthread_attr_init(&usual) != 0)
			return 0;
		attr = &usual;
	}
	if (pthread_attr_getstacksize(attr, &size) != 0 || pthread_attr_getguardsize(attr, &guard) != 0)
		size = guard = 0;
	if (attr == &usual)
		pthread_attr_destroy(&usual);
	return size > guard + SP_STACK_END_BYTES ? size - guard - SP_STACK_END_BYTES : 0;
}

/* A block for a thread to be, or NULL: it will not be profiled. */
static struct sp_thread *prepare_thread(const pthread_attr_t *attr, void *start, void *arg)
{
	struct sp_thread *t;

	sp_threads_wake();
	if (sp_agent_state() != SP_AGENT_ACTIVE)
		return NULL;
	sp_agent.look();
	sp_control_look();
	t = sp_block_take();
	if (!t)
		return NULL;
	t->start = start;
	t->start_arg = arg;
	t->made_ns = sp_now_ns();
	t->stack_bytes = stack_bytes(attr);
	if (sp_tls.thread)
		sp_thread_ask_queue(sp_tls.thread, t->made_ns); /* it may only wait for the new one from now on */
	return t;
}

/* A wrapper of pthread_create that stands behind ours works in the new thread before it comes to us: the thread may
 * have a block already, from its first malloc or from discovery. It keeps that one, which learns what was prepared. */
static struct sp_thread *join(struct sp_thread *known, struct sp_thread *prepared)
{
	if (!known->start) {
		known->start = prepared->start;
		known->stack_bytes = prepared->stack_bytes;
		if (known->record) {
			known->record->entry = (uint64_t)(uintptr_t)prepared->start;
			known->record->start_ns = prepared->made_ns;
			known->record->flags &= ~SP_THREAD_FOUND;
		}
	}
	sp_block_give_back(prepared);
	return known;
}

/* In the new thread, before anything of the application's, unless a wrapper was first. */
static void begin_thread(struct sp_thread *t, void *return_address)
{
	struct sp_thread *known = sp_tls.thread ? sp_tls.thread : sp_self_own();
	struct sp_usage usage;
	bool blocks;

	if (known)
		t = join(known, t);
	else
		sp_thread_usage_now((int)sp_sys(SYS_gettid), &usage);
	t->exit_rounds = 0;
	t->root_pc = (uint64_t)(uintptr_t)return_address;
	t->stack_high = (uint64_t)pthread_self(); /* the thread pointer */
	sp_tls.place = (struct sp_thread_place){t->root_pc, t->stack_high, t->stack_bytes};
	sp_store(&sp_agent.thread_root_pc, t->root_pc);
	if (!known)
		sp_thread_adopt(t, (uint64_t)(uintptr_t)t->start, usage.user_ns, usage.sys_ns);
	if (sp_agent.config.heap && !t->heap_interval)
		sp_heap_start_thread(t);
	blocks = sp_thread_blocks_signal();
	if (blocks)
		sp_clock_stop_process();
	if (blocks && t->record)
		t->record->flags |= SP_THREAD_BLOCKED;
	if (!make_exit_key() || pthread_setspecific(exit_key, t) != 0)
		return; /* never armed without the means to disarm it */
	if (!blocks) {
		sp_clock_arm(t);
		return;
	}
	sp_store(&t->waits, SP_SIGNAL_BLOCKED);
	sp_unblocked_begin();
}

void sp_threads_unblocked(void)
{
	struct sp_thread *t = sp_tls.thread;
	struct sp_usage usage;
	bool waited;

	if (!t || !sp_load(&t->waits) || !t->owned || sp_agent.sealed || sp_thread_blocks_signal() ||
		!sp_unblocked_leave(t, &waited) || !waited)
		return;
	sp_thread_usage_now(t->tid, &usage);
	sp_thread_skip(t, &usage, SP_THREAD_BLOCKED);
	sp_clock_arm(t);
}

/* The start routine is a tail call: it returns to the C library as if it had been called from
 * there, and this frame is never in a stack. */
static void *thread_main(void *arg)
{
	struct sp_thread *t = arg;
	void *(*start)(void *) = (void *(*)(void *))t->start;
	void *start_arg = t->start_arg;

	begin_thread(t, __builtin_return_address(0));
	return start(start_arg);
}

static int thrd_main(void *arg)
{
	struct sp_thread *t = arg;
	thrd_start_t start = (thrd_start_t)t->start;
	void *start_arg = t->start_arg;

	begin_thread(t, __builtin_return_address(0));
	return start(start_arg);
}

void sp_threads_adopt(void)
{
	int tid = (int)sp_sys(SYS_gettid);
	struct sp_thread *t = sp_self_own(), *other;
	struct sp_usage usage;

	if (!t) {
		other = sp_registry_find(tid, NULL);
		if (other && (other->foreign || (other->owned && other->tls != &sp_tls)))
			return;
		t = sp_block_take();
		if (!t)
			return;
		sp_thread_usage_now(tid, &usage);
		sp_thread_adopt(t, 0, usage.user_ns, usage.sys_ns);
		if (t->record)
			t->record->flags |= SP_THREAD_FOUND;
	}
	t->exit_rounds = 0;
	if (make_exit_key() && pthread_setspecific(exit_key, t) == 0)
		sp_clock_arm(t);
}

void sp_threads_own(struct sp_thread *t)
{
	t->exit_rounds = 0;
	if (make_exit_key())
		pthread_setspecific(exit_key, t);
}

SP_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	struct sp_thread *t;
	int err;

	t = prepare_thread(attr, (void *)start, arg);
	if (!t)
		return SP_REAL(pthread_create)(thread, attr, start, arg);
	err = SP_REAL(pthread_create)(thread, attr, thread_main, t);
	if (err)
		sp_block_give_back(t);
	return err;
}

SP_EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
	struct sp_thread *t = prepare_thread(NULL, (void *)start, arg);
	int result;

	if (!t)
		return SP_REAL(thrd_create)(thread, start, arg);
	result = SP_REAL(thrd_create)(thread, thrd_main, t);
	if (result != thrd_success)
		sp_block_give_back(t);
	return result;
}

/* A new thread by clone itself: it begins at `fn` on a stack of its own and never comes by here, so
 * it is armed from outside. What makes a process, vfork-like or not, goes its way untouched. */
SP_EXPORT int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
	pid_t *parent_tid, *child_tid;
	va_list more;
	void *tls;
	int tid;

	va_start(more, arg);
	parent_tid = va_arg(more, pid_t *);
	tls = va_arg(more, void *);
	child_tid = va_arg(more, pid_t *);
	va_end(more);
	if (flags & CLONE_THREAD)
		sp_threads_wake();
	else {
		sp_waits.vforked = true;
		sp_children_expect();
	}
	tid = SP_REAL(clone)(fn, stack, flags, arg, parent_tid, tls, child_tid);
	if (tid > 0 && flags & CLONE_THREAD && sp_agent_state() == SP_AGENT_ACTIVE && !sp_is_stale_child())
		sp_discovery_add(tid);
	return tid;
}
