/* A program with a SIGPROF handler and an ITIMER_PROF of its own: it must get its signals, none
 * that are not its (ours carry another si_code), and read back the handler it installed.
 * Usage: sigprof_user [CPU-SECONDS] */
#include <signal.h>
#include <sys/time.h>

#include "tests/targets/common.h"

static volatile sig_atomic_t own, foreign;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_code == SI_KERNEL || info->si_code == SI_TKILL || info->si_code == SI_USER)
		own++;
	else
		foreign++;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART}, before, now;
	struct itimerval every = {{0, 10000}, {0, 10000}}, off = {0};

	check(sigaction(SIGPROF, &action, &before) == 0, "sigaction");
	printf("before: %s\n", before.sa_handler == SIG_DFL ? "default" : "something");
	check(sigaction(SIGPROF, NULL, &now) == 0 && now.sa_sigaction == handler, "handler read back");
	setitimer(ITIMER_PROF, &every, NULL);
	spend(argument(argc, argv, 1, 1));
	setitimer(ITIMER_PROF, &off, NULL);
	raise(SIGPROF);
	printf("own: %s, foreign: %d\n", own > 10 ? "many" : "too few", (int)foreign);
	action.sa_handler = SIG_DFL;
	action.sa_flags = 0;
	check(sigaction(SIGPROF, &action, NULL) == 0, "back to default");
	spend(0.3);
	action.sa_handler = SIG_IGN;
	check(sigaction(SIGPROF, &action, NULL) == 0, "ignored");
	raise(SIGPROF);
	spend(0.1);
	return foreign != 0 || own <= 10;
}
