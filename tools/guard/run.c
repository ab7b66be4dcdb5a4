/* Signals and children of a guardian. */
#include "tools/guard/run.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/start.h"

static sigset_t mask_before;
static struct sigaction pipe_before, children_before;

/* Not what tells of a mistake of our own, nor what stops us beside the program. */
static void choose(sigset_t *set)
{
	static const int others[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPIPE, SIGTSTP,
		SIGTTIN, SIGTTOU, SIGXCPU, SIGXFSZ, SIGPROF, SIGVTALRM};

	sigfillset(set);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		sigdelset(set, others[i]);
}

int sp_guard_signals_take(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, ordinary = {.sa_handler = SIG_DFL};
	sigset_t taken;
	int fd;

	choose(&taken);
	sigprocmask(SIG_BLOCK, &taken, &mask_before);
	sigaction(SIGPIPE, &ignore, &pipe_before);
	sigaction(SIGCHLD, &ordinary, &children_before); /* where it was ignored, there is no status to wait for */
	fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

void sp_guard_signals_restore(void)
{
	sigaction(SIGPIPE, &pipe_before, NULL);
	sigaction(SIGCHLD, &children_before, NULL);
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

/* What the kernel sends for a terminal goes to the program as well, which is of our process group. */
static bool is_for_us_alone(const struct signalfd_siginfo *info)
{
	return info->ssi_code <= 0;
}

static bool is_ignored(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

int sp_guard_signal(int fd, int app)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD)
			return number;
		if (app > 0 && is_for_us_alone(&info))
			kill(app, number);
		else if (app <= 0 && (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT) &&
			!is_ignored(number))
			return number;
	}
	return 0;
}

int sp_guard_start(const struct sp_target *target, char **argv, const char *library, const struct sp_tree_hold *hold)
{
	pid_t pid = fork();

	if (pid == 0) {
		sp_guard_signals_restore();
		sp_start_exec("guard", target, argv, library, hold);
	}
	return pid < 0 ? -errno : pid;
}

int sp_guard_reap(int *status)
{
	pid_t pid;

	do
		pid = waitpid(-1, status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	return pid > 0 ? pid : 0;
}
