/* The end: the spool is completed and a renderer started that the target cannot notice.
 *
 * The renderer is a grandchild: the child in between has exit signal 0 (no SIGCHLD, invisible to
 * wait without __WALL) and is never reaped by us, so that its CPU time does not appear in the
 * target's children's; the grandchild belongs to init. Both share the target's memory until exec,
 * as after vfork, so nothing is copied and nothing may be changed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "preload/agent.h"
#include "preload/real.h"
#include "sampler/clock.h"
#include "sampler/found.h"
#include "sampler/sample.h"
#include "sampler/sys.h"
#include "sampler/thread.h"

#define WAIT_MS 10000
#define MAX_ENV 4096
#define STACK_BYTES 65536u

struct spawn {
	const char *path;
	char *argv[4];
	char *envp[MAX_ENV + 1];
	int done_fd; /* write end of the pipe the target waits on */
	int error;   /* errno of what failed, written by the children */
	char found[SP_PATH_MAX];
	char stack[2][STACK_BYTES] __attribute__((aligned(16)));
};

static void close_from(unsigned from, unsigned to)
{
	if (from > to || sp_sys(SYS_close_range, from, to, 0) != -ENOSYS)
		return;
	for (; from <= to && from < 65536; from++)
		sp_sys(SYS_close, from);
}

/* Leaves /dev/null on 0 to 2 and the pipe on 3, whatever the target had open, and however few
 * descriptors it may have. */
