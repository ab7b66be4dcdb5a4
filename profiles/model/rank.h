/* The largest of a profile's parts. */
#ifndef SP_PROFILES_RANK_H
#define SP_PROFILES_RANK_H

#include "profiles/model/model.h"

/* Indices of the functions (or modules, or sites) for which key() is not 0, largest first; *count of them.
 * free() the result. */
uint32_t *sp_rank(size_t all, size_t *count, uint64_t (*key)(const struct sp_profile *, size_t),
	const struct sp_profile *profile);
uint64_t sp_rank_self(const struct sp_profile *profile, size_t function);
uint64_t sp_rank_module(const struct sp_profile *profile, size_t module);

#endif
