/* System calls without libc: no errno, no cancellation point, no interposed symbol in between.
 * Each returns the kernel's answer, a negative errno on failure. */
#ifndef SP_SAMPLER_SYS_H
#define SP_SAMPLER_SYS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "sampler/arch.h"

/* sp_sys(nr, ...): up to six arguments, each an integer or a pointer. */
#define SP_SYS_ARG(x) ((long)(x))
#define SP_SYS_PICK(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define SP_SYS0(n) sp_sys6(n, 0, 0, 0, 0, 0, 0)
#define SP_SYS1(n, a) sp_sys6(n, SP_SYS_ARG(a), 0, 0, 0, 0, 0)
#define SP_SYS2(n, a, b) sp_sys6(n, SP_SYS_ARG(a), SP_SYS_ARG(b), 0, 0, 0, 0)
#define SP_SYS3(n, a, b, c) sp_sys6(n, SP_SYS_ARG(a), SP_SYS_ARG(b), SP_SYS_ARG(c), 0, 0, 0)
#define SP_SYS4(n, a, b, c, d) sp_sys6(n, SP_SYS_ARG(a), SP_SYS_ARG(b), SP_SYS_ARG(c), SP_SYS_ARG(d), 0, 0)
#define SP_SYS5(n, a, b, c, d, e) \
	sp_sys6(n, SP_SYS_ARG(a), SP_SYS_ARG(b), SP_SYS_ARG(c), SP_SYS_ARG(d), SP_SYS_ARG(e), 0)
#define SP_SYS6(n, a, b, c, d, e, f) \
	sp_sys6(n, SP_SYS_ARG(a), SP_SYS_ARG(b), SP_SYS_ARG(c), SP_SYS_ARG(d), SP_SYS_ARG(e), SP_SYS_ARG(f))
#define sp_sys(...) SP_SYS_PICK(__VA_ARGS__, SP_SYS6, SP_SYS5, SP_SYS4, SP_SYS3, SP_SYS2, SP_SYS1, SP_SYS0)(__VA_ARGS__)

/* struct kernel_sigaction: all zero is SIG_DFL. On x86-64 it cannot do without a restorer. */
struct sp_raw_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};
#define SP_SA_RESTORER 0x04000000ul

/* madvise(2), since Linux 5.14: not in the headers of every system that builds us. */
#define SP_MADV_POPULATE_WRITE 23

/* Whether a system call that returns an address or a number failed. */
static inline bool sp_is_error(long result)
{
	return result < 0 && result > -4096;
}

/* What madvise(2) has returned: 0, -ENOSYS where the kernel does not know the advice, -EOPNOTSUPP where a filter of system calls
 * refuses it, or another negative errno. */
static inline int sp_advice_error(long result)
{
	return result == -EINVAL ? -ENOSYS : result == -EPERM || result == -EACCES ? -EOPNOTSUPP : (int)result;
}

/* Blocks all signals of the calling thread and returns the mask before, for sp_restore_signals:
 * nothing of the application's may run on a private stack. */
static inline uint64_t sp_block_signals(void)
{
	uint64_t all = ~0ull, before = 0;

	sp_sys(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &before, 8);
	return before;
}

static inline void sp_restore_signals(uint64_t mask)
{
	sp_sys(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &mask, NULL, 8);
}

/* A clock of clock_gettime(2) in nanoseconds; 0 when it cannot be read, such as that of a thread that is gone. */
static inline uint64_t sp_clock_read_ns(int32_t clock)
{
	struct timespec ts;

	if (sp_sys(SYS_clock_gettime, clock, &ts) != 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The CPU clock of a thread of this process, as pthread_getcpuclockid makes it (kernel:
 * MAKE_THREAD_CPUCLOCK). */
static inline int32_t sp_clock_of_thread(int tid)
{
	return (int32_t)(~(uint32_t)tid << 3 | 6);
}

#endif
