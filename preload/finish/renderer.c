/* Starts the renderer, which the target cannot notice, and waits for it.
 *
 * The renderer is a grandchild. The child in between has exit signal 0 (no SIGCHLD, invisible to wait without
 * __WALL) and ignores SIGCHLD itself: so the kernel reaps the renderer, nobody is charged its CPU time, and when
 * the child in between, which did nothing, is reaped by us there is no orphan for anybody above to find. It runs
 * in the target's memory and with its descriptors; the renderer does so until exec, as after vfork: nothing is
 * copied and nothing may be changed. Should the target be killed meanwhile, it goes at once, for it holds the
 * target's memory. */
#include "preload/finish/renderer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "env/text.h"
#include "env/trust.h"
#include "preload/finish/hold.h"
#include "preload/libc.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "sampler/sys.h"

#define MAX_ENV 4096
#define STACK_BYTES 65536u
#define WAIT_MS 10000     /* for the next profile */
#define WHOLE_MS 60000    /* for all those of a tree */
#define HURRIED_MS 500    /* once a signal wants the process to end */
#define RELATIVES_MS 1000 /* for what the renderer does once the profile is written: nobody has to wait for that */
#define START_MS 100      /* for the renderer to be there, when it is not waited for */
#define SLICE_MS 50       /* between two looks at what does not wake the wait */
struct spawn {
	char name[SP_PATH_MAX], path[SP_PATH_MAX]; /* the command's path: as it was looked for, and without links */
	char *argv[6];
	char size[24];
	char *envp[MAX_ENV + 1];
	int done_fd;      /* write end of the pipe the target waits on */
	int target;       /* its pid */
	uint32_t tid;     /* atomic: of the child in between; the kernel clears it when that ends */
	uint32_t started; /* atomic, futex: the renderer runs, or will not */
	bool patient;     /* the target waits for it */
	int busy;         /* atomic: the process that this state belongs to; a forked child has its parent's copy */
	int failed;       /* atomic: negative errno of what failed, written by the children */
	char stack[2][STACK_BYTES] __attribute__((aligned(16)));
};

/* Mapped from the start: at its end a program may have no address space left. The writer of the timing log has one of its own:
 * what it begins with may not be over when the renderer is started. */
