/* Installs a filter that kills on the system calls a profiler would use to arm a new clock, then
 * computes and starts threads. Usage: seccomp_kill [errno]: with "errno" they fail with EPERM. */
#include <errno.h>
#include <pthread.h>

#include "tests/targets/seccomp.h"

static void *run(void *unused)
{
	for (int i = 0; i < 1000; i++)
		free(malloc(3000));
	spend(0.3);
	return unused;
}

int main(int argc, char **argv)
{
	(void)argv;
	unsigned verdict = argc > 1 ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS;
	pthread_t thread;

	spend(0.3);
	forbid_new_clocks(verdict);
	check(pthread_create(&thread, NULL, run, NULL) == 0, "pthread_create");
	run(NULL);
	pthread_join(thread, NULL);
	puts("done");
	return 0;
}
