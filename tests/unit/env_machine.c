/* Machines for the tests of env/; see env_machine.h. */
#include "tests/unit/env_machine.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/env.h"

static char root[64];

const char *machine_new(void)
{
	strcpy(root, "/tmp/smartprof-machine-XXXXXX");
	if (!mkdtemp(root))
		abort();
	return root;
}

void machine_put(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(full, 0755);
		*at = '/';
	}
	file = fopen(full, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		abort();
}

void machine_put_v2(const char *cgroup)
{
	char line[512];

	machine_put("/sys/devices/system/cpu/online", "0-7\n");
	machine_put("/proc/self/status", "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n");
	machine_put("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  1 kB\n");
	machine_put("/proc/sys/kernel/perf_event_paranoid", "2\n");
	machine_put("/proc/self/limits",
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max address space         unlimited            unlimited            bytes     \n");
	machine_put("/proc/self/mountinfo",
		"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
		"31 22 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
	snprintf(line, sizeof(line), "0::%s\n", cgroup);
	machine_put("/proc/self/cgroup", line);
}

void machine_load(struct sp_config *config, const char *machine, char *const *envp)
{
	struct sp_where where = {.root = machine, .envp = envp};

	sp_config_load(config, &where, NULL);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

void machine_drop(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
