/* A library that wraps pthread_create, as leak and race detectors do: in the new thread it allocates and computes before
 * it calls the start routine, and is on the stack until that has returned. */
#include <dlfcn.h>
#include <pthread.h>

#include "tests/targets/common.h"

typedef void *start_fn(void *);

struct job {
	start_fn *start;
	void *argument;
};

static void *run(void *p)
{
	struct job job = *(struct job *)p;
	void *volatile block = malloc(100);
	void *result;

	free(block);
	free(p);
	spend(0.05);
	result = job.start(job.argument);
	__asm__ volatile(""); /* no tail call */
	return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, start_fn *start, void *argument)
{
	int (*real)(pthread_t *, const pthread_attr_t *, start_fn *, void *) = dlsym(RTLD_NEXT, "pthread_create");
	struct job *job = malloc(sizeof(*job));

	check(real && job, "pthread_create");
	*job = (struct job){start, argument};
	return real(thread, attr, run, job);
}
