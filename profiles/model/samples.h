/* CPU samples in the order of time: by slice of the timeline and thread, which stacks were met. */
#ifndef SP_PROFILES_MODEL_SAMPLES_H
#define SP_PROFILES_MODEL_SAMPLES_H

#include "profiles/model/model.h"
#include "profiles/model/timeline.h"

#define SP_SAMPLE_SLICES 120u

/* So many samples of a path, one after the other. */
struct sp_sample_run {
	uint32_t path, count;
};

/* What a thread was sampled with in a slice: runs[first .. first + count). */
struct sp_sample_row {
	uint32_t slice;
	int tid; /* 0: of a thread that is not known */
	size_t first, count;
};

struct sp_samples {
	struct sp_slice slices[SP_SAMPLE_SLICES];
	size_t slice_count;
	struct sp_sample_row *rows; /* by slice */
	size_t row_count, row_capacity;
	struct sp_sample_run *runs;
	size_t run_count, run_capacity;
};

/* Of the profile's snapshot. Where there are more samples than room, those of a stack stand together in each row, and
 * slices are longer: the order within them is lost then, not the numbers. same[path]: the first path with the same frames;
 * runs are of those. room: for so many runs; 0: as many as go with the number of paths. */
void sp_samples_take(struct sp_samples *samples, const struct sp_profile *profile, const uint32_t *same, size_t room);
void sp_samples_free(struct sp_samples *samples);

#endif
