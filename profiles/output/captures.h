/* Profiles of marked moments, beside the one of the whole run. */
#ifndef SP_PROFILES_OUTPUT_CAPTURES_H
#define SP_PROFILES_OUTPUT_CAPTURES_H

#include "profiles/output/output.h"
#include "profiles/output/render.h"

#define SP_CAPTURES_MAX 16u
#define SP_CAPTURES_BYTES (128u * 1000000u) /* of all that are kept in that folder */

/* Writes the profiles of those marks of the spool open at fd that ask for one (SP_MARK_SNAPSHOT, thresholds of memory that were
 * set), at most SP_CAPTURES_MAX: <directory>/auto-memory/<name of the run's profile>.<mark>.capture.md, where <directory> is that of the
 * environments, or beside a file that was asked for. `output`: the run's, after it was written. What cannot be
 * written is left out: the run's profile lists the marks. */
void sp_captures_write(int fd, const struct sp_output *output, const struct sp_render_options *options);

#endif
