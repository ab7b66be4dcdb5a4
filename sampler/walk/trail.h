/* Walks that go where the last one of their thread went.
 *
 * Most of a stack is what it was at the sample before. From a frame on, a walk by short rules is a matter of nothing but
 * that frame's instruction, stack pointer and frame pointer, of the words that it reads of the stack, and of the rules.
 * So a thread remembers the frames of its last walk and where their words stood. A walk that comes to a frame that it
 * knows goes on along them as long as the same words stand there: no rule is looked up, and the words, whose places are
 * known, are read one beside the other and not each when the one before has led to it. What differs is walked, and the
 * walk may come to known frames again above it. */
#ifndef SP_SAMPLER_WALK_TRAIL_H
#define SP_SAMPLER_WALK_TRAIL_H

#include "sampler/walk/walker.h"

/* Begins with what the thread remembers; after a dlclose that is nothing. */
void sp_trail_begin(struct sp_walker *w, struct sp_thread *t) SP_HIDDEN;

/* The walk has gone back to begin anew. */
void sp_trail_restart(struct sp_walker *w) SP_HIDDEN;

/* The walk is at a frame, which is the last one in `frames`. Goes on along known ones, which come there, too, and
 * remembers the one that it is at then. */
void sp_trail_follow(struct sp_walker *w, uint64_t *frames) SP_HIDDEN;

/* From that frame a step by a short rule has been made. sp: that frame's; bp_at: where its caller's frame pointer stood. */
void sp_trail_remember(struct sp_walker *w, struct sp_cfi_rule rule, uint64_t sp, uint64_t bp_at) SP_HIDDEN;

void sp_trail_end(struct sp_walker *w) SP_HIDDEN;

#endif
