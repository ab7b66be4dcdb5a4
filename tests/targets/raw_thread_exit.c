/* A thread ends by the bare system call: no destructor of anyone's runs, and its stack, as large as
 * glibc would rather unmap than keep, is gone once it has been joined. */
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

static void *run(void *unused)
{
	spend(0.1);
	syscall(SYS_exit, 0);
	return unused;
}

int main(void)
{
	pthread_attr_t large;

	pthread_attr_init(&large);
	pthread_attr_setstacksize(&large, 64 << 20);
	for (int i = 0; i < 5; i++) {
		pthread_t thread;

		check(pthread_create(&thread, &large, run, NULL) == 0, "pthread_create");
		pthread_join(thread, NULL);
		puts("joined");
	}
	return 3;
}
