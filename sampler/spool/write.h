/* Creating the spool and handing out its records. */
#ifndef SP_SAMPLER_SPOOL_WRITE_H
#define SP_SAMPLER_SPOOL_WRITE_H

#include "sampler/agent.h"

/* Creates the spool file `path` (O_EXCL, 0600) with tables for `sample_cap` samples, maps it and
 * fills in the header's identity. On success *spool is the mapping. Nothing of it is a hole that
 * could fault later: every record handed out is backed first. Checks RLIMIT_FSIZE, so that no
 * SIGXFSZ is raised. It takes a sixteenth of a limited address space at the most, and little of memory that will
 * be locked. Returns 0 or a negative errno (-EFBIG: RLIMIT_FSIZE; -E2BIG: RLIMIT_AS; -ENOSPC: no room).
 * Any context; does not touch sp_agent. */
int sp_spool_create(const char *path, uint32_t sample_cap, struct sp_spool_header **spool) SP_HIDDEN;

/* Hands out `n` consecutive records of a section and returns the index of the first, 0 when the
 * table is full, memory is refused, or the agent has taken all it may (header.agent_bytes_max);
 * index 0 is every section's overflow record. Any context, lock-free. */
uint32_t sp_spool_allot(enum sp_section section, uint32_t n) SP_HIDDEN;

/* Makes the first `n` records of a section usable that hands out none; false when memory is refused. Any context. */
bool sp_spool_back(enum sp_section section, uint32_t n) SP_HIDDEN;

/* Records of a section that may be looked at: handed out, and backed. Any context. */
uint32_t sp_spool_count(enum sp_section section) SP_HIDDEN;

/* Backs the part of the bucket tables that `bucket` is in; false when that fails: then the bucket must not be
 * touched. They are hit at random. Any context. */
bool sp_spool_back_bucket(uint32_t bucket) SP_HIDDEN;

/* Appends a string of `length` bytes (a NUL is added) to the text section; returns its offset, 0
 * when it is full. Any context. */
uint32_t sp_spool_text(const char *text, size_t length) SP_HIDDEN;

/* The same of a string that ends with a NUL; 0 for NULL and the empty one. Any context. */
uint32_t sp_spool_string(const char *s) SP_HIDDEN;

/* Differs for every spool made in this process, a forked one's parent included. */
uint32_t sp_spool_generation(void) SP_HIDDEN;

/* Counts memory that the agent takes outside of the spool, and raises the limit by `more`. Any context. */
void sp_spool_take(uint64_t bytes, uint64_t more) SP_HIDDEN;

/* The process is about to lock its memory: cuts away the room of sections that may never be used. Normal context. */
void sp_spool_cut(struct sp_spool_header *spool) SP_HIDDEN;

/* The process has locked its memory: unlocks the spool again, which may be paged out. */
void sp_spool_unlock(struct sp_spool_header *spool) SP_HIDDEN;

/* Nothing is written to the spool any more: gives back the memory that a reader does not need, if it is much. Returns the bytes that the
 * spool takes from then on. Any context. */
uint64_t sp_spool_trim(struct sp_spool_header *spool) SP_HIDDEN;

/* The writer's lock (SP_LOCK_WRITER) of a file: it belongs to the open file, which a mapping keeps, so it goes with the
 * process, in every namespace. Take: 0 or a negative errno. Any context. */
long sp_lock_take(long fd) SP_HIDDEN;

/* Whether anybody has it. False where the file cannot be opened. Any context. */
bool sp_lock_is_taken(const char *path) SP_HIDDEN;

#endif
