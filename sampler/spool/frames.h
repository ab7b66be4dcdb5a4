/* The addresses of stacks in the spool: runs of words in SP_SEC_FRAMES, which share their outer ends. */
#ifndef SP_SAMPLER_SPOOL_FRAMES_H
#define SP_SAMPLER_SPOOL_FRAMES_H

#include "sampler/agent.h"

#define SP_FRAMES_TABLE_BYTES 65536u /* outside of the spool */

/* Enters a stack's addresses, leaf first, and returns the index of the first; 0 when there is no room. What an
 * earlier stack ends with is not entered again if it is found: see SP_FRAME_JUMP. Lock-free; any context. */
uint32_t sp_frames_put(const uint64_t *frames, uint32_t depth) SP_HIDDEN;

#endif
