/* Blocks every signal, or all but a few, takes them from a descriptor or by waiting instead, and computes. Nobody
 * sends one, so any that arrives is somebody else's. Exit status 1 when one does, or when a wait is too long.
 * Usage: signalfd_full [most] [wait] */
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tests/targets/common.h"

static int has(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	int descriptor, received = 0, waits = has(argc, argv, "wait");
	struct signalfd_siginfo info;
	struct timespec span = {0, 3000000};
	double began;
	sigset_t set;

	spend(0.1);
	sigfillset(&set);
	if (has(argc, argv, "most")) {
		sigdelset(&set, SIGINT);
		sigdelset(&set, SIGTERM);
		sigdelset(&set, SIGSEGV);
		sigdelset(&set, SIGCHLD);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	descriptor = signalfd(-1, &set, SFD_NONBLOCK);
	check(descriptor >= 0, "signalfd");
	began = clock_seconds(CLOCK_MONOTONIC);
	for (int i = 0; i < 20; i++) {
		spend(0.025);
		if (waits)
			received += sigtimedwait(&set, NULL, &span) > 0;
		else
			while (read(descriptor, &info, sizeof(info)) > 0)
				received++;
	}
	printf("received %d\n", received);
	return received != 0 || clock_seconds(CLOCK_MONOTONIC) - began > 30;
}
