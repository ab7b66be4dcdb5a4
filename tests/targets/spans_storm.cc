/* Spans that end in every way, in more threads than there are processors: spans_storm THREADS ROUNDS. */
#include "preload/smartprof.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdexcept>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORK_EVERY 50

static long rounds;

static void spend_ms(long ms)
{
	struct timespec now;
	clock_t until = clock() + ms * (CLOCKS_PER_SEC / 1000);

	do
		clock_gettime(CLOCK_REALTIME, &now);
	while (clock() < until);
}

static void fail(int depth)
{
	SMARTPROF_GUARD("fail");
	if (!depth)
		throw std::runtime_error("as planned");
	fail(depth - 1);
}

static void caught()
{
	SMARTPROF_GUARD("caught");
	try {
		fail(2);
	} catch (const std::exception &) {
	}
}

static void jumped()
{
	jmp_buf back;

	SMARTPROF_START("jumped");
	if (!setjmp(back)) {
		SMARTPROF_START("left");
		longjmp(back, 1);
	}
	SMARTPROF_END("jumped");
}

/* What the child has inherited is not its own to end. */
static void forked(bool is_seen)
{
	pid_t child = fork();

	if (!child) {
		SMARTPROF_END("round");
		for (int i = 0; i < 100; i++) {
			SMARTPROF_START("child");
			SMARTPROF_END("child");
		}
		if (is_seen)
			spend_ms(60);
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0)
		;
}

static void *work(void *first)
{
	SMARTPROF_START("thread");
	for (long i = 0; i < rounds; i++) {
		SMARTPROF_START("round");
		caught();
		jumped();
		SMARTPROF_END("never begun");
		if (i % FORK_EVERY == 0)
			forked(first && !i);
		SMARTPROF_END("round");
	}
	if (first)
		pthread_exit(NULL);
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 8;
	pthread_t *t = static_cast<pthread_t *>(calloc(static_cast<size_t>(threads), sizeof(*t)));

	rounds = argc > 2 ? atol(argv[2]) : 100;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, work, i ? NULL : argv))
			return 1;
	for (long i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	spend_ms(60);
	printf("%ld threads\n", threads);
	return 0;
}
