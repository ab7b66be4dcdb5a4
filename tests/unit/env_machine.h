/* Makes small /proc and /sys trees, so that detection can be tested on machines we do not have. */
#ifndef SP_TESTS_UNIT_ENV_MACHINE_H
#define SP_TESTS_UNIT_ENV_MACHINE_H

/* Makes an empty root directory and remembers it; one at a time. Returns its path. */
const char *machine_new(void);

/* Writes a file below the current root, making its directories. */
void machine_put(const char *path, const char *text);

/* The files of an ordinary 8-core, 16 GiB machine with cgroup v2 in the given cgroup. */
void machine_put_v2(const char *cgroup);

struct sp_config;

/* sp_config_load() on a root, without a working directory and a settings file. */
void machine_load(struct sp_config *config, const char *root, char *const *envp);

/* Removes the current root and all below it. */
void machine_drop(void);

#endif
