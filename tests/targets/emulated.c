/* Known allocations and CPU time, a part of it in a signal's handler, and a child by vfork. For any kind of processor. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 20000
#define BYTES 1000
#define HANDLED 20

static void *volatile blocks[BLOCKS];
static volatile int handled;
static volatile unsigned sum;

static __attribute__((noinline)) void compute(int rounds)
{
	for (int i = 1; i < rounds; i++)
		sum += (unsigned)i;
}

static __attribute__((noinline)) void in_handler(void)
{
	compute(1000000);
	handled++;
}

static void on_alarm(int number)
{
	(void)number;
	in_handler();
}

static __attribute__((noinline)) void work(void)
{
	while (handled < HANDLED)
		compute(1000);
}

static __attribute__((noinline)) void allocate_one(int i)
{
	blocks[i] = malloc(BYTES);
	memset(blocks[i], 1, BYTES);
	if (i % 2)
		free(blocks[i]);
}

static __attribute__((noinline)) void allocate_all(void)
{
	for (int i = 0; i < BLOCKS; i++)
		allocate_one(i);
}

static int status_of_child(void)
{
	int status = -1;
	pid_t child = vfork();

	if (child == 0)
		_exit(7);
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void)
{
	struct itimerval every = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};

	signal(SIGALRM, on_alarm);
	allocate_all();
	setitimer(ITIMER_REAL, &every, NULL);
	work();
	setitimer(ITIMER_REAL, &never, NULL);
	printf("allocated %d\nchild %d\n", BLOCKS * BYTES, status_of_child());
	return 0;
}
