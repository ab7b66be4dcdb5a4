/* A call made by a thread of another process: by ptrace(2), in a way that outlives this command.
 *
 * The thread is given the call as if a signal handler were called: below its stack stands a frame as the kernel makes it for a
 * handler (with all registers, those of vectors, and the signal mask), and the function returns to the C library's end of
 * handlers, rt_sigreturn. If this command is killed at any moment, the thread comes back by itself. If not, that last system
 * call is not made: the thread is put back as it was when it was stopped, and the kernel restarts the system call that it
 * was in as after any stop. */
#include "tools/attach/attach.h"

#include <elf.h>
#include <errno.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "profiles/base/time.h"

/* <sys/ptrace.h> and <linux/ptrace.h> do not go together. */
extern long ptrace(int request, ...);

#define STOP_WAIT_NS 1000000000ull
#define CALL_WAIT_NS 5000000000ull
#define LOOK_NS 20000000u
#define RED_ZONE 128u
#define SYSCALL_BYTES 2u
#define FX_MAGIC1 0x46505853u
#define FX_MAGIC2 0x46505845u
#define FX_SOFTWARE 464u /* where an fxsave area leaves room for software */
#define VECTORS_MAX 16384u

/* As the kernel has them (arch/x86/include/uapi/asm/sigcontext.h, errno.h). */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

struct frame {
	uint64_t back;
	uint64_t flags, link;
	uint64_t altstack;
	int32_t altstack_flags, pad;
	uint64_t altstack_bytes;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, trap, old_mask, cr2, vectors, reserved[8];
	uint64_t mask;
	uint8_t info[128];
};
#define FRAME_FLAGS 7u /* vectors as xsave has them; ss is valid, strictly */

/* A thread that is to make a call: what it was, and what it is to be when it comes back by itself. */
struct job {
	struct sp_attach_hold *hold;
	struct user_regs_struct was, back;
	uint8_t vectors[VECTORS_MAX];
	size_t vector_bytes;
	uint64_t mask;
	uint64_t frame; /* address of it */
	bool agent;     /* the agent has done its work */
};

static bool trace(int request, int tid, uint64_t address, const void *data)
{
	return ptrace(request, tid, address, data) == 0;
}

/* Waits for the thread to stop; SIGCHLD is blocked, and wakes us. False: it has not, or is gone. */
static bool await(struct sp_attach_hold *hold, uint64_t until_ns, int *status)
{
	sigset_t children;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	for (;;) {
		int got = waitpid(hold->tid, status, __WALL | WNOHANG);

		if (got < 0 || (got == hold->tid && !WIFSTOPPED(*status)))
			hold->gone = true;
		if (got)
			return got == hold->tid && !hold->gone;
		if (sp_time_ns(CLOCK_MONOTONIC) >= until_ns)
			return false;
		sigtimedwait(&children, NULL, &(struct timespec){.tv_nsec = 5000000});
	}
}

static bool is_our_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGTRAP;
}

/* The signal that a stop is about; at one for a system call or an event there is none. */
static int signal_of(int status)
{
	return status >> 16 || WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
}

/* Signals that come first are the thread's. */
static int interrupt(struct sp_attach_hold *hold, uint64_t wait_ns)
{
	uint64_t until_ns = sp_time_ns(CLOCK_MONOTONIC) + wait_ns;
	int status;

	if (!trace(PTRACE_INTERRUPT, hold->tid, 0, NULL))
		return -errno;
	for (;;) {
		if (!await(hold, until_ns, &status))
			return hold->gone ? -ESRCH : -ETIMEDOUT;
		if (is_our_stop(status))
			return 0;
		if (status >> 16 == PTRACE_EVENT_STOP)
			return -EBUSY;
		trace(PTRACE_CONT, hold->tid, 0, (void *)(uintptr_t)signal_of(status));
	}
}

/* Some system calls, such as epoll_wait, do not restart by themselves when they were broken off for a tracer. This one does,
 * unless a signal is there for the thread, too: that is nobody's business but ours. */
static bool make_restart(int tid, int waited_ms, struct user_regs_struct *r)
{
	bool epoll = r->orig_rax == SYS_epoll_wait || r->orig_rax == SYS_epoll_pwait;

	if ((int64_t)r->orig_rax < 0 || (int64_t)r->rax != -EINTR)
		return true;
	r->rax = (uint64_t)-ERESTARTNOHAND;
	if (epoll && (int)r->r10 > 0)
		r->r10 = (int)r->r10 > waited_ms ? (uint64_t)((int)r->r10 - waited_ms) : 0;
	return trace(PTRACE_SETREGS, tid, 0, r);
}

int sp_attach_hold(struct sp_attach_hold *hold, int pid, int tid, int waited_ms, struct user_regs_struct *registers)
{
	int err;

	*hold = (struct sp_attach_hold){.pid = pid, .tid = tid, .since_ns = sp_time_ns(CLOCK_MONOTONIC)};
	if (!trace(PTRACE_SEIZE, tid, 0, (void *)(uintptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEVFORKDONE)))
		return -errno;
	err = interrupt(hold, STOP_WAIT_NS);
	if (!err && (!trace(PTRACE_GETREGS, tid, 0, registers) || !make_restart(tid, waited_ms, registers)))
		err = -errno;
	if (err)
		sp_attach_let_go(hold);
	return err;
}