static struct spawn renderer SP_BIG, writer SP_BIG;

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
	for (i = 0; i < 3 && err >= 0; i++) {
		err = sp_sys(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
		if (err < 0) /* a root without /dev: what can be neither read nor written will do */
			err = sp_sys(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
	}
	return err < 0 ? (int)err : 0;
}

/* The program's limits are not the renderer's, as far as that is allowed: it has its own. */
static void lift_limits(void)
{
	static const unsigned char limits[] = {
		RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NPROC, RLIMIT_NOFILE};
	struct rlimit now, want;
	size_t i;

	for (i = 0; i < sizeof limits; i++) {
		if (sp_sys(SYS_prlimit64, 0, limits[i], NULL, &now) != 0)
			continue;
		/* These two decide how large threads' stacks are, and how many descriptors there can be. */
		want.rlim_cur = limits[i] == RLIMIT_STACK ? 8u << 20
			: limits[i] == RLIMIT_NOFILE      ? 1024
							  : RLIM_INFINITY;
		want.rlim_max = RLIM_INFINITY;
		if (limits[i] == RLIMIT_NOFILE || sp_sys(SYS_prlimit64, 0, limits[i], &want, NULL) != 0) {
			want.rlim_max = now.rlim_max;
			if (want.rlim_cur > want.rlim_max)
				want.rlim_cur = want.rlim_max;
			sp_sys(SYS_prlimit64, 0, limits[i], &want, NULL);
		}
	}
}

/* In the grandchild: everything of the target's is let go of, then exec. */
static int renderer_main(void *arg)
{
	struct spawn *s = arg;
	struct sp_raw_sigaction dfl = {0};
	uint64_t none = 0;
	int i, err;

	sp_sys(SYS_setpriority, PRIO_PROCESS, 0, 10);
	for (i = 1; i < 65; i++) /* ignored ones would be inherited */
		sp_sys(SYS_rt_sigaction, i, &dfl, NULL, 8);
	sp_sys(SYS_prctl, PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0); /* or the loader would die of it */
	err = keep_only(s->done_fd);
	lift_limits();
	/* Another effective user, for the time being: it is still possible to become the spool's owner again. */
	if ((uint32_t)sp_sys(SYS_geteuid) != sp_agent.uid)
		sp_sys(SYS_setresuid, sp_agent.uid, sp_agent.uid, sp_agent.uid);
	sp_sys(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
	if (!err)
		err = (int)sp_sys(SYS_execve, s->path, s->argv, s->envp);
	sp_store(&s->failed, err);
	sp_sys(SYS_exit, 127);
	return 0;
}

/* In the child in between, on the target's thread-local storage: system calls alone. */
static int between_main(void *arg)
{
	struct spawn *s = arg;
	struct sp_raw_sigaction ignore = {.handler = (void *)1};

	if (s->patient)
		sp_sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (!s->patient || sp_sys(SYS_getppid) == s->target) {
		sp_sys(SYS_setsid); /* no signal to the target's group */
		sp_sys(SYS_rt_sigaction, SIGCHLD, &ignore, NULL, 8);
		if (__clone(renderer_main, s->stack[1] + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, s, NULL, NULL,
			    NULL) < 0)
			sp_store(&s->failed, -EAGAIN);
		sp_store(&s->started, 1);
		sp_sys(SYS_futex, &s->started, FUTEX_WAKE, 1);
		sp_sys(SYS_close, s->done_fd);
		while (s->patient && sp_sys(SYS_wait4, -1, NULL, 0, NULL) == -EINTR)
			;
	}
	sp_sys(SYS_exit, 0);
	return 0;
}

/* The environment for the renderer: the target's, without what would profile the renderer. */
static void build_environment(struct spawn *s)
{
	static const char *const drop[] = {"LD_PRELOAD=", "LD_AUDIT=", "LD_LIBRARY_PATH=", "DEBUGINFOD_URLS=",
		"MALLOC_CONF=", "ASAN_OPTIONS=", "SMARTPROF_ENABLED="};
	char **from;
	size_t n = 0, i;

	for (from = sp_process.envp; from && *from && n < MAX_ENV - 1; from++) {
		for (i = 0; i < sizeof drop / sizeof *drop && strncmp(*from, drop[i], strlen(drop[i])) != 0; i++)
			;
		if (i == sizeof drop / sizeof *drop)
			s->envp[n++] = *from;
	}
	/* /etc/ld.so.preload names us to every program there is: a profiled renderer would need a renderer. */
	s->envp[n++] = (char *)(uintptr_t) "SMARTPROF_ENABLED=0";
	s->envp[n] = NULL;
}

/* Whether s->name can be run, and only this user or root could have put it there. Then s->path is its path without links. */
static bool is_usable(struct spawn *s)
{
	const char *problem;

	if (sp_sys(SYS_faccessat, AT_FDCWD, s->name, 1 /* X_OK */) != 0)
		return false;
	problem = sp_trust_program(s->name, s->path, sizeof s->path);
	if (problem) {
		sp_verbose(s->path, problem);
		sp_store(&s->failed, -EPERM);
	}
	return !problem;
}

/* <directory of the library><suffix> */
static bool is_beside_library(struct spawn *s, const char *suffix)
{
	const char *slash = strrchr(sp_process.library, '/');
	size_t n = slash ? (size_t)(slash - sp_process.library) : 0;

	if (!slash || n + strlen(suffix) + 1 > sizeof s->name)
		return false;
	memcpy(s->name, sp_process.library, n);
	strcpy(s->name + n, suffix);
	return is_usable(s);
}

/* Finds the command: the one that is set, else the one in the build tree or the installation that the library is in. */
static int find_command(struct spawn *s)
{
	static const char *const places[] = {
		"/smartprof", "/../bin/smartprof", "/../../bin/smartprof", "/../../../bin/smartprof"};
	size_t n = strlen(sp_process.command), i;

	sp_store(&s->failed, -ENOENT);
	if (n && n < sizeof s->name) {
		memcpy(s->name, sp_process.command, n + 1);
		if (is_usable(s))
			return 0;
	}
	for (i = 0; i < sizeof places / sizeof *places; i++)
		if (is_beside_library(s, places[i]))
			return 0;
	return sp_load(&s->failed);
}

static long remaining_ms(uint64_t until_ns)
{
	uint64_t now = sp_clock_read_ns(CLOCK_MONOTONIC);

	return now < until_ns ? (long)((until_ns - now) / 1000000) + 1 : 0;
}

/* What the renderer writes: "+" when a profile stands, or a complaint. False at the end. */
static bool take_word(int fd, bool *done)
{
	char word[512];
	long n = sp_sys(SYS_read, fd, word, sizeof word - 1);

	if (n <= 0)
		return false;
	word[n] = 0;
	*done = true;
	if (*word != '+')
		sp_verbose("no profile", word);
	return true;
}

/* Until when to wait for the next word: a tree's renderer writes one for every profile. */
static uint64_t next_word_ns(uint64_t began_ns)
{
	uint64_t until_ns = sp_clock_read_ns(CLOCK_MONOTONIC) + WAIT_MS * 1000000ull;
	uint64_t end_ns = began_ns + WHOLE_MS * 1000000ull;

	return until_ns < end_ns ? until_ns : end_ns;
}

/* Waits until the renderer has closed its end, or time is up. */
static void wait_for_profile(struct spawn *s, int fd)
{
	uint64_t began_ns = sp_clock_read_ns(CLOCK_MONOTONIC), until_ns = began_ns + WAIT_MS * 1000000ull;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool hurried = false, done = false;
	struct timespec slice;
	long left;

	while ((left = remaining_ms(until_ns)) > 0) {
		bool gone = !sp_load(&s->tid);

		slice = (struct timespec){.tv_nsec = gone ? 0 : (left < SLICE_MS ? left : SLICE_MS) * 1000000};
		if (sp_sys(SYS_ppoll, &p, 1, &slice, NULL, 0) > 0) {
			if (!take_word(fd, &done))
				break;
			if (!hurried)
				until_ns = next_word_ns(began_ns);
		} else if (gone) {
			break;
		}
		if (!hurried && sp_hold_is_hurried()) {
			hurried = true;
			until_ns = sp_clock_read_ns(CLOCK_MONOTONIC) + HURRIED_MS * 1000000ull;
		}
	}
	if (left <= 0)
		sp_verbose("the profile is not waited for any longer", "it comes a little later");
	else if (!done && !sp_load(&s->failed))
		sp_verbose("the profile is not rendered yet; `smartprof recover` will do it",
			"the renderer ended early, as in want of memory");
}

/* The program or its threads go on, so there is next to no wait. The child in between ends once the renderer is
 * there. */
static void wait_for_start(struct spawn *s, int pid)
{
	struct timespec most = {0, START_MS * 1000000};

	sp_sys(SYS_futex, &s->started, FUTEX_WAIT, 0, &most);
	if (sp_load(&s->started))
		sp_sys(SYS_wait4, pid, NULL, __WCLONE, NULL);
}

/* Leaves no child behind. A renderer that goes on after this is no longer our business. */
static void reap(struct spawn *s, int pid)
{
	uint64_t until_ns = sp_clock_read_ns(CLOCK_MONOTONIC) + RELATIVES_MS * 1000000ull;
	uint32_t tid;
	long left;

	while ((tid = sp_load(&s->tid)) != 0 && (left = remaining_ms(until_ns)) > 0) {
		struct timespec slice = {0, (left < SLICE_MS ? left : SLICE_MS) * 1000000};

		if (sp_hold_is_hurried())
			break;
		sp_sys(SYS_futex, &s->tid, FUTEX_WAIT, tid, &slice);
	}
	if (sp_load(&s->tid))
		sp_sys(SYS_kill, pid, SIGKILL);
	sp_sys(SYS_wait4, pid, NULL, __WCLONE, NULL);
}

static int start(struct spawn *s)
{
	const int flags = CLONE_VM | CLONE_FILES | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

	s->target = sp_agent.pid;
	return __clone(between_main, s->stack[0] + STACK_BYTES, flags, s, &s->tid, NULL, &s->tid);
}

static void set_arguments(struct spawn *s, const char *spool, const char *tree)
{
	size_t n = 0;

	s->argv[n++] = s->path;
	s->argv[n++] = (char *)(uintptr_t) "finish";
	if (spool)
		s->argv[n++] = (char *)(uintptr_t)spool;
	if (tree)
		s->argv[n++] = (char *)(uintptr_t)tree;
	s->argv[n] = NULL;
}

static int launch(struct spawn *s)
{
	int fds[2], err, pid;

	err = find_command(s);
	if (err)
		return err;
	s->failed = 0;
	s->started = 0;
	build_environment(s);
	err = (int)sp_sys(SYS_pipe2, fds, O_CLOEXEC);
	if (err)
		return err;
	s->done_fd = fds[1];
	pid = start(s);
	if (pid < 0) {
		sp_sys(SYS_close, fds[1]);
		sp_store(&s->failed, -EAGAIN);
	} else if (s->patient) {
		wait_for_profile(s, fds[0]);
		reap(s, pid);
	} else {
		wait_for_start(s, pid);
	}
	sp_sys(SYS_close, fds[0]);
	return sp_load(&s->failed);
}

/* Its arguments are set by `set`. */
static int run(struct spawn *s, bool patient, void (*set)(struct spawn *, const char *, const char *), const char *one,
	const char *two)
{
	int before = sp_load(&s->busy), err;

	if (sp_is_under_valgrind()) /* it makes a fork of a clone, which would run on in the program */
		return -ENOTSUP;
	/* If the child in between is still there, it runs on our stack. */
	if (before == sp_agent.pid ||
		!__atomic_compare_exchange_n(&s->busy, &before, sp_agent.pid, false, __ATOMIC_ACQUIRE,
			__ATOMIC_RELAXED))
		return -EBUSY;
	if (s->target == sp_agent.pid && sp_load(&s->tid)) {
		err = -EBUSY;
	} else {
		s->patient = patient;
		set(s, one, two);
		err = launch(s);
	}
	__atomic_store_n(&s->busy, 0, __ATOMIC_RELEASE);
	return err;
}

int sp_render(const char *spool, const char *tree, bool patient)
{
	return run(&renderer, patient, set_arguments, spool, tree);
}

static void set_log_arguments(struct spawn *s, const char *spool, const char *file)
{
	struct sp_text_out size = {s->size, sizeof s->size, 0};

	sp_text_put_number(&size, sp_agent.config.span_log_bytes);
	s->argv[0] = s->path;
	s->argv[1] = (char *)(uintptr_t) "write-log";
	s->argv[2] = (char *)(uintptr_t)spool;
	s->argv[3] = (char *)(uintptr_t)file;
	s->argv[4] = s->size;
	s->argv[5] = NULL;
}

int sp_log_writer_start(const char *spool, const char *file)
{
	int adopts = 0;

	/* It would be handed down to this process, which may wait for all of its children. */
	if (sp_sys(SYS_prctl, PR_GET_CHILD_SUBREAPER, &adopts, 0, 0, 0) == 0 && adopts)
		return -ECHILD;
	return run(&writer, false, set_log_arguments, spool, file);
}
