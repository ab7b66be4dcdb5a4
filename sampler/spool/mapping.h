/* Where the spool is mapped, and what is there when it is not ours any more. */
#ifndef SP_SAMPLER_SPOOL_MAPPING_H
#define SP_SAMPLER_SPOOL_MAPPING_H

#include "sampler/agent.h"

/* Maps a new spool's file: the address, or a negative errno. In the place of one that was left, if that was as large. The second
 * undoes it. Any context. */
long sp_mapping_make(long fd, uint64_t bytes) SP_HIDDEN;
void sp_mapping_undo(void *spool, uint64_t bytes) SP_HIDDEN;

/* The spool is one mapping of so many bytes; 0: parts of it have been cut out. */
void sp_mapping_is_one(uint64_t bytes) SP_HIDDEN;

/* The spool is not ours any more: in a forked child, the parent's. What the handler that has forked interrupted goes on where it
 * was, so the spool's place is taken by memory that is nobody's, until the next spool comes there. Without a spool, nothing. Any context. */
void sp_mapping_leave(void) SP_HIDDEN;

/* What is mapped counts against a limit even where it is not used: the place of a spool that is left is given back, whatever may have been
 * interrupted. */
void sp_mapping_is_counted(bool is) SP_HIDDEN;

/* Gives back the spool or what is in its place: nothing that was interrupted goes on, and no activation may come
 * meanwhile. */
void sp_mapping_drop(void) SP_HIDDEN;

static inline uint64_t sp_section_end(const struct sp_section_entry *e)
{
	return sp_page_end(e->offset + (uint64_t)e->stride * e->capacity);
}

#endif
