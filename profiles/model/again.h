/* Looking the names of a written profile up again, because debug files have come since, or to leave inlined
 * functions out. */
#ifndef SP_PROFILES_MODEL_AGAIN_H
#define SP_PROFILES_MODEL_AGAIN_H

#include "profiles/model/model.h"

/* Of a frame that was read, while its profile is built anew. */
struct sp_written_frame {
	uint32_t module; /* of the new profile; 0: pseudo functions */
	bool wanted;     /* its address is exact, and what is at it may be better known now */
};

struct sp_written {
	struct sp_profile *profile;
	struct sp_written_frame *frames;
	const char *text; /* the whole file: what does not depend on names is copied from it */
	size_t length;
	bool looked_up; /* names were */
	uint64_t named; /* addresses of which more is known than was written */
};

/* A profile and what it rests on, which is freed with it. */
struct sp_again {
	struct sp_profile *profile;
	struct sp_snapshot snapshot;
	struct sp_written written;
};

/* Builds a profile from one that was read, which from then on belongs to it. symbols: how to look names up, NULL: do not;
 * its no_inlines leaves the inlined ones out. Returns NULL, or a phrase when the profile does not hold what that takes. */
const char *sp_profile_again(struct sp_again *again, struct sp_profile *written, const char *text, size_t length,
	const struct sp_symbolizer_options *symbols, bool look_up);
void sp_again_free(struct sp_again *again);

#endif
