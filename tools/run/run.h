/* The parts of `smartprof run`. */
#ifndef SP_TOOLS_RUN_H
#define SP_TOOLS_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "profiles/output/render.h"
#include "tools/tools.h"

/* Whether profiles can be written to where the settings want them; false after a complaint. */
bool sp_run_place_is_possible(void);

/* What is known of a run, to tell what became of its profile. */
struct sp_run_told {
	bool enabled;
	bool quiet; /* say nothing: it is not wanted, or was said before */
	pid_t pid;
	uint64_t refused; /* processes without a profile, for want of room for their spools */
	struct timespec began;
	uint64_t cpu_ns; /* of children so far */
};

/* Its profile, the first process's where there are several; false: none. */
bool sp_run_profile(const struct sp_run_told *told, char path[static PATH_MAX]);

/* Before it starts; and afterwards, with its pid: one line on stderr that says where its profile is, or why there is none. */
void sp_run_began(struct sp_run_told *told);
void sp_run_tell(const struct sp_run_told *told);

/* What the kernel tells of a child that has ended and was not reaped: what it has used, which wait4 would tell with its children's. */
void sp_run_note_ending(pid_t pid, struct sp_ending *ending);

#endif
