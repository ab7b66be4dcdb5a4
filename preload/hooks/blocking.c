/* Calls that may block, timed. A call that does not block takes two readings of the cycle counter more; what is counted of one
 * that does is sampler/waits's business.
 *
 * All words that a caller may have passed are passed on, and the answer is the register it comes in: so one hook does for all
 * of them, variadic ones too. The call is a cancellation point or not, and sets errno, as the function behind ours does; a
 * thread that is cancelled in it is unwound through our frame, in which nothing is left to be done. */
#include "preload/hooks/blocking.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "preload/export.h"
#include "preload/libc.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/spans/loop.h"
#include "sampler/waits/waits.h"

struct sp_blocking sp_blocking;

sp_blocking_fn *sp_blocking_find(sp_blocking_fn **place, const char *name)
{
	sp_blocking_fn *next = (sp_blocking_fn *)sp_real_find(name);

	sp_store(place, next);
	return next;
}

void sp_blocking_find_all(void)
{
	/* valgrind's tools would tell the user of the races of those that look one up at the same time. */
	if (sp_libc_finds_without_lock() && !sp_is_under_valgrind())
		return;
#define X(name, ...) (void)SP_BLOCKING(name);
	SP_BLOCKING_SIMPLE(X)
	SP_BLOCKING_SPECIAL(X)
#undef X
}

/* Not __builtin_frame_address: a function that asks for that finds its frame by rbp, which nobody knows of a thread that is
 * seen from outside. */
#define LOOP_CALL \
	((struct sp_loop_call){ \
		(uint64_t)(uintptr_t)__builtin_return_address(0), (uint64_t)(uintptr_t)__builtin_dwarf_cfa()})

/* Whether it was told not to wait. checked: the symbol is that of _FORTIFY_SOURCE (__recv_chk), with the buffer's size before
 * the flags. */
static inline __attribute__((always_inline)) bool cannot_block(enum sp_wait_call call, bool checked, long c, long d,
	long e)
{
	switch (call) {
	case SP_CALL_poll:
		return (int)c == 0;
	case SP_CALL_epoll_wait:
	case SP_CALL_epoll_pwait:
		return (int)d == 0;
	case SP_CALL_recv:
		return (int)(checked ? e : d) & MSG_DONTWAIT;
	case SP_CALL_recvfrom:
	case SP_CALL_send:
	case SP_CALL_sendto:
		return (int)d & MSG_DONTWAIT;
	case SP_CALL_recvmsg:
	case SP_CALL_sendmsg:
		return (int)c & MSG_DONTWAIT;
	default:
		return false;
	}
}

/* What is waited for, where it has an address. */
#define OBJECT(call, a) (sp_wait_has_object(call) ? (uint64_t)(a) : 0)

#define SIX long a, long b, long c, long d, long e, long f

