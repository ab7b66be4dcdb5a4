/* Addresses -> chains of named frames: the first half of stage 2 of the model (frames.c has the other). Private to profiles/model. */
#ifndef SP_PROFILES_MODEL_RESOLVE_H
#define SP_PROFILES_MODEL_RESOLVE_H

#include "profiles/model/build.h"
#include "profiles/model/model.h"

struct sp_resolver {
	struct sp_profile *profile;
	struct sp_symbolizer *symbolizer;
	struct sp_map texts;     /* a text of the symbolizer, which keeps each once -> name id */
	struct sp_map functions; /* (module, name id) -> function */
	struct sp_map frames;    /* see sp_resolver_frame */
	struct sp_addresses addresses;
	uint32_t *chain; /* frame ids of all resolved addresses: [first .. first + count) of each, innermost first */
	size_t chain_count, chain_capacity;
};

/* The profile's pseudo functions are there already. */
void sp_resolver_begin(struct sp_resolver *r, struct sp_profile *profile, struct sp_symbolizer *symbolizer);
void sp_resolver_end(struct sp_resolver *r);

/* The id of such a frame in the profile, which has each once. */
uint32_t sp_resolver_frame(struct sp_resolver *r, const struct sp_profile_frame *frame);

/* An address by its id, with its frames in r->chain: those that are inlined there, then the function itself. */
const struct sp_address *sp_resolve(struct sp_resolver *r, uint32_t id);

#endif
