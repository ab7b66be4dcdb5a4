/* What a profile tells of its process's marks (profiles/spool/marks.h). */
#ifndef SP_PROFILES_MODEL_MARKS_H
#define SP_PROFILES_MODEL_MARKS_H

#include "profiles/model/model.h"

struct sp_mark_info {
	const char *label;
	const struct sp_mark *mark; /* the snapshot's */
	double inuse_error;         /* 95 % half-width of what the heap held, bytes */
	int64_t growth_bytes;       /* since the mark before, or the start, and its half-width */
	double growth_error;
	uint32_t
		function; /* where most of it came from, in functions[], and how much; UINT32_MAX: no place is known for sure */
	int64_t most_bytes;
	double most_error;
};

#endif
