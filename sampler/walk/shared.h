/* Rules that the processes of a tree share: what one has read of a file's unwind tables, the others need not read. */
#ifndef SP_SAMPLER_WALK_SHARED_H
#define SP_SAMPLER_WALK_SHARED_H

#include "sampler/agent.h"
#include "sampler/walk/cfi.h"

/* Those of the tree's file, of SP_SHARED_RULES_BYTES at the beginning of a page, which stay mapped as memory of some kind;
 * NULL: there are none. Any context. */
void sp_shared_rules_use(struct sp_shared_rules *rules) SP_HIDDEN;

/* As sp_cfi_find. Signal context. */
struct sp_cfi_rule sp_shared_rules_find(uint64_t pc) SP_HIDDEN;

#endif
