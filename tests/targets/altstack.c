/* Threads with alternate signal stacks that the C library was not asked for; handlers on them allocate, and look
 * whether their frames are as they left them. Usage: altstack [CPU-SECONDS] */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define STACK_BYTES 32768u

static volatile sig_atomic_t broken, runs;
static double seconds;

static void on_alarm(int signal)
{
	volatile unsigned char frame[2048];

	for (size_t i = 0; i < sizeof frame; i++)
		frame[i] = (unsigned char)(i * 7 + (size_t)signal);
	for (int i = 0; i < 40; i++) {
		void *volatile p = malloc(20000);
		(void)p;
		free(p);
		spin(500);
	}
	for (size_t i = 0; i < sizeof frame; i++)
		if (frame[i] != (unsigned char)(i * 7 + (size_t)signal))
			broken++;
	runs++;
}

static void *run(void *unused)
{
	stack_t stack = {.ss_size = STACK_BYTES};
	long result;

	stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(SYS_sigaltstack), "D"(&stack), "S"(NULL)
			 : "rcx", "r11", "memory");
	check(result == 0 && stack.ss_sp != MAP_FAILED, "sigaltstack");
	for (double end = clock_seconds(CLOCK_THREAD_CPUTIME_ID) + seconds;
		clock_seconds(CLOCK_THREAD_CPUTIME_ID) < end;)
		spin(20000);
	return unused;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_ONSTACK | SA_RESTART};
	struct itimerval every = {{0, 2000}, {0, 2000}};
	pthread_t threads[2];

	seconds = argument(argc, argv, 1, 0.5);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	for (int i = 0; i < 2; i++)
		check(pthread_create(&threads[i], NULL, run, NULL) == 0, "pthread_create");
	run(NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("%d broken, %s\n", (int)broken, runs > 20 ? "many runs" : "too few runs");
	return broken != 0;
}
