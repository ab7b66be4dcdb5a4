/* Spends time and memory in 24 functions, each in a thread of its own; a test gives the functions other
 * names with objcopy. Usage: hostile [THREAD_NAME...] */
#include <pthread.h>
#include <time.h>

#include "tests/targets/common.h"

static double milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Where the kernel's tick alone samples, 60 ms are some 15 samples: none is missing by chance. The empty statement keeps the functions
 * apart: equal ones may be folded into one. */
#define FUNCTION(n) \
	NOINLINE void hostile_##n(void); \
	NOINLINE void hostile_##n(void) \
	{ \
		volatile unsigned x = n; \
\
		for (double end = milliseconds() + 60; milliseconds() < end;) \
			for (int i = 0; i < 20000; i++) \
				x = x * 33 + n; \
		for (int i = 0; i < 50; i++) { \
			void *volatile block = malloc(1000 + n); \
			if (i % 2) \
				free(block); \
		} \
	}
#define EIGHT(F, t) F(t##0) F(t##1) F(t##2) F(t##3) F(t##4) F(t##5) F(t##6) F(t##7)
EIGHT(FUNCTION, 1)
EIGHT(FUNCTION, 2)
EIGHT(FUNCTION, 3)

#define NAME(n) hostile_##n,
static void (*const functions[])(void) = {EIGHT(NAME, 1) EIGHT(NAME, 2) EIGHT(NAME, 3)};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

struct job {
	const char *name;
	void (*function)(void);
};

static void *work(void *arg)
{
	const struct job *job = arg;

	if (job->name) {
		char name[16] = "";

		strncpy(name, job->name, sizeof(name) - 1);
		pthread_setname_np(pthread_self(), name);
	}
	job->function();
	return NULL;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < FUNCTIONS; i++) {
		struct job job = {(int)i + 1 < argc ? argv[i + 1] : NULL, functions[i]};
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, &job))
			return 1;
		pthread_join(thread, NULL);
	}
	return 0;
}
