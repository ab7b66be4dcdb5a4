/* The steps of sp_config_load(), inside env/ only; same rules as env.h. */
#ifndef SP_ENV_INTERNAL_H
#define SP_ENV_INTERNAL_H

#include "env/env.h"

/* Which environment this looks like, SMARTPROF_ENV aside. *reason: a static phrase. */
enum sp_environment sp_environment_detect(const char *root, char *const *envp, const char **reason);

/* Fills in what the kernel grants; 0 (perf_event_paranoid: -2) where it cannot be read. */
void sp_machine_read(struct sp_machine *machine, const char *root);

/* Lowers *quota_millicores and *limit_bytes (0: none so far) to what the control groups of this
 * process, and all groups above that can be seen, allow. */
void sp_cgroup_limits(const char *root, uint64_t *quota_millicores, uint64_t *limit_bytes);

/* *limit = the smaller of both, where 0 stands for "no limit". */
static inline void sp_limit_lower(uint64_t *limit, uint64_t candidate)
{
	if (candidate && (!*limit || candidate < *limit))
		*limit = candidate;
}

#endif
