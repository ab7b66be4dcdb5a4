/* execve and its family: the clocks must not reach into the next program, and the profile so far
 * is left for whoever renders next. */
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "preload/export.h"
#include "preload/finish/tree.h"
#include "preload/hooks/handed_on.h"
#include "preload/hooks/signals.h"
#include "preload/libc.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/clock/clock.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/timeline.h"
#include "sampler/waits/shorts.h"

/* A profiling signal that is pending although blocked would kill the next program when it unblocks
 * it: ours are taken out, others put back. */
static void drain_blocked(void)
{
	struct timespec none = {0, 0};
	sigset_t prof;
	siginfo_t info;
	int foreign = 0, left = 64;

	sigemptyset(&prof);
	sigaddset(&prof, sp_agent.config.signal);
	while (left-- && sp_sys(SYS_rt_sigtimedwait, &prof, &info, &none, 8) > 0) {
		if (sp_clock_recognize(sp_tls.thread, &info) == SP_SIGNAL_FOREIGN)
			foreign = 1;
	}
	if (foreign)
		sp_sys(SYS_tgkill, sp_sys(SYS_getpid), sp_sys(SYS_gettid), sp_agent.config.signal);
}

/* Returns true when after_failed_exec has something to undo. */
static bool before_exec(void)
{
	int state = sp_agent_state();
	int saved_errno = errno;

	if ((state != SP_AGENT_DORMANT && state != SP_AGENT_ACTIVE) || sp_is_stale_child() || sp_is_vfork_child())
		return false;
	if (state == SP_AGENT_DORMANT) {
		sp_clock_arm_start(0);
	} else {
		if (sp_tls.thread) {
			sp_clock_disarm(sp_tls.thread);
			sp_short_settle(sp_tls.thread);
			sp_thread_flush(sp_tls.thread, true);
		}
		sp_timeline_step(sp_now_ns(), true);
		sp_store(&sp_agent.spool->state, SP_STATE_EXEC);
	}
	sp_tree_before_exec();
	if (sp_thread_blocks_signal())
		drain_blocked();
	sp_signals_before_exec(false);
	errno = saved_errno;
	return true;
}

static int after_failed_exec(bool undo, int result)
{
	int saved_errno = errno;

	if (undo)
		sp_signals_before_exec(true);
	if (undo && sp_agent.state == SP_AGENT_DORMANT) {
		sp_process_arm_start();
	} else if (undo) {
		sp_store(&sp_agent.spool->state, SP_STATE_RUNNING);
		if (sp_tls.thread)
			sp_clock_arm(sp_tls.thread);
	}
	errno = saved_errno;
	return result;
}

/* Calls the real function with the environment that fits. On the stack: malloc is not allowed in a
 * vfork child. */
#define EXEC_AROUND(envp, without, call) \
	do { \
		bool undo = before_exec(); \
		char *const *environment = SP_HANDED_ON(envp, without); \
		return after_failed_exec(undo, (call)); \
	} while (0)

SP_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	EXEC_AROUND(envp, sp_must_go_without_us(AT_FDCWD, path), SP_REAL(execve)(path, argv, environment));
}

SP_EXPORT int execv(const char *path, char *const argv[])
{
	EXEC_AROUND(__environ, sp_must_go_without_us(AT_FDCWD, path), SP_REAL(execve)(path, argv, environment));
}

SP_EXPORT int execvp(const char *file, char *const argv[])
{
	EXEC_AROUND(__environ, sp_found_must_go_without_us(file), SP_REAL(execvpe)(file, argv, environment));
}

SP_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	EXEC_AROUND(envp, sp_found_must_go_without_us(file), SP_REAL(execvpe)(file, argv, environment));
}

SP_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	EXEC_AROUND(envp, sp_opened_must_go_without_us(fd), SP_REAL(fexecve)(fd, argv, environment));
}

SP_EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	EXEC_AROUND(envp,
		sp_must_go_without_us(fd, path) || (flags & AT_EMPTY_PATH && sp_opened_must_go_without_us(fd)),
		SP_REAL(execveat)(fd, path, argv, environment, flags));
}

/* The variadic ones gather their arguments on the stack, as the C library does: malloc is not
 * allowed in a vfork child. */
static int count_arguments(va_list args)
{
	int n = 1;

	while (va_arg(args, char *))
		n++;
	return n;
}

#define GATHER(first) \
	va_list args; \
	char **argv; \
	int i, n; \
	va_start(args, first); \
	n = count_arguments(args); \
	va_end(args); \
	argv = alloca(((size_t)n + 1) * sizeof *argv); \
	argv[0] = (char *)(uintptr_t)first; \
	va_start(args, first); \
	for (i = 1; i <= n; i++) \
	argv[i] = va_arg(args, char *)

SP_EXPORT int execl(const char *path, const char *arg, ...)
{
	GATHER(arg);
	va_end(args);
	return execv(path, argv);
}

SP_EXPORT int execlp(const char *file, const char *arg, ...)
{
	GATHER(arg);
	va_end(args);
	return execvp(file, argv);
}

SP_EXPORT int execle(const char *path, const char *arg, ...)
{
	char **envp;
	GATHER(arg);
	envp = va_arg(args, char **);
	va_end(args);
	return execve(path, argv, envp);
}
