/* Forbids itself the cycle counter, then computes and allocates, in two threads and in a child. Usage: no_tsc
 * function|syscall|instruction|later, the last after it has been profiled for a while. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

static void forbid(const char *how)
{
	long result;

	if (strcmp(how, "function") == 0)
		prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	else if (strcmp(how, "syscall") == 0)
		syscall(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV);
	else
		__asm__ volatile("syscall"
				 : "=a"(result)
				 : "a"(SYS_prctl), "D"(PR_SET_TSC), "S"(PR_TSC_SIGSEGV)
				 : "rcx", "r11", "memory");
}

static void *work(void *unused)
{
	volatile unsigned long sum = 0;
	char *kept[64] = {NULL};

	for (unsigned long i = 0; i < 60000000; i++) {
		sum += i;
		if (i % 600)
			continue;
		free(kept[i / 600 % 64]);
		kept[i / 600 % 64] = realloc(malloc(2000), 4000);
	}
	for (int i = 0; i < 64; i++)
		free(kept[i]);
	return unused;
}

int main(int argc, char **argv)
{
	int status;
	pthread_t thread;
	pid_t child;

	check(argc > 1, "usage: no_tsc HOW");
	if (strcmp(argv[1], "later") == 0)
		work(NULL);
	forbid(argv[1]);
	check(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create");
	work(NULL);
	pthread_join(thread, NULL);
	child = fork();
	if (child == 0) {
		work(NULL);
		exit(0);
	}
	check(waitpid(child, &status, 0) == child, "waitpid");
	printf("%d\n", status);
	return 0;
}
