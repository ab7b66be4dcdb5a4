/* What stands out in the runs of a session against the history of their commands. */
#ifndef SP_TOOLS_MONITOR_STANDING_H
#define SP_TOOLS_MONITOR_STANDING_H

#include "profiles/base/buffer.h"
#include "profiles/history/run.h"

/* The series that runs of this session went into. */
struct sp_standing {
	struct sp_standing_series {
		int64_t series;
		size_t fresh;  /* runs of this session */
		char *command; /* of the newest */
	} * items;
	size_t count, capacity;
};

/* After the run is in the history. Runs that others disturbed, as several ran at a time, are passed over. */
void sp_standing_note(struct sp_standing *standing, const struct sp_history_run *run);

/* Appends three lines at the most, and nothing that is not sure. Names the commands where `named`. */
void sp_standing_put(struct sp_buffer *out, const struct sp_standing *standing, bool named);
void sp_standing_free(struct sp_standing *standing);

#endif
