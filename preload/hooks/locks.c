/* Locks. One that is free costs the look whether it is, which is also what takes it; time is taken only when it is not. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "preload/export.h"
#include "preload/hooks/blocking.h"
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

static __attribute__((noinline)) long contended(sp_blocking_fn *lock, enum sp_wait_call call, long a, long b, long c)
{
	struct sp_timed_call wait;
	long result;

	if (!sp_wait_begin(&wait))
		return lock(a, b, c, 0, 0, 0);
	result = lock(a, b, c, 0, 0, 0);
	sp_wait_end(&wait, call);
	return result;
}

/* HOOK(symbol, try, words, more, plain, same): `try` takes the lock or says EBUSY; what else it says the caller is told, if
 * the two speak the `same` language. plain: there is nothing to be looked for. */
#define HOOK(symbol, try, words, more, plain, same) \
	SP_EXPORT long sp_blocking_##symbol words __asm__(#symbol); \
	long sp_blocking_##symbol words \
	{ \
		int result; \
\
		if (sp_unlikely(!sp_load(&sp_waits.least_cycles)) || (plain)) \
			return SP_BLOCKING(symbol)(a, more, 0, 0, 0); \
		result = (int)SP_BLOCKING(try)(a, 0, 0, 0, 0, 0); \
		if (sp_likely(!result) || ((same) && result != EBUSY)) \
			return result; \
		return contended(SP_BLOCKING(symbol), SP_CALL_##symbol, a, more); \
	}
#define ONE (long a)
#define THREE (long a, long b, long c)
#define NONE 0, 0
#define BOTH b, c
#define MUTEX(a) ((const pthread_mutex_t *)(a))
HOOK(pthread_mutex_lock, pthread_mutex_trylock, ONE, NONE, nobody_else(MUTEX(a)), true)
HOOK(pthread_mutex_timedlock, pthread_mutex_trylock, THREE, BOTH, nobody_else(MUTEX(a)), true)
HOOK(pthread_mutex_clocklock, pthread_mutex_trylock, THREE, BOTH, !is_clock((int)b) || nobody_else(MUTEX(a)), true)
HOOK(mtx_lock, pthread_mutex_trylock, ONE, NONE, nobody_else(MUTEX(a)), false)
HOOK(mtx_timedlock, pthread_mutex_trylock, THREE, BOTH, nobody_else(MUTEX(a)), false)
HOOK(pthread_rwlock_rdlock, pthread_rwlock_tryrdlock, ONE, NONE, false, true)
HOOK(pthread_rwlock_wrlock, pthread_rwlock_trywrlock, ONE, NONE, false, true)

_Static_assert(thrd_success == 0, "what a look says when it has taken the lock");
