/* An agent set up by hand: a spool in a temporary file, no hooks, no clocks. */
#include "tests/unit/sampler_spool.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/spool/mapping.h"
#include "sampler/spool/write.h"

static char path[256];

int agent_open(const char *directory, uint32_t sample_cap)
{
	struct sp_spool_header *spool = NULL;
	int err;

	snprintf(path, sizeof(path), "%s/sampler_test.%d.spool", directory, (int)getpid());
	unlink(path);
	err = sp_spool_create(path, sample_cap, &spool);
	if (err)
		return err;
	sp_agent = (struct sp_agent){.state = SP_AGENT_ACTIVE,
		.pid = (int)getpid(),
		.has_spool = true,
		.spool = spool,
		.spool_map = (uint8_t *)spool,
		.start_monotonic_ns = sp_now_ns() + sp_agent.start_monotonic_ns};
	return 0;
}

void agent_close(void)
{
	sp_mapping_leave();
	sp_agent = (struct sp_agent){0};
	unlink(path);
}

const char *agent_path(void)
{
	return path;
}

void agent_snapshot(struct sp_snapshot *s)
{
	int fd = open(agent_path(), O_RDONLY | O_CLOEXEC);
	const char *why = NULL;

	assert_true(fd >= 0);
	if (sp_snapshot_read(s, fd, &why))
		fail_msg("the reader refuses the spool: %s", why);
	close(fd);
	assert_int_equal(s->damaged, 0);
}

struct job {
	unsigned (*fn)(unsigned);
	unsigned number, result;
	pthread_t thread;
};

static void *run_job(void *arg)
{
	struct job *job = arg;

	job->result = job->fn(job->number);
	return NULL;
}

unsigned run_threads(unsigned (*fn)(unsigned number))
{
	struct job jobs[TEST_THREADS];
	unsigned sum = 0;

	for (unsigned i = 0; i < TEST_THREADS; i++) {
		jobs[i] = (struct job){.fn = fn, .number = i};
		if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]))
			abort();
	}
	for (unsigned i = 0; i < TEST_THREADS; i++) {
		pthread_join(jobs[i].thread, NULL);
		sum += jobs[i].result;
	}
	return sum;
}

double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dULL;
}
