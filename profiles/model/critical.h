/* Who waited for whom: the chain of processes that a run's duration follows from. */
#ifndef SP_PROFILES_MODEL_CRITICAL_H
#define SP_PROFILES_MODEL_CRITICAL_H

#include "profiles/model/model.h"

/* A part of the run in which `process` (an index in processes[]) was what was waited for: it ran itself, or children without a
 * profile. */
#define SP_NO_PROCESS UINT32_MAX /* the run's first process, which has no profile, or others without */

struct sp_wait {
	uint32_t process;
	uint64_t from_ns, to_ns; /* since 1970 */
};

/* From the end of the run's first process backwards: in a process, the child that ended last is what it waited for; before that
 * child began, the one that had ended last by then; and so on within each child. Processes whose parent has no profile count
 * as children of the first one. In the order of time; free() it. NULL: the processes are not of one run. */
struct sp_wait *sp_critical_path(const struct sp_profile *profile, size_t *count);

#endif
