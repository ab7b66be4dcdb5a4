/* What a mapped object says of itself: its headers and its build-id, as they are in memory. */
#ifndef SP_SAMPLER_OBJECT_H
#define SP_SAMPLER_OBJECT_H

#include <dlfcn.h>
#include <link.h>

#include "sampler/agent.h"

/* The ELF header, or NULL when the object's first page does not hold it with the program headers. */
const ElfW(Ehdr) * sp_object_header(const struct dl_find_object *object) SP_HIDDEN;

/* Copies the GNU build-id. Returns its length, 0: there is none. */
uint32_t sp_object_build_id(const struct dl_find_object *object, uint8_t id[SP_BUILD_ID_MAX]) SP_HIDDEN;

uint64_t sp_object_hash(uint64_t hash, const void *bytes, size_t count) SP_HIDDEN;

/* A hash of the build-id and the program headers; 0: nothing says which build it is. */
uint64_t sp_object_identity(const struct dl_find_object *object) SP_HIDDEN;

#endif
