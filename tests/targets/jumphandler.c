/* A timer's handler leaves by siglongjmp every millisecond, wherever it interrupted, while the
 * program computes; afterwards it still computes and forks. Usage: jumphandler [CPU-SECONDS]
 * Prints what CPU time twenty forks took, only when that was too much: one that waits, spins. */
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

static sigjmp_buf top;
static volatile long jumps;

static void handler(int signal)
{
	(void)signal;
	siglongjmp(top, 1);
}

static NOINLINE void after_jumps(void)
{
	spend(1);
}

int main(int argc, char **argv)
{
	struct itimerval every = {{0, 1003}, {0, 1003}}, never = {0};
	double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + argument(argc, argv, 1, 1.5), forking;

	signal(SIGALRM, handler);
	if (sigsetjmp(top, 1))
		jumps++;
	else
		check(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
	while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end)
		spin(2000);
	setitimer(ITIMER_REAL, &never, NULL);
	after_jumps();
	forking = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		check(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
	}
	forking = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - forking;
	if (forking > 0.05)
		printf("20 forks took %.2f s\n", forking);
	puts(jumps ? "jumped" : "no signal came");
	return 0;
}
