/* Which mapped object an address belongs to, and what happens when objects come and go. All
 * lookups go through glibc's lock-free _dl_find_object: no loader lock in a handler, no snapshot
 * that could be out of date. */
#ifndef SP_SAMPLER_SPOOL_MODULES_H
#define SP_SAMPLER_SPOOL_MODULES_H

#include <link.h>

#include "sampler/agent.h"

/* The epoch at which the addresses of a stack are recorded; enters every object they belong to
 * into the spool's module table. What a stack ends with as the thread's last one does was looked up then, unless unloads
 * are not told of. Any context. */
uint32_t sp_modules_note(struct sp_thread *t, const uint64_t *frames, uint32_t n) SP_HIDDEN;

/* The same for an address that may point nowhere, such as a stale word of a stack: the object it points into may be unloaded
 * meanwhile. An object without a build-id at the usual place is not entered. */
uint32_t sp_modules_note_unsure(struct sp_thread *t, uint64_t address) SP_HIDDEN;

/* True when each of the addresses still belongs to the object it belonged to at `epoch`. */
bool sp_modules_same(const uint64_t *frames, uint32_t n, uint32_t epoch) SP_HIDDEN;

#endif