uint64_t sp_attach_let_go(struct sp_attach_hold *hold)
{
	if (!hold->gone && !trace(PTRACE_DETACH, hold->tid, 0, NULL) && errno == ESRCH) {
		/* It does not stand still: what is traced is let go of only then. */
		int err = interrupt(hold, STOP_WAIT_NS);

		if (!err || err == -EBUSY)
			trace(PTRACE_DETACH, hold->tid, 0, NULL);
	}
	return sp_time_ns(CLOCK_MONOTONIC) - hold->since_ns;
}

/* --- where the thread goes on */

/* What the kernel does with a call that was broken off (arch/x86/kernel/signal.c), done for it. */
static void find_way_back(struct job *job)
{
	int64_t result = (int64_t)job->was.rax;
	bool again = result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND;

	job->back = job->was;
	job->back.orig_rax = (uint64_t)-1;
	if ((int64_t)job->was.orig_rax < 0 || (!again && result != -ERESTART_RESTARTBLOCK))
		return;
	job->back.rax = again ? job->was.orig_rax : SYS_restart_syscall;
	job->back.rip -= SYSCALL_BYTES;
}

static bool read_thread(struct job *job)
{
	struct iovec area = {job->vectors, sizeof(job->vectors)};

	job->vector_bytes = 0;
	if (!trace(PTRACE_GETREGSET, job->hold->tid, NT_X86_XSTATE, &area))
		return false;
	job->vector_bytes = area.iov_len;
	return job->vector_bytes >= 512 + 64 && job->vector_bytes + 4 <= sizeof(job->vectors) &&
		trace(PTRACE_GETSIGMASK, job->hold->tid, sizeof(job->mask), &job->mask);
}

/* The vectors' registers as a signal frame has them. */
static void to_signal_frame(const struct job *job, uint8_t *to)
{
	uint32_t software[6] = {FX_MAGIC1, (uint32_t)job->vector_bytes + 4};
	const uint32_t end = FX_MAGIC2;

	memcpy(to, job->vectors, job->vector_bytes);
	memcpy(&software[2], job->vectors + FX_SOFTWARE, 8); /* which there are */
	software[4] = (uint32_t)job->vector_bytes;
	memcpy(to + FX_SOFTWARE, software, sizeof(software));
	memcpy(to + job->vector_bytes, &end, sizeof(end));
}

static void fill_frame(const struct job *job, struct frame *f, uint64_t vectors, uint64_t sigreturn)
{
	const struct user_regs_struct *r = &job->back;

	*f = (struct frame){.back = sigreturn,
		.flags = FRAME_FLAGS,
		.altstack_flags = 0x7f, /* no such flags: the alternate stack stays as it is */
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.di = r->rdi,
		.si = r->rsi,
		.bp = r->rbp,
		.bx = r->rbx,
		.dx = r->rdx,
		.ax = r->rax,
		.cx = r->rcx,
		.sp = r->rsp,
		.ip = r->rip,
		.eflags = r->eflags,
		.cs = (uint16_t)r->cs,
		.ss = (uint16_t)r->ss,
		.vectors = vectors,
		.mask = job->mask};
}

/* Writes what stands below the thread's stack during the call, and tells the registers that it begins with. */
static bool prepare(struct job *job, const struct sp_attach_call *call, struct user_regs_struct *begin)
{
	static uint8_t area[VECTORS_MAX + 64];
	uint64_t vectors = (job->was.rsp - RED_ZONE - sizeof(area)) & ~63ull, text = vectors - PATH_MAX;
	struct frame frame;

	job->frame = (text - sizeof(frame)) / 16 * 16 - 8; /* as a call leaves the stack */
	to_signal_frame(job, area);
	fill_frame(job, &frame, vectors, call->sigreturn);
	*begin = job->was;
	begin->orig_rax = (uint64_t)-1; /* no system call is restarted */
	begin->rax = 0;
	begin->rip = call->function;
	begin->rsp = job->frame;
	begin->rdi = text;
	begin->rsi = call->argument;
	begin->eflags &= ~(1ull << 10 | 1ull << 8); /* direction, trap */
	return (!call->text || sp_attach_write(job->hold->pid, text, call->text, strlen(call->text) + 1)) &&
		sp_attach_write(job->hold->pid, vectors, area, job->vector_bytes + 4) &&
		sp_attach_write(job->hold->pid, job->frame, &frame, sizeof(frame));
}

