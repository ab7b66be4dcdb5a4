/* Makes spools with known content, for the tests of profiles/. */
#ifndef SP_TESTS_UNIT_PROFILE_SPOOL_H
#define SP_TESTS_UNIT_PROFILE_SPOOL_H

#include <stdint.h>

#include "profiles/spool/read.h"
#include "sampler/spool.h"

/* "Functions" of a module that exists nowhere: number n stands at SPOOL_BASE + 16 n and comes out as
 * "prog+0x<16 n>". */
#define SPOOL_BASE 0x400000u
#define SPOOL_PROGRAM "/nowhere/prog"

struct spool {
	struct sp_spool_header *header; /* of the file being composed */
};

/* A new spool with one module, SPOOL_PROGRAM, and the overflow records. */
void spool_open(struct spool *s);
void spool_open_large(struct spool *s, uint32_t times); /* with so many times the room */
void spool_close(struct spool *s);

void *spool_records(struct spool *s, enum sp_section section);
uint32_t spool_text(struct spool *s, const char *text);
uint32_t spool_module(struct spool *s, const char *path, uint64_t start, uint64_t end, uint64_t epoch_from,
	uint64_t epoch_to);

/* A stack of function numbers, leaf first, ended by -1. Returns its index. */
uint32_t spool_stack(struct spool *s, uint32_t flags, const int *functions);
/* A stack of raw addresses. */
uint32_t spool_addresses(struct spool *s, uint32_t flags, uint32_t epoch, const uint64_t *addresses, uint32_t depth);

/* Adds a CPU sample of `user_us` and one of `sys_us` to the stack (0: none), to its thread and to the totals. */
void spool_sample(struct spool *s, uint32_t stack, uint64_t user_us, uint64_t sys_us);

/* One more thread, ended, with this much CPU time measured and nothing sampled. */
struct sp_thread_record *spool_thread(struct spool *s, const char *name, int tid, uint64_t user_us, uint64_t sys_us);

/* A point of the timeline, with the CPU interval in force. */
struct sp_timepoint *spool_timepoint(struct spool *s, uint64_t t_ms, uint64_t interval_us);

struct sp_site *spool_site(struct spool *s, uint32_t stack, uint64_t bytes, uint64_t count);

/* A wait in such a call, of the functions that STACK names. */
void spool_wait(struct spool *s, enum sp_wait_call call, const int *functions, uint64_t ns);

/* A copy of the sample'th sample of a stack, at address 0 and with no registers as yet. */
struct sp_copy *spool_copy(struct spool *s, uint32_t stack, uint32_t sample, const uint64_t *words, uint32_t count);

/* Marks the moment; then, before a site is changed, as the agent does. */
struct sp_mark *spool_mark(struct spool *s, const char *name, uint64_t t_ns);
void spool_settle(struct spool *s, uint32_t site);

/* Puts some of everything in: recursion, cut stacks, hostile names, sites, threads, a timeline, a log. */
void spool_fill(struct spool *s);

/* Writes it to `path` with mode 0600. */
void spool_write(struct spool *s, const char *path);

/* What `smartprof finish` would read of it; the caller frees it. */
void spool_snapshot(struct spool *s, struct sp_snapshot *snapshot);

#endif
