/* Two threads that wake each other through pipes. Usage: pingpong [ROUND TRIPS] */
#include <pthread.h>
#include <unistd.h>

#include "tests/targets/common.h"

static int there[2], back[2];

static void *answer(void *unused)
{
	char c;

	while (read(there[0], &c, 1) == 1)
		check(write(back[1], &c, 1) == 1, "write");
	return unused;
}

int main(int argc, char **argv)
{
	long trips = (long)argument(argc, argv, 1, 200000);
	pthread_t thread;
	char c = 0;

	check(pipe(there) == 0 && pipe(back) == 0, "pipe");
	check(pthread_create(&thread, NULL, answer, NULL) == 0, "pthread_create");
	for (long i = 0; i < trips; i++)
		check(write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1, "round trip");
	close(there[1]);
	pthread_join(thread, NULL);
	puts("done");
	return 0;
}