#define X(symbol, call) \
	SP_EXPORT long sp_blocking_##symbol(SIX) __asm__(#symbol); \
	long sp_blocking_##symbol(SIX) \
	{ \
		sp_blocking_fn *next = SP_BLOCKING(symbol); \
		struct sp_thread *loop = sp_loop_may_be(SP_CALL_##call) ? sp_loop_thread(LOOP_CALL) : NULL; \
		struct sp_timed_call wait; \
		uint64_t cycles; \
		long result; \
\
		if (cannot_block(SP_CALL_##call, (#symbol)[0] == '_', c, d, e) && sp_likely(!loop)) \
			return next(a, b, c, d, e, f); \
		if (sp_unlikely(!sp_wait_begin(&wait, SP_CALL_##call))) \
			return next(a, b, c, d, e, f); \
		if (sp_unlikely(loop)) \
			sp_loop_add_round(loop, wait.began); \
		result = next(a, b, c, d, e, f); \
		cycles = sp_wait_end(&wait, SP_CALL_##call, OBJECT(SP_CALL_##call, a)); \
		if (sp_unlikely(loop)) \
			loop->loop.returned_tsc = wait.began + cycles; \
		else if (sp_loop_may_be(SP_CALL_##call) && sp_unlikely(cycles >= sp_load(&sp_waits.look_cycles))) \
			sp_loop_count(&LOOP_CALL, wait.began + cycles); \
		return result; \
	} \
	SP_BLOCKING_NAMED(symbol, symbol)
SP_BLOCKING_SIMPLE(X)
#undef X

/* Those with more words than registers. */
typedef long seven_fn(SIX, long g);
#define X(symbol, call) \
	SP_EXPORT long sp_blocking_##symbol(SIX, long g) __asm__(#symbol); \
	long sp_blocking_##symbol(SIX, long g) \
	{ \
		seven_fn *next = (seven_fn *)(void *)SP_BLOCKING(symbol); \
\
		return SP_TIMED(SP_CALL_##call, 0, next(a, b, c, d, e, f, g)); \
	} \
	SP_BLOCKING_NAMED(symbol, symbol)
X(__recvfrom_chk, recvfrom)
X(getnameinfo, getnameinfo)
#undef X

/* Of its commands those that wait for a lock. */
#define X(symbol) \
	SP_EXPORT long sp_blocking_##symbol(long fd, long command, long argument) __asm__(#symbol); \
	long sp_blocking_##symbol(long fd, long command, long argument) \
	{ \
		if (sp_likely((int)command != F_SETLKW && (int)command != F_OFD_SETLKW)) \
			return SP_BLOCKING(symbol)(fd, command, argument, 0, 0, 0); \
		return SP_TIMED(SP_CALL_fcntl, 0, SP_BLOCKING(symbol)(fd, command, argument, 0, 0, 0)); \
	} \
	SP_BLOCKING_NAMED(symbol, symbol)
X(fcntl)
X(fcntl64)
#undef X

/* --- condition variables */

#ifdef __x86_64__

/* Of which the C library has two kinds here: programs linked before 2003 use the older one. */
static sp_blocking_fn *find_old(sp_blocking_fn **place, const char *name)
{
	sp_blocking_fn *old = (sp_blocking_fn *)sp_libc_hidden_symbol(name);

	sp_store(place, old);
	return old;
}

#define X(symbol, before) \
	static long old_##symbol(SIX) __asm__("sp_old_" #symbol); \
	static __attribute__((used)) long old_##symbol(SIX) \
	{ \
		static sp_blocking_fn *old; \
		sp_blocking_fn *next = sp_load(&old) ? sp_load(&old) : find_old(&old, #symbol); \
\
		return SP_TIMED(SP_CALL_##symbol, (uint64_t)a, next(a, b, c, d, e, f)); \
	} \
	SP_EXPORT long sp_new_##symbol(SIX); \
	long sp_new_##symbol(SIX) \
	{ \
		before; \
		return SP_TIMED(SP_CALL_##symbol, (uint64_t)a, SP_BLOCKING(symbol)(a, b, c, d, e, f)); \
	} \
	SP_BLOCKING_NAMED(symbol, sp_new_##symbol) \
	__asm__(".symver sp_new_" #symbol ", " #symbol "@@GLIBC_2.3.2, remove\n\t" \
		".globl sp_old_" #symbol "\n\t" \
		".symver sp_old_" #symbol ", " #symbol "@GLIBC_2.2.5, remove");
#else
#define X(symbol, before) \
	SP_EXPORT long sp_blocking_##symbol(SIX) __asm__(#symbol); \
	long sp_blocking_##symbol(SIX) \
	{ \
		before; \
		return SP_TIMED(SP_CALL_##symbol, (uint64_t)a, SP_BLOCKING(symbol)(a, b, c, d, e, f)); \
	} \
	SP_BLOCKING_NAMED(symbol, symbol)
#endif
X(pthread_cond_wait, )
X(pthread_cond_timedwait, sp_wait_ask_gil((uint64_t)a))
#undef X

/* --- from a hook back to its call */

#define X(symbol, ...) extern const char sp_hook_##symbol[] SP_HIDDEN;
SP_BLOCKING_SIMPLE(X)
SP_BLOCKING_TIMED(X)
#undef X

int sp_blocking_call_of(uint64_t hook, uint64_t inner)
{
#define X(symbol, call) \
	if (hook == (uint64_t)(uintptr_t)sp_hook_##symbol || \
		(inner && inner == (uint64_t)(uintptr_t)sp_load(&sp_blocking.symbol))) \
		return SP_CALL_##call;
	SP_BLOCKING_SIMPLE(X)
	SP_BLOCKING_TIMED(X)
#undef X
	return -1;
}
