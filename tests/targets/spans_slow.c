/* Requests of which one in ten is slow, for a known reason (heavier: all of them are). Usage: spans_slow work|wait|lock|memory|alike|heavier [requests] [microseconds] */
#include "preload/smartprof.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;
static unsigned long seed = 12345;

static unsigned long next(void)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return seed >> 33;
}

static long thread_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Work of a fixed amount, so that what the processor is shared with changes nothing of it. */
static unsigned long rounds_per_us = 1;

__attribute__((noinline)) static unsigned long spin(unsigned long rounds)
{
	unsigned long x = rounds;

	for (unsigned long i = 0; i < rounds; i++)
		x = x * 2862933555777941757ul + 3037000493ul;
	return x;
}

#define WORKER(name, factor) \
	__attribute__((noinline)) static void name(unsigned long us) \
	{ \
		unsigned long x = us; \
		for (unsigned long i = 0; i < us * rounds_per_us; i++) \
			x = x * factor + 3037000493ul; \
		sink += x; \
	}
WORKER(parse, 2862933555777941757ul)
WORKER(checksum, 3202034522624059733ul)
WORKER(answer, 3935559000370003845ul)

__attribute__((noinline)) static void build_reply(size_t bytes)
{
	char *p = malloc(bytes);

	memset(p, 1, bytes);
	__asm__ volatile("" : : "r"(p) : "memory");
	free(p);
}

static void calibrate(void)
{
	long began = thread_us(), took;

	sink += spin(20000000);
	took = thread_us() - began;
	rounds_per_us = took > 0 ? 20000000 / (unsigned long)took : 1;
}

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t wanted, held;

/* Has the lock for a while whenever that is wanted. */
static void *rotate_log(void *us)
{
	for (;;) {
		sem_wait(&wanted);
		pthread_mutex_lock(&log_lock);
		sem_post(&held);
		usleep((unsigned)(unsigned long)us / 2);
		pthread_mutex_unlock(&log_lock);
	}
	return NULL;
}

__attribute__((noinline)) static void flush_log(void)
{
	sem_post(&wanted);
	sem_wait(&held);
	pthread_mutex_lock(&log_lock);
	pthread_mutex_unlock(&log_lock);
}

__attribute__((noinline)) static void pause_for(unsigned us)
{
	usleep(us);
	sink++;
}

static void request(const char *what, unsigned long us, int slow)
{
	SMARTPROF_GUARD("request");
	parse(us * 3 / 10);
	SMARTPROF_BLOCK("store")
	{
		checksum(us * 4 / 10 *
				(!strcmp(what, "heavier")                       ? 30
						: slow && !strcmp(what, "work") ? 14
										: 10) /
				10 +
			next() % (us / 50 + 1));
	}
	if (slow && !strcmp(what, "wait"))
		pause_for((unsigned)us / 2);
	if (slow && !strcmp(what, "lock"))
		flush_log();
	if (!strcmp(what, "memory"))
		for (int i = slow ? 24 : 4; i; i--)
			build_reply(1000000);
	answer(us * 3 / 10);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "work";
	int requests = argc > 2 ? atoi(argv[2]) : 1000;
	unsigned long us = argc > 3 ? (unsigned long)atol(argv[3]) : 2000;

	calibrate();
	sem_init(&wanted, 0, 0);
	sem_init(&held, 0, 0);
	if (!strcmp(what, "lock"))
		pthread_create(&(pthread_t){0}, NULL, rotate_log, (void *)us);
	for (int i = 0; i < requests; i++)
		request(what, us, next() % 10 == 0);
	return 0;
}
