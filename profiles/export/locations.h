/* What the formats of pprof's kind share: stacks of locations, and the labels that spans give them. */
#ifndef SP_PROFILES_LOCATIONS_H
#define SP_PROFILES_LOCATIONS_H

#include "profiles/model/folded.h"

/* A frame with those inlined into it: frame_ids[first .. first + count), the innermost first. */
struct sp_location {
	size_t first;
	uint32_t count;
};

/* Equal chains of frames share a location. All-zero is an empty one. */
struct sp_locations {
	struct sp_map chains; /* (chain without its last frame, or 0; that frame) -> number of the chain of frames */
	struct sp_map ids;    /* (chain, 0) -> number of its location */
	struct sp_location *list; /* by number, from 1 on; 0 is none */
	size_t count, capacity;   /* of list */
};

/* The profile's stacks of a kind, those of the heap up to their sites, by numbers of locations, merged; values by enum
 * sp_path_weight_kind. rows: NULL, or room for the row of each path, SP_NO_ROW none. */
#define SP_NO_ROW UINT32_MAX

void sp_locations_fold(struct sp_locations *locations, struct sp_folded *f, const struct sp_profile *profile,
	enum sp_stack_kind kind, uint32_t *rows);

/* Where the location is: the frame that the others are inlined into. */
uint32_t sp_location_frame(const struct sp_locations *locations, const struct sp_profile *profile, uint32_t location);

void sp_locations_free(struct sp_locations *locations);

#define SP_LABELS_MAX 32u
#define SP_LABEL_SPAN "span" /* its value: the names of the spans, the outermost first */

/* Texts as numbers of the names that sp_labels_find was given. */
struct sp_sample_labels {
	struct sp_sample_label {
		uint32_t key, value;
	} list[SP_LABELS_MAX];
	size_t count;
};

/* The labels of the spans that a stack stands in. Of a key the innermost value counts, and of more than SP_LABELS_MAX the
 * outermost. row: one of a fold by locations. */
void sp_labels_find(struct sp_sample_labels *labels, struct sp_names *names, const struct sp_locations *locations,
	const struct sp_profile *profile, const struct sp_folded *f, const struct sp_folded_row *row);

#endif
