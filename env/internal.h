/* The steps of sp_config_load(), inside env/ only; same rules as env.h. */
#ifndef SP_ENV_INTERNAL_H
#define SP_ENV_INTERNAL_H

#include "env/env.h"

/* What speaks for a container or a service, as bits of detect.c's; from the files that limits are read from as well. */
enum sp_group { SP_GROUP_OTHER, SP_GROUP_SERVICE, SP_GROUP_USER };
struct sp_container_signs {
	uint32_t managers;
	enum sp_group systemd_group; /* by systemd's own hierarchy: the unified one, or name=systemd */
	uint32_t mounts;
};

/* Takes in a line of /proc/self/cgroup, and of /proc/self/mountinfo. */
void sp_signs_cgroup(struct sp_container_signs *signs, const char *line);
void sp_signs_mount(struct sp_container_signs *signs, const char *line);

/* Which environment this looks like, SMARTPROF_ENV aside: sets environment, reason and clues. */
void sp_environment_detect(struct sp_config *config, const struct sp_where *where,
	const struct sp_container_signs *signs, bool all);

/* Fills in what the kernel grants and where this runs; what cannot be read stays unknown. */
void sp_machine_read(struct sp_machine *machine, const char *root, struct sp_container_signs *signs);

/* Kernel, architecture, libc, hypervisor. */
void sp_platform_read(struct sp_machine *machine, const char *root);

/* Lowers what the machine grants to what the control groups of this process, and all groups above
 * that can be seen, allow. */
void sp_cgroup_limits(struct sp_machine *machine, const char *root, struct sp_container_signs *signs);

#define SP_MAX_CPUS 1024
#define SP_CPU_WORDS (SP_MAX_CPUS / 64)

/* Sets the bits of a list like "0-3,8", as in cpu/online and Cpus_allowed_list. */
void sp_cpus_parse(const char *list, uint64_t *cpus);
uint32_t sp_cpus_count(const uint64_t *cpus);

/* *limit = the smaller of both, where 0 stands for "no limit". True when it was lowered. */
static inline bool sp_limit_lower(uint64_t *limit, uint64_t candidate)
{
	if (!candidate || (*limit && candidate >= *limit))
		return false;
	*limit = candidate;
	return true;
}

/* The nearest `name` in the working directory and those above: true when there is one, and its
 * path is in `path`. */
bool sp_find_upward(const struct sp_where *where, const char *name, char *path, size_t size);

/* A resource or platform rule by its number, for sp_value.rules. */
const char *sp_rule_reason(unsigned rule);

#endif
