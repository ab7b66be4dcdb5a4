/* Blocks every signal, reads them from a descriptor instead, and computes. Nobody sends one, so any
 * that arrives is somebody else's. Exit status 1 when one does. */
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tests/targets/common.h"

int main(void)
{
	struct signalfd_siginfo info;
	int descriptor, received = 0;
	sigset_t all;

	spend(0.1);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	descriptor = signalfd(-1, &all, SFD_NONBLOCK);
	check(descriptor >= 0, "signalfd");
	for (int i = 0; i < 20; i++) {
		spend(0.025);
		while (read(descriptor, &info, sizeof(info)) > 0)
			received++;
	}
	printf("received %d\n", received);
	return received != 0;
}
