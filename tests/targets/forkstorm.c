/* Forks again and again while eight threads allocate; each child allocates too, and every
 * hundredth one ends by exec. Usage: forkstorm [FORKS]; exit status 1 when a child fails. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

static volatile int stop;

static void *allocate(void *seed)
{
	void *slot[64] = {0};
	unsigned x = (unsigned)(uintptr_t)seed;

	while (!stop) {
		for (int i = 0; i < 20; i++) {
			x = x * 1103515245 + 12345;
			free(slot[x >> 26]);
			slot[x >> 26] = malloc(x >> 16 & 4095);
		}
		usleep(50); /* eight threads that never stop leave fork no processor to run on */
	}
	for (int i = 0; i < 64; i++)
		free(slot[i]);
	return NULL;
}

static void child(int i)
{
	free(malloc(1000 + (size_t)i));
	if (i % 100 == 99)
		execl("/bin/true", "true", NULL);
	if (i % 2)
		_exit(0);
	exit(0);
}

int main(int argc, char **argv)
{
	int forks = (int)argument(argc, argv, 1, 10000), bad = 0;
	pthread_t thread[8];

	for (long i = 0; i < 8; i++)
		check(pthread_create(&thread[i], NULL, allocate, (void *)i) == 0, "pthread_create");
	for (int i = 0; i < forks; i++) {
		int status;
		pid_t pid = fork();

		check(pid >= 0, "fork");
		if (pid == 0)
			child(i);
		check(waitpid(pid, &status, 0) == pid, "waitpid");
		bad += status != 0;
	}
	stop = 1;
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	printf("%d children failed\n", bad);
	return bad != 0;
}
