/* Locks. One that is free costs the look whether it is, which is also what takes it; time is taken only when it is not. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <threads.h>

#include "preload/export.h"
#include "preload/hooks/blocking.h"
#include "preload/libc.h"
#include "sampler/sys.h"
#include "sampler/waits/waits.h"

/* A process with one thread waits for locks that others share with it, and for none else. It takes a lock without the
 * atomic operation that a look takes. */
static bool nobody_else(const pthread_mutex_t *m)
{
	return sp_is_single_threaded() && !(m->__data.__kind & 128 /* PTHREAD_MUTEX_PSHARED_BIT */);
}

static bool is_clock(long clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

/* A kind of lock: how to wait for it for a while, and the word that names its owner. */
struct kind {
	sp_blocking_fn *timed; /* NULL: there is no such way */
	const int *owner;
	uint64_t lock, caller;
	bool same; /* its answers are those of the lock's own function */
};

/* Waits for `c->patience_ns`. True: that is all, *result is the answer. */
static bool try_first(struct sp_contention *c, const struct kind *k, long *result)
{
	uint64_t until = sp_clock_read_ns(CLOCK_MONOTONIC) + c->patience_ns;
	struct timespec at = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};

	*result = k->timed((long)k->lock, CLOCK_MONOTONIC, (long)&at, 0, 0, 0);
	if (*result == 0 || (k->same && *result != ETIMEDOUT))
		return true;
	sp_contention_look(c, k->owner);
	return false;
}

static __attribute__((noinline)) long contended(const struct kind *k, sp_blocking_fn *lock, enum sp_wait_call call,
	long b, long c)
{
	struct sp_contention contention;
	long result;

	if (!sp_contention_begin(&contention, k->lock, k->owner, k->caller, k->timed != NULL))
		return lock((long)k->lock, b, c, 0, 0, 0);
	if (!contention.patience_ns || contention.patience_ns == UINT64_MAX || !try_first(&contention, k, &result))
		result = lock((long)k->lock, b, c, 0, 0, 0);
	sp_contention_end(&contention, call);
	return result;
}

/* Race detectors stand between this library and the C library: what a program locks they must be told by the function that
 * it has called, and some of the others they do not know. */
static enum { NOT_KNOWN, MAY_LOOK, MAY_NOT } looking; /* atomic */

static __attribute__((noinline)) bool may_look(void)
{
	bool may = true;

	if (sp_load(&looking) != NOT_KNOWN)
		return sp_load(&looking) == MAY_LOOK;
#define X(name) may = may && (void *)SP_BLOCKING(name) == sp_libc_symbol(#name);
	SP_BLOCKING_LOCKS(X)
#undef X
	sp_store(&looking, may ? MAY_LOOK : MAY_NOT);
	return may;
}

static bool is_robust(const pthread_mutex_t *m)
{
	return m->__data.__kind & 16 /* PTHREAD_MUTEX_ROBUST_NORMAL_NP */;
}

/* A robust mutex has its owner's thread id in its first word, which the kernel takes out when the owner dies. */
static bool is_anothers(const pthread_mutex_t *m)
{
	uint32_t tid = (uint32_t)sp_load(&m->__data.__lock) & FUTEX_TID_MASK;

	return tid && !(sp_tls.thread && (uint32_t)sp_tls.thread->tid == tid);
}

static __attribute__((noinline)) long unlooked(const struct kind *k, sp_blocking_fn *lock, enum sp_wait_call call,
	long b, long c)
{
	struct sp_timed_call wait;
	bool timed = sp_wait_begin(&wait, call);
	long result = lock((long)k->lock, b, c, 0, 0, 0);

	if (timed)
		sp_wait_end_of(&wait, call, k->lock, k->caller);
	return result;
}

/* Trying a robust mutex that cannot be recovered would leave it taken, in the C library up to 2.36 at least: it is looked at. */
static __attribute__((noinline)) long untried(const struct kind *k, sp_blocking_fn *lock, enum sp_wait_call call,
	long b, long c)
{
	if (sp_load(&looking) != MAY_LOOK && !may_look())
		return unlooked(k, lock, call, b, c);
	if (!is_anothers((const pthread_mutex_t *)k->lock))
		return lock((long)k->lock, b, c, 0, 0, 0);
	return contended(k, lock, call, b, c);
}

