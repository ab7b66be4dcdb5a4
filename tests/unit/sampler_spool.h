/* For the tests of sampler/: an agent that is active in this process, with a spool of its own. */
#ifndef SP_TESTS_UNIT_SAMPLER_SPOOL_H
#define SP_TESTS_UNIT_SAMPLER_SPOOL_H

#include <stdint.h>

#include "profiles/spool/read.h"
#include "sampler/agent.h"

#define TEST_THREADS 4

/* Makes a spool in a new file below `directory` and points sp_agent at it. Returns 0 or what sp_spool_create
 * returned; the file is then gone. */
int agent_open(const char *directory, uint32_t sample_cap);

/* Unmaps and removes it; sp_agent is as in a new process. */
void agent_close(void);

/* Path of the spool file, whether it exists or not. */
const char *agent_path(void);

/* What the reader makes of it; a test that it refuses, or finds damaged, fails. To be freed by sp_snapshot_free. */
void agent_snapshot(struct sp_snapshot *snapshot);

/* Runs fn on TEST_THREADS threads with the numbers from 0 and waits for all; returns the sum of what they returned. */
unsigned run_threads(unsigned (*fn)(unsigned number));

/* Seconds of the monotonic clock. */
double now_s(void);

/* Pseudo-random numbers, the same in every run; *state must not be 0. */
uint64_t next_random(uint64_t *state);

#endif
