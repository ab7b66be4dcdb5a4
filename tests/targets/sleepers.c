/* Threads that sleep in poll() while another one uses CPU time with SIGPROF blocked: prints how many
 * polls were broken. Usage: sleepers handler|mask
 *   handler  in a handler that blocks all signals
 *   mask     by its signal mask */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "tests/targets/common.h"

static int stop, broken; /* atomic */

static void *sleeper(void *unused)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		if (poll(NULL, 0, 20) < 0 && errno == EINTR)
			__atomic_fetch_add(&broken, 1, __ATOMIC_RELAXED);
	return unused;
}

static void busy(int unused)
{
	(void)unused;
	spend(0.3);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = busy};
	sigset_t set;
	pthread_t threads[3];

	check(argc == 2, "usage: sleepers handler|mask");
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* it is the main thread's */
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, sleeper, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	sigfillset(&action.sa_mask);
	if (strcmp(argv[1], "handler") == 0) {
		sigaction(SIGALRM, &action, NULL);
		spend(0.1);
		for (int i = 0; i < 3; i++)
			raise(SIGALRM);
	} else {
		spend(0.1);
		sigaddset(&set, SIGPROF);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		spend(0.5);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("%d broken\n", broken);
	return 0;
}
