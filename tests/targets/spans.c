/* A program that names its work. Usage: spans requests [PARSE_MS]|requests_for_long|serve|checkpoints|log|all|adopts|fast [PAIRS [PAUSE_MS]]|unbalanced|jumps|threads|nap|fork|kill */
#include "preload/smartprof.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;

static void spin_ms(long ms)
{
	struct timespec now;
	long until;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	until = now.tv_sec * 1000000000 + now.tv_nsec + ms * 1000000;
	do {
		for (int i = 0; i < 10000; i++)
			sink += (unsigned long)i;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while (now.tv_sec * 1000000000 + now.tv_nsec < until);
}

__attribute__((noinline)) static int parse(int ms)
{
	spin_ms(ms);
	return ms;
}

__attribute__((noinline)) static void answer(int ms)
{
	char *p = malloc(1000);

	spin_ms(ms);
	sink += (unsigned long)(p != NULL);
	free(p);
}

static void requests(int parse_ms)
{
	char name[32];
	int sum = 0;

	for (int i = 0; i < 20; i++) {
		SMARTPROF_GUARD("request", 15);
		SMARTPROF_LABEL("kind", i % 4 ? "get" : "put");
		sum += SMARTPROF_TIMED("parse", parse(parse_ms));
		SMARTPROF_BLOCK("answer")
		{
			if (i % 4)
				continue;
			answer(20);
		}
		snprintf(name, sizeof(name), "stage %d", i % 2);
		SMARTPROF_START(name);
		SMARTPROF_END(name);
		SMARTPROF_ASYNC_START("job", i);
	}
	for (int i = 0; i < 20; i++)
		SMARTPROF_ASYNC_END("job", i);
	printf("%d\n", sum);
}

static void checkpoints(void)
{
	char *p = malloc(30 << 20);

	SMARTPROF_CHECKPOINT("before");
	memset(p, 1, 30 << 20);
	spin_ms(520); /* memory is read again */
	for (int i = 0; i < 1000; i++) {
		SMARTPROF_GUARD("load");
		SMARTPROF_CHECKPOINT("loaded");
	}
	free(p);
}

/* Names and texts that a terminal or a reader of lines must not get as they are. */
static void logged(void)
{
	SMARTPROF_START("outer");
	for (int i = 0; i < 3; i++) {
		SMARTPROF_START("inner");
		SMARTPROF_LABEL("kind", i ? "get" : "put");
		spin_ms(14); /* 12 without the time of samples */
		SMARTPROF_CHECKPOINT("half", "round %d", i);
		SMARTPROF_END("inner", "%s of %d", "item", i);
	}
	SMARTPROF_START("evil\n[00:00:00.000] [1/root] name\033[2J");
	SMARTPROF_END("evil\n[00:00:00.000] [1/root] name\033[2J", "a\nb\tc\033]0;x\007 \xff\xfe \"quoted\\\"");
	SMARTPROF_ASYNC_START("job", 77);
	SMARTPROF_ASYNC_END("job", 77);
	SMARTPROF_START("left");
	SMARTPROF_END("outer");
	printf("%s\n", wait(NULL) < 0 ? "no child" : "a child");
}

/* In bursts that fill no log, or one after the other. */
static void fast(long n, long pause_ms)
{
	for (long i = 0; i < n; i++) {
		SMARTPROF_START("fast");
		SMARTPROF_END("fast");
		if (pause_ms && i % 2000 == 1999)
			usleep((useconds_t)pause_ms * 1000);
	}
	spin_ms(50);
}

static jmp_buf back;

/* Left by a jump, an end without a begin, and 40 in each other. */
static void unbalanced(void)
{
	SMARTPROF_START("outer");
	if (!setjmp(back)) {
		SMARTPROF_START("left");
		longjmp(back, 1);
	}
	SMARTPROF_END("outer");
	SMARTPROF_END("never begun");
	for (int i = 0; i < 40; i++)
		SMARTPROF_START("deep");
	for (int i = 0; i < 40; i++)
		SMARTPROF_END("deep");
	spin_ms(100);
}

static sigjmp_buf again;

static void jump(int number)
{
	(void)number;
	siglongjmp(again, 1);
}

/* Every half millisecond a handler leaves what it has interrupted, from before the first span on. */
static void jumps(void)
{
	struct itimerval every = {{0, 500}, {0, 500}}, never = {0};
	volatile int left = 20;

	signal(SIGALRM, jump);
	setitimer(ITIMER_REAL, &every, NULL);
	if (sigsetjmp(again, 1) && --left == 0)
		setitimer(ITIMER_REAL, &never, NULL);
	while (left > 0) {
		SMARTPROF_START("outer");
		SMARTPROF_START("inner");
		SMARTPROF_END("inner");
		SMARTPROF_END("outer");
	}
	for (int i = 0; i < 100; i++)
		SMARTPROF_END("outer"); /* each jump has left one open at the most */
	for (int i = 0; i < 1000; i++) {
		SMARTPROF_START("after");
		SMARTPROF_END("after");
	}
	spin_ms(50);
}

static void *work(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		SMARTPROF_START("item");
		SMARTPROF_END("item");
	}
	SMARTPROF_START("unended");
	return arg;
}

static void threads(void)
{
	pthread_t t[8];

	SMARTPROF_CHECKPOINT("threads"); /* a log that is asked for is there from here on */
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 8; i++)
			pthread_create(&t[i], NULL, work, NULL);
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
	}
	spin_ms(50);
}

static double clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* One that waits, before much CPU time was used; prints how long it took at least and at most: between two looks at the clock others
 * may have the processor. */
static void nap(void)
{
	double outside = clock_ms(), inside;

	SMARTPROF_START("nap");
	inside = clock_ms();
	usleep(300000);
	inside = clock_ms() - inside;
	SMARTPROF_END("nap");
	printf("%.1f %.1f\n", inside, clock_ms() - outside);
	spin_ms(60);
}

static void fork_inside(void)
{
	SMARTPROF_START("parent");
	if (fork() == 0) {
		SMARTPROF_START("child");
		spin_ms(60);
		SMARTPROF_END("child");
		exit(0);
	}
	wait(NULL);
	spin_ms(60);
	SMARTPROF_END("parent");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int parse_ms = argc > 2 ? atoi(argv[2]) : 5;

	if (!strcmp(what, "requests"))
		requests(parse_ms);
	while (!strcmp(what, "requests_for_long"))
		requests(parse_ms);
	while (!strcmp(what, "serve")) {
		SMARTPROF_GUARD("request");
		spin_ms(5);
	}
	if (!strcmp(what, "log"))
		logged();
	while (!strcmp(what, "all"))
		logged();
	if (!strcmp(what, "fast"))
		fast(argc > 2 ? atol(argv[2]) : 1000000, argc > 3 ? atol(argv[3]) : 0);
	if (!strcmp(what, "adopts")) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		logged();
	}
	if (!strcmp(what, "checkpoints"))
		checkpoints();
	if (!strcmp(what, "unbalanced"))
		unbalanced();
	if (!strcmp(what, "jumps"))
		jumps();
	if (!strcmp(what, "threads"))
		threads();
	if (!strcmp(what, "nap"))
		nap();
	if (!strcmp(what, "fork"))
		fork_inside();
	if (!strcmp(what, "kill")) {
		SMARTPROF_START("serve");
		SMARTPROF_START("load index");
		spin_ms(300);
		kill(getpid(), SIGKILL);
	}
	return 0;
}
