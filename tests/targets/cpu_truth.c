/* Ten functions whose costs stand as 1:2:…:10, each under a stack 30 frames deep. Function k runs
 * k times 18 us, so that all of them take 0.99 ms: each is shorter than most sampling intervals, and
 * a clock of 1 ms without jitter falls nearly into step with them.
 * Usage: cpu_truth [CPU-SECONDS [THREADS [ITERATIONS]]]; prints "function<TAB>share of the CPU time". With
 * ITERATIONS, a fixed amount of work: a thousand cycles a second, with that many iterations of
 * spin() for each unit. */
#include <pthread.h>

#include "tests/targets/common.h"

#define UNIT_NS 18000.0
#define DEPTH 26 /* of descend(); main, run and the C library's start make up the rest */

/* clang-format off */
#define WORK(n) static NOINLINE uint64_t work_##n(uint64_t unit) { return spin((n) * unit); }
WORK(1) WORK(2) WORK(3) WORK(4) WORK(5) WORK(6) WORK(7) WORK(8) WORK(9) WORK(10)
typedef uint64_t (*work)(uint64_t);
/* clang-format on */
static const work works[10] = {work_1, work_2, work_3, work_4, work_5, work_6, work_7, work_8, work_9, work_10};

static NOINLINE uint64_t descend(work f, uint64_t unit, int depth)
{
	uint64_t x = depth ? descend(f, unit, depth - 1) : f(unit);

	__asm__ volatile("" : "+r"(x));
	return x;
}

static double seconds = 1.7;
static uint64_t unit, cycles; /* cycles: 0 as many as fit into the time */

/* Iterations that take UNIT_NS here: the best of some tries, since whatever disturbs one makes it slower. */
static void calibrate(void)
{
	const uint64_t iterations = 50000;
	double best = 1;

	for (int i = 0; i < 30; i++) {
		double began = clock_seconds(CLOCK_THREAD_CPUTIME_ID), took;

		spin(iterations);
		took = clock_seconds(CLOCK_THREAD_CPUTIME_ID) - began;
		best = took < best ? took : best;
	}
	unit = (uint64_t)((double)iterations * UNIT_NS / 1e9 / best) + 1;
}

static void *run(void *result)
{
	double end = clock_seconds(CLOCK_THREAD_CPUTIME_ID) + seconds;
	uint64_t x = 0;

	for (uint64_t n = 0; cycles ? n < cycles : clock_seconds(CLOCK_THREAD_CPUTIME_ID) < end; n++)
		for (int i = 0; i < 10; i++)
			x += descend(works[i], unit, DEPTH);
	*(uint64_t *)result = x;
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = (int)argument(argc, argv, 2, 1);
	pthread_t thread[64];
	uint64_t result[64];

	seconds = argument(argc, argv, 1, seconds) / threads;
	unit = (uint64_t)argument(argc, argv, 3, 0);
	if (unit)
		cycles = (uint64_t)(seconds * 1000);
	else
		calibrate();
	for (int i = 1; i < threads; i++)
		check(pthread_create(&thread[i], NULL, run, &result[i]) == 0, "pthread_create");
	run(&result[0]);
	for (int i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
	for (int i = 1; i <= 10; i++)
		printf("work_%d\t%.4f\n", i, i / 55.0);
	return 0;
}