/* No handler of the program's runs meanwhile. What the processor raises cannot be blocked. */
static bool block_signals(const struct job *job)
{
	const int raised[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
	uint64_t mask = ~0ull;

	for (size_t i = 0; i < sizeof(raised) / sizeof(*raised); i++)
		mask &= ~(1ull << (raised[i] - 1));
	return trace(PTRACE_SETSIGMASK, job->hold->tid, sizeof(mask), &mask);
}

/* --- the call */

static bool is_at(const struct job *job, int64_t call, struct user_regs_struct *r)
{
	return trace(PTRACE_GETREGS, job->hold->tid, 0, r) && (int64_t)r->orig_rax == call;
}

/* Whether the thread is above the frame again: it has come back without having been stopped. */
static bool has_come_back(const struct job *job)
{
	unsigned long long sp = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", job->hold->pid, job->hold->tid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%*d %*x %*x %*x %*x %*x %*x %llx", &sp) != 1)
		sp = 0;
	if (file)
		fclose(file);
	return sp >= job->was.rsp;
}

/* Until the agent has told that it is done, and from there to the system call that ends the thread's way. */
static int run_to_end(struct job *job)
{
	uint64_t until_ns = sp_time_ns(CLOCK_MONOTONIC) + CALL_WAIT_NS;
	struct user_regs_struct r;
	int status, signal = 0;

	for (;;) {
		if (!trace(job->agent ? PTRACE_SYSCALL : PTRACE_CONT, job->hold->tid, 0, (void *)(uintptr_t)signal))
			return -ESRCH;
		while (!await(job->hold, sp_time_ns(CLOCK_MONOTONIC) + LOOK_NS, &status)) {
			if (job->hold->gone)
				return -ESRCH;
			if (!job->agent && has_come_back(job))
				return -ENOEXEC;
			if (sp_time_ns(CLOCK_MONOTONIC) >= until_ns)
				return -ETIMEDOUT;
		}
		signal = 0;
		if (status >> 16 == PTRACE_EVENT_VFORK_DONE)
			job->agent = job->agent || (is_at(job, SYS_clone, &r) && r.r8 == SP_ATTACH_ENDS);
		else if (WSTOPSIG(status) == (SIGTRAP | 0x80) && is_at(job, SYS_rt_sigreturn, &r) &&
			r.rsp == job->frame + 8)
			return 0;
		else if (WSTOPSIG(status) != (SIGTRAP | 0x80) && status >> 16 != PTRACE_EVENT_STOP)
			signal = WSTOPSIG(status);
	}
}

/* As it will be when it comes back by itself; then stopped where the kernel looks at what broke the system call off, and as
 * it was then. */
static int put_back(struct job *job)
{
	struct iovec area = {job->vectors, job->vector_bytes};
	int tid = job->hold->tid;

	if (!trace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &area) || !trace(PTRACE_SETREGS, tid, 0, &job->back) ||
		!trace(PTRACE_SETSIGMASK, tid, sizeof(job->mask), &job->mask) ||
		!trace(PTRACE_INTERRUPT, tid, 0, NULL) || !trace(PTRACE_CONT, tid, 0, NULL))
		return -errno;
	return 0;
}

static int finish(struct job *job, uint64_t *stopped_ns)
{
	int status, err = put_back(job);

	if (!err && await(job->hold, sp_time_ns(CLOCK_MONOTONIC) + STOP_WAIT_NS, &status) && is_our_stop(status))
		trace(PTRACE_SETREGS, job->hold->tid, 0, &job->was);
	*stopped_ns = sp_attach_let_go(job->hold);
	return job->hold->gone ? -ESRCH : err;
}

/* The loader's own lock is the first that is taken, and lies in its data: who waits for that has not begun. */
static bool waits_for_loader(struct job *job, const struct sp_attach_call *call)
{
	const struct sp_attach_map *map;
	struct user_regs_struct r;

	if (!call->text || !is_at(job, SYS_futex, &r))
		return false;
	map = sp_attach_map_at(call->maps, r.rdi);
	return map && map->kind == SP_MAP_LOADER;
}

/* The loader is somebody else's for so long. A thread that only waits for that goes back; else it must go on. */
static int give_up(struct job *job, const struct sp_attach_call *call, uint64_t *stopped_ns)
{
	if (interrupt(job->hold, STOP_WAIT_NS) == 0 && waits_for_loader(job, call))
		return finish(job, stopped_ns) ? -EINPROGRESS : -EAGAIN;
	*stopped_ns = sp_attach_let_go(job->hold);
	return job->hold->gone ? -ESRCH : -EINPROGRESS;
}

int sp_attach_inject(struct sp_attach_hold *hold, const struct user_regs_struct *registers,
	const struct sp_attach_call *call, uint64_t *stopped_ns)
{
	static struct job job;
	struct user_regs_struct begin;
	int err;

	job = (struct job){.hold = hold, .was = *registers};
	find_way_back(&job);
	if (!read_thread(&job) || !prepare(&job, call, &begin) || !trace(PTRACE_SETREGS, hold->tid, 0, &begin)) {
		*stopped_ns = sp_attach_let_go(hold);
		return hold->gone ? -ESRCH : -EAGAIN;
	}
	err = block_signals(&job) ? run_to_end(&job) : -ETIMEDOUT;
	if (!err)
		return finish(&job, stopped_ns);
	if (err == -ETIMEDOUT)
		return give_up(&job, call, stopped_ns);
	*stopped_ns = sp_attach_let_go(hold);
	return err;
}
