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

/* What a thread to be does, beside its block, which is wiped in the child of a handler that forks meanwhile. */
struct routine {
	struct sp_thread *t;
	void *start, *arg;
};
static struct routine routines[SP_BLOCKS] SP_BIG; /* by the block's number */

/* A handler that forks in the midst of it would find half a block taken, or make one that is wiped a thread's. */
static struct routine *take_routine(void *start, void *arg, uint64_t stack)
{
	uint64_t mask = sp_block_others(false);
	struct sp_thread *t = sp_agent_state() == SP_AGENT_ACTIVE && !sp_is_stale_child() ? sp_block_take() : NULL;
	struct routine *r = t ? &routines[t->index] : NULL;

	if (r) {
		*r = (struct routine){t, start, arg};
		t->start = start;
		t->made_ns = sp_now_ns();
		t->stack_bytes = stack;
	}
	sp_restore_signals(mask);
	return r;
}

/* A block for a thread to be, or NULL: it will not be profiled. */
static struct routine *prepare_thread(const pthread_attr_t *attr, void *start, void *arg)
{
	struct sp_thread *mine;
	struct routine *r;

	sp_threads_wake();
	if (sp_agent_state() != SP_AGENT_ACTIVE)
		return NULL;
	sp_agent.look();
	sp_control_look();
	r = take_routine(start, arg, stack_bytes(attr));
	mine = sp_tls.thread;
	if (r && mine)
		sp_thread_ask_queue(mine, sp_now_ns()); /* it may only wait for the new one from now on */
	return r;
}

/* Whether the block is the one that was prepared, still. */
static bool has_block(const struct routine *r)
{
	return r->t->start == r->start && !sp_is_stale_child();
}

/* There is no such thread. */
static void give_up(const struct routine *r)
{
	uint64_t mask = sp_block_others(false);

	if (has_block(r))
		sp_block_give_back(r->t);
	sp_restore_signals(mask);
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

/* Whether the thread that is beginning lets our signal through, and where it does not, that it is told so. */
static void begin_clocks(struct sp_thread *t, bool blocks)
{
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

static void begin_prepared(struct sp_thread *t, void *return_address, bool blocks)
{
	struct sp_thread *known = sp_tls.thread ? sp_tls.thread : sp_self_own();
	struct sp_usage usage;

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
	begin_clocks(t, blocks);
}

/* In the new thread, before anything of the application's, unless a wrapper was first. */
static void begin_thread(const struct routine *r, void *return_address)
{
	uint64_t mask = sp_block_others(true);

	if (has_block(r))
		begin_prepared(r->t, return_address, mask >> (sp_agent.config.signal - 1) & 1);
	sp_restore_signals(mask);
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
	const struct routine r = *(const struct routine *)arg;
	void *(*start)(void *) = (void *(*)(void *))r.start;

	begin_thread(&r, __builtin_return_address(0));
	return start(r.arg);
}

static int thrd_main(void *arg)
{
	const struct routine r = *(const struct routine *)arg;
	thrd_start_t start = (thrd_start_t)r.start;

	begin_thread(&r, __builtin_return_address(0));
	return start(r.arg);
}

static void adopt(void)
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

void sp_threads_adopt(void)
{
	uint64_t mask = sp_block_others(false);

	if (sp_agent_state() == SP_AGENT_ACTIVE && !sp_tls.thread && !sp_is_stale_child())
		adopt();
	sp_restore_signals(mask);
}

void sp_threads_own(struct sp_thread *t)
{
	t->exit_rounds = 0;
	if (make_exit_key())
		pthread_setspecific(exit_key, t);
}

SP_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	struct routine *r = prepare_thread(attr, (void *)start, arg);
	int err;

	if (!r)
		return SP_REAL(pthread_create)(thread, attr, start, arg);
	err = SP_REAL(pthread_create)(thread, attr, thread_main, r);
	if (err)
		give_up(r);
	return err;
}

SP_EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
	struct routine *r = prepare_thread(NULL, (void *)start, arg);
	int result;

	if (!r)
		return SP_REAL(thrd_create)(thread, start, arg);
	result = SP_REAL(thrd_create)(thread, thrd_main, r);
	if (result != thrd_success)
		give_up(r);
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
		sp_waits.cloned = true;
		sp_children_expect();
	}
	tid = SP_REAL(clone)(fn, stack, flags, arg, parent_tid, tls, child_tid);
	if (tid > 0 && flags & CLONE_THREAD && sp_agent_state() == SP_AGENT_ACTIVE && !sp_is_stale_child())
		sp_discovery_add(tid);
	return tid;
}
