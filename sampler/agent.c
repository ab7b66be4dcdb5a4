/* The agent's two globals, entering and leaving, and the cycle counter. */
#include "sampler/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>

#include "sampler/sys.h"

struct sp_agent sp_agent;
__thread struct sp_tls sp_tls __attribute__((tls_model("initial-exec")));

#define PAGE 4096u /* at least, whatever the kernel's */

uint64_t sp_now_ns(void)
{
	return sp_clock_read_ns(CLOCK_MONOTONIC) - sp_agent.start_monotonic_ns;
}

void sp_calibrate_tsc(void)
{
	uint64_t before_ns = sp_now_ns(), cycles = sp_tsc_first() - sp_agent.start_tsc,
		 gap_ns = sp_now_ns() - before_ns, us = (before_ns + gap_ns / 2) / 1000;

	/* It is too early to tell, or others had the processor in between. What a parent knew, or else 2.5 GHz, has to do
	 * until the governor or a span asks again. */
	if (us >= 500 && gap_ns <= before_ns / 128 && !sp_load(&sp_agent.tsc_forbidden)) {
		sp_store(&sp_agent.tsc_per_us_x1024, sp_scale(cycles, 1024, us));
		sp_store(&sp_agent.tsc_measured, 1);
	} else if (!sp_agent.tsc_per_us_x1024) {
		sp_store(&sp_agent.tsc_per_us_x1024, 1024 * sp_cycles_per_us_assumed());
	}
	if (sp_agent.has_spool)
		sp_store(&sp_agent.spool->tsc_per_us_x1024, sp_load(&sp_agent.tsc_per_us_x1024));
}

uint64_t sp_tsc_made(void)
{
	uint64_t scale = sp_load(&sp_agent.tsc_per_us_x1024);

	if (sp_load(&sp_agent.tsc_forbidden) & SP_TSC_SEALED) /* a system call is not allowed either */
		return sp_agent.start_tsc;
	return sp_agent.start_tsc + sp_scale(sp_now_ns(), scale ? scale : 1024 * sp_cycles_per_us_assumed(), 1024000);
}

uint64_t sp_tsc_first(void)
{
	int may = PR_TSC_ENABLE;

	if (!sp_load(&sp_agent.tsc_forbidden) && sp_sys(SYS_prctl, PR_GET_TSC, &may, 0, 0, 0) == 0 &&
		may == PR_TSC_SIGSEGV)
		__atomic_fetch_or(&sp_agent.tsc_forbidden, SP_TSC_DISABLED, __ATOMIC_RELAXED);
	return sp_tsc();
}

SP_AT_FORK void sp_clear_pages(void *table, size_t bytes)
{
	uintptr_t at = (uintptr_t)table, end = at + bytes, from = sp_page_end(at), to = sp_page_start(end);

	if (from >= to || sp_sys(SYS_madvise, from, to - from, 4 /* MADV_DONTNEED */) != 0)
		from = to = end;
	memset(table, 0, from - at);
	memset((void *)to, 0, end - to);
}

struct sp_thread *sp_enter(void)
{
	struct sp_tls *tls = &sp_tls;

	if (tls->guard) {
		sp_drop(SP_DROP_REENTRY);
		return NULL;
	}
	tls->guard = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (!tls->thread || sp_agent_state() != SP_AGENT_ACTIVE || sp_unlikely(sp_is_stale_child()))
		goto refuse;
	return tls->thread;
refuse:
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	tls->guard = 0;
	return NULL;
}

void sp_leave(struct sp_thread *t)
{
	(void)t; /* in a forked child it is wiped */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	sp_tls.guard = 0;
}

uint64_t sp_block_others(bool own_stack)
{
	uint64_t set = ~0ull, before = 0;
	stack_t now;

	/* Inside a handler on an alternate stack, a signal that finds us on a private one would begin at its top
	 * again and overwrite that handler. */
	if (!sp_load(&sp_agent.shut) &&
		(own_stack || (sp_sys(SYS_sigaltstack, NULL, &now) == 0 && !(now.ss_flags & SS_ONSTACK))))
		set &= ~(1ull << (sp_agent.config.signal - 1));
	sp_sys(SYS_rt_sigprocmask, SIG_SETMASK, &set, &before, 8);
	return before;
}

/* A filter of system calls may forbid the one that is for this, and an emulator may lack it. */
static long read_through_file(void *to, uint64_t from, size_t bytes)
{
	long fd = sp_sys(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDONLY | O_CLOEXEC, 0), done;

	if (fd < 0)
		return fd;
	done = sp_sys(SYS_pread64, fd, to, bytes, from);
	sp_sys(SYS_close, fd);
	return done;
}

size_t sp_read_mapped(void *to, uint64_t from, size_t bytes)
{
	struct iovec local, pages[SP_READ_PAGES];
	uint64_t at = from, end = from + bytes;
	size_t n = 0;
	long done;

	/* The kernel finds out what is there, and copies no part of one of these. */
	for (; at < end && n < SP_READ_PAGES; at += pages[n++].iov_len)
		pages[n] = (struct iovec){(void *)at, end - at < PAGE - at % PAGE ? end - at : PAGE - at % PAGE};
	local = (struct iovec){to, at - from};
	done = sp_sys(SYS_process_vm_readv, sp_agent.pid, &local, 1, pages, n, 0);
	if (sp_unlikely(done == -ENOSYS || done == -EPERM))
		done = read_through_file(to, from, at - from);
	return done > 0 ? (size_t)done : 0;
}

bool sp_read_memory(void *to, const void *from, size_t bytes)
{
	return sp_read_mapped(to, (uint64_t)(uintptr_t)from, bytes) == bytes;
}
