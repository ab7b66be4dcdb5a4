/* Composes the spool of a long run of a program that was not run: for the benchmarks. Usage: compose_spool
 * PROGRAM SPOOL SAMPLES <functions. Functions are lines "START SIZE" in hexadecimal, as nm -S prints them.
 *
 * Every function calls five others, always from the same five addresses; stacks follow calls at random, so that
 * they share their outer ends as real ones do, and some are sampled much more often than others. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/profile_spool.h"

#define FUNCTIONS_MAX 100000u
#define STACKS 60000u
#define CALLS 5u
#define LEAVES 8u /* places in a function where time is spent */
#define DEPTH_LEAST 8u
#define DEPTH_SPREAD 48u
#define BIAS 0x10000000u

struct function {
	uint64_t low, bytes;
	struct {
		uint64_t at; /* return address */
		uint32_t callee;
	} calls[CALLS];
};

static struct function functions[FUNCTIONS_MAX];
static uint64_t state = 1;

/* Below n: the same in every run. */
static uint64_t below(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % n;
}

static uint32_t read_functions(void)
{
	unsigned long low, bytes;
	uint32_t n = 0;

	while (n < FUNCTIONS_MAX && scanf("%lx %lx%*[^\n]", &low, &bytes) == 2)
		functions[n++] = (struct function){.low = low, .bytes = bytes};
	for (uint32_t i = 0; i < n; i++)
		for (unsigned k = 0; k < CALLS; k++) {
			functions[i].calls[k].at = functions[i].low + 1 + below(functions[i].bytes);
			functions[i].calls[k].callee = (uint32_t)below(n);
		}
	return n;
}

/* One in two calls goes the usual way, which makes outer ends alike. */
static uint32_t add_stack(struct spool *s, uint32_t count)
{
	uint64_t addresses[SP_MAX_DEPTH];
	uint32_t depth = DEPTH_LEAST + (uint32_t)below(DEPTH_SPREAD), at = (uint32_t)below(count < 8 ? count : 8);

	for (uint32_t i = depth; i-- > 1;) {
		unsigned call = below(2) ? 0 : (unsigned)below(CALLS);

		addresses[i] = BIAS + functions[at].calls[call].at;
		at = functions[at].calls[call].callee;
	}
	addresses[0] = BIAS + functions[at].low + functions[at].bytes * below(LEAVES) / LEAVES;
	return spool_addresses(s, 0, 1, addresses, depth);
}

int main(int argc, char **argv)
{
	uint32_t samples = argc == 4 ? (uint32_t)atol(argv[3]) : 0, count = read_functions(), *stacks;
	struct sp_log_entry *log;
	struct spool s;

	if (!samples || !count || samples > 1000000) {
		fprintf(stderr, "usage: compose_spool PROGRAM SPOOL SAMPLES (at most 1000000) <functions\n");
		return 2;
	}
	spool_open_large(&s, 256);
	s.header->text.settings = spool_text(&s, "source_lines\ton\tdefault\ninlines\ton\tdefault\n");
	spool_module(&s, argv[1], BIAS, BIAS + 0x30000000u, 0, UINT64_MAX);
	log = spool_records(&s, SP_SEC_LOG);
	stacks = calloc(STACKS, sizeof(*stacks));
	for (uint32_t i = 0; i < STACKS; i++)
		stacks[i] = add_stack(&s, count);
	for (uint32_t i = 0; i < samples; i++) {
		uint32_t stack = stacks[below(1 + below(STACKS))];

		spool_sample(&s, stack, 100, 0);
		log[s.header->sections[SP_SEC_LOG].used++] =
			(struct sp_log_entry){.stack = stack, .weight = 100000 / SP_LOG_UNIT_NS};
	}
	spool_write(&s, argv[2]);
	spool_close(&s);
	free(stacks);
	return 0;
}