/* One that lends its owner the waiter's priority would have to take it back for a moment. */
static sp_blocking_fn *timed_mutex(const pthread_mutex_t *m)
{
	return m->__data.__kind & 96 /* PTHREAD_MUTEX_PRIO_INHERIT_NP, _PRIO_PROTECT_NP */
		? NULL
		: SP_BLOCKING(pthread_mutex_clocklock);
}

static sp_blocking_fn *timed_read(void)
{
	return SP_BLOCKING(pthread_rwlock_clockrdlock);
}

static sp_blocking_fn *timed_write(void)
{
	return SP_BLOCKING(pthread_rwlock_clockwrlock);
}

/* HOOK(symbol, try, words, more, plain, robust, same, timed, owner): `try` takes the lock or says EBUSY; what else it says the
 * caller is told, if the two speak the `same` language. plain: there is nothing to be looked for; robust: it must not be tried. */
#define HOOK(symbol, try, words, more, plain, robust, same, timed, owner) \
	SP_EXPORT long sp_blocking_##symbol words __asm__(#symbol); \
	long sp_blocking_##symbol words \
	{ \
		int result; \
\
		if (sp_unlikely(!sp_load(&sp_waits.least_cycles)) || (plain)) \
			return SP_BLOCKING(symbol)(a, more, 0, 0, 0); \
		if (sp_unlikely(robust)) \
			return untried(&(struct kind){timed, owner, (uint64_t)a, CALLER, same}, SP_BLOCKING(symbol), \
				SP_CALL_##symbol, more); \
		if (sp_unlikely(sp_load(&looking) != MAY_LOOK && !may_look())) \
			return unlooked(&(struct kind){.lock = (uint64_t)a, .caller = CALLER}, SP_BLOCKING(symbol), \
				SP_CALL_##symbol, more); \
		result = (int)SP_BLOCKING(try)(a, 0, 0, 0, 0, 0); \
		if (sp_likely(!result) || ((same) && result != EBUSY)) \
			return result; \
		return contended(&(struct kind){timed, owner, (uint64_t)a, CALLER, same}, SP_BLOCKING(symbol), \
			SP_CALL_##symbol, more); \
	} \
	SP_BLOCKING_NAMED(symbol, symbol)
#define CALLER ((uint64_t)__builtin_return_address(0))
#define ONE (long a)
#define THREE (long a, long b, long c)
#define NONE 0, 0
#define BOTH b, c
#define MUTEX(a) ((const pthread_mutex_t *)(a))
#define OWNER(a) (&MUTEX(a)->__data.__owner)
#define WRITER(a) (&((const pthread_rwlock_t *)(a))->__data.__cur_writer)
HOOK(pthread_mutex_lock, pthread_mutex_trylock, ONE, NONE, nobody_else(MUTEX(a)), is_robust(MUTEX(a)), true,
	timed_mutex(MUTEX(a)), OWNER(a))
HOOK(pthread_mutex_timedlock, pthread_mutex_trylock, THREE, BOTH, nobody_else(MUTEX(a)), is_robust(MUTEX(a)), true,
	NULL, OWNER(a))
HOOK(pthread_mutex_clocklock, pthread_mutex_trylock, THREE, BOTH, !is_clock((int)b) || nobody_else(MUTEX(a)),
	is_robust(MUTEX(a)), true, NULL, OWNER(a))
HOOK(mtx_lock, pthread_mutex_trylock, ONE, NONE, nobody_else(MUTEX(a)), false, false, timed_mutex(MUTEX(a)), OWNER(a))
HOOK(mtx_timedlock, pthread_mutex_trylock, THREE, BOTH, nobody_else(MUTEX(a)), false, false, NULL, OWNER(a))
HOOK(pthread_rwlock_rdlock, pthread_rwlock_tryrdlock, ONE, NONE, false, false, true, timed_read(), WRITER(a))
HOOK(pthread_rwlock_wrlock, pthread_rwlock_trywrlock, ONE, NONE, false, false, true, timed_write(), WRITER(a))

_Static_assert(thrd_success == 0, "what a look says when it has taken the lock");