static int keep_only(int pipe_fd)
{
	long err = 0;
	int i;

	if (pipe_fd > 0)
		close_from(0, (unsigned)pipe_fd - 1);
	close_from((unsigned)pipe_fd + 1, ~0u);
	if (pipe_fd != 3)
		err = sp_sys(SYS_dup3, pipe_fd, 3, 0);
	else
		err = sp_sys(SYS_fcntl, 3, F_SETFD, 0);
	close_from(0, 2);
	close_from(4, ~0u);
	for (i = 0; i < 3 && err >= 0; i++)
		err = sp_sys(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
	return err < 0 ? (int)err : 0;
}

/* struct kernel_sigaction of x86-64: all zero is SIG_DFL. */
struct raw_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

/* In the grandchild: everything of the target's is let go of, then exec. */
static int renderer_main(void *arg)
{
	struct spawn *s = arg;
	struct raw_sigaction dfl = {0};
	uint64_t none = 0;
	int i;

	sp_sys(SYS_setsid);
	sp_sys(SYS_setpriority, PRIO_PROCESS, 0, 10);
	for (i = 1; i < 65; i++) /* ignored ones would be inherited */
		sp_sys(SYS_rt_sigaction, i, &dfl, NULL, 8);
	s->error = keep_only(s->done_fd);
	sp_sys(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
	if (!s->error)
		s->error = (int)sp_sys(SYS_execve, s->path, s->argv, s->envp);
	sp_sys(SYS_exit, 127);
	return 0;
}

static int between_main(void *arg)
{
	struct spawn *s = arg;
	long pid = __clone(renderer_main, s->stack[1] + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, s);

	if (pid < 0)
		s->error = -EAGAIN;
	sp_sys(SYS_exit, 0);
	return 0;
}

/* The environment for the renderer: the target's, without what would profile the renderer. */
static void build_environment(struct spawn *s)
{
	static const char *const drop[] = {
		"LD_PRELOAD=", "LD_AUDIT=", "LD_LIBRARY_PATH=", "DEBUGINFOD_URLS=", "MALLOC_CONF=", "ASAN_OPTIONS="};
	char **from;
	size_t n = 0, i;

	for (from = sp_process.envp; from && *from && n < MAX_ENV; from++) {
		for (i = 0; i < sizeof drop / sizeof *drop && strncmp(*from, drop[i], strlen(drop[i])) != 0; i++)
			;
		if (i == sizeof drop / sizeof *drop)
			s->envp[n++] = *from;
	}
	s->envp[n] = NULL;
}

static bool is_executable(const char *path)
{
	return sp_sys(SYS_faccessat, AT_FDCWD, path, 1 /* X_OK */) == 0;
}

/* <directory of the library><suffix>, as `out`. */
static bool beside_library(const char *suffix, char *out, size_t size)
{
	const char *slash = strrchr(sp_process.library, '/');
	size_t n = slash ? (size_t)(slash - sp_process.library) : 0;

	if (!slash || n + strlen(suffix) + 1 > size)
		return false;
	memcpy(out, sp_process.library, n);
	strcpy(out + n, suffix);
	return is_executable(out);
}

/* The command: told, else where it stands in a build tree or an installation. */
static const char *find_command(char *buffer, size_t size)
{
	static const char *const places[] = {
		"/smartprof", "/../bin/smartprof", "/../../bin/smartprof", "/../../../bin/smartprof"};
	size_t i;

	if (*sp_process.command && is_executable(sp_process.command))
		return sp_process.command;
	for (i = 0; i < sizeof places / sizeof *places; i++)
		if (beside_library(places[i], buffer, size))
			return buffer;
	return NULL;
}

/* Waits until the renderer has closed its end, or time is up. What it writes is a complaint. */
static void wait_for_renderer(int fd)
{
	struct timespec now, until;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char complaint[512];
	long left = WAIT_MS, n;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_MS / 1000;
	while (left > 0) {
		n = sp_sys(SYS_poll, &p, 1, left);
		if (n > 0) {
			n = sp_sys(SYS_read, fd, complaint, sizeof complaint - 1);
			if (n <= 0)
				return;
			complaint[n] = 0;
			sp_verbose("no profile", complaint);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = (until.tv_sec - now.tv_sec) * 1000 + (until.tv_nsec - now.tv_nsec) / 1000000;
	}
	sp_verbose("the profile took too long to render", "`smartprof recover` will do it");
}

static int render(void)
{
	struct spawn *s;
	uint64_t mask;
	int fds[2], err;
	long p;

	if (sp_under_valgrind()) /* it makes a fork of a clone, which would run on in the program */
		return -ENOTSUP;
	p = sp_sys(SYS_mmap, NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sp_is_error(p))
		return (int)p;
	s = (struct spawn *)p;
	s->path = find_command(s->found, sizeof s->found);
	if (!s->path)
		return -ENOENT;
	s->argv[0] = (char *)(uintptr_t)s->path;
	s->argv[1] = (char *)(uintptr_t) "finish";
	s->argv[2] = sp_process.spool_path;
	build_environment(s);
	err = (int)sp_sys(SYS_pipe2, fds, O_CLOEXEC);
	if (err)
		return err;
	s->done_fd = fds[1];
	/* No signal handler of the target's may run in the children, in our memory. */
	mask = sp_block_signals();
	if (__clone(between_main, s->stack[0] + STACK_BYTES, CLONE_VM | CLONE_VFORK, s) < 0)
		s->error = -EAGAIN;
	sp_restore_signals(mask);
	sp_sys(SYS_close, fds[1]);
	if (s->error >= 0)
		wait_for_renderer(fds[0]);
	sp_sys(SYS_close, fds[0]);
	return s->error < 0 ? s->error : 0;
}

static void flush_thread(struct sp_thread *t, void *arg)
{
	(void)arg;
	sp_thread_flush(t, true);
}

static void complete_spool(enum sp_exit_kind kind, int value)
{
	struct sp_spool_header *h = sp_agent.spool;

	sp_found_finish();
	sp_thread_each(flush_thread, NULL);
	sp_timeline_step(sp_now_ns(), true);
	h->exit_kind = kind;
	h->exit_value = value;
	h->end_ns = sp_now_ns();
	__atomic_store_n(&h->state, SP_STATE_ENDED, __ATOMIC_RELEASE);
}

void sp_finish(enum sp_exit_kind kind, int value)
{
	static uint32_t ending, ended; /* atomic; ending: tid of the thread that is at it */
	static int ending_pid;
	int saved_errno = errno, err, i;
	uint32_t tid, none = 0;

	if (sp_process.verbose && sp_load(&sp_agent.state) == SP_AGENT_DORMANT && !sp_is_vfork_child())
		sp_verbose("no profile", "the process used next to no CPU time and memory");
	if (sp_agent.sealed || sp_load(&sp_agent.state) < SP_AGENT_ACTIVE || sp_is_stale_child() || sp_is_vfork_child())
		return;
	if (sp_load(&ending_pid) != sp_agent.pid) {
		ending = ended = 0; /* a forked child's own end */
		sp_store(&ending_pid, sp_agent.pid);
	}
	tid = (uint32_t)sp_sys(SYS_gettid);
	if (!__atomic_compare_exchange_n(&ending, &none, tid, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		/* Another thread is at it: the process must not end under it. When it is this very
		 * thread, a signal has come in between: it need not wait, the renderer is on its own. */
		struct timespec nap = {0, 10000000};
		for (i = 0; i < WAIT_MS / 10 && !sp_load(&ended) && sp_load(&ending) != tid; i++)
			sp_sys(SYS_nanosleep, &nap, NULL);
		return;
	}
	if (sp_load(&sp_agent.state) == SP_AGENT_ACTIVE) {
		if (sp_tls.thread)
			sp_clock_disarm(sp_tls.thread);
		sp_clock_stop_process();
		sp_store(&sp_agent.state, SP_AGENT_STOPPED);
		complete_spool(kind, value);
		err = render();
		if (err)
			sp_verbose("the profile is not rendered yet; `smartprof recover` will do it",
				strerrordesc_np(-err));
	}
	sp_store(&ended, 1);
	errno = saved_errno;
}
