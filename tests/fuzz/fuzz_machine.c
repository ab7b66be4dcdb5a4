/* Fuzzes detection: the input is cut at lines "---" into the files that are read below /proc and
 * /sys, in the order of the table. Nothing may crash, and what comes out must make sense. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/env.h"

static const char *const paths[] = {"/proc/self/mountinfo", "/proc/self/cgroup", "/proc/self/status",
	"/proc/self/limits", "/proc/self/stat", "/proc/meminfo", "/proc/cpuinfo", "/sys/devices/system/cpu/online",
	"/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cpuset.cpus.effective",
	"/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/cpu.cfs_quota_us", "/sys/fs/cgroup/a/cpu.max",
	"/proc/sys/kernel/osrelease", "/proc/sys/kernel/perf_event_paranoid", "/run/systemd/container"};

#define FILES (sizeof(paths) / sizeof(paths[0]))

static char root[] = "/tmp/smartprof-fuzz-XXXXXX";
static int fds[FILES];

static void require(int condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "fuzz_machine: %s\n", what);
		abort();
	}
}

static void remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", root);
	if (system(command) != 0)
		perror(command);
}

/* A tree of links to files in memory, which are quick to rewrite. */
static void make_tree(void)
{
	char full[256], target[64];

	require(mkdtemp(root) != NULL, "no directory");
	atexit(remove_root);
	for (size_t i = 0; i < FILES; i++) {
		snprintf(full, sizeof(full), "%s%s", root, paths[i]);
		for (char *at = full + sizeof(root); (at = strchr(at, '/')); at++) {
			*at = '\0';
			mkdir(full, 0700);
			*at = '/';
		}
		fds[i] = memfd_create("file", 0);
		snprintf(target, sizeof(target), "/proc/self/fd/%d", fds[i]);
		require(symlink(target, full) == 0, "no link");
	}
}

static void fill_tree(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < FILES; i++) {
		const uint8_t *cut = size ? memmem(data, size, "---\n", 4) : NULL;
		size_t bytes = cut ? (size_t)(cut - data) : size;

		require(ftruncate(fds[i], 0) == 0 && pwrite(fds[i], data, bytes, 0) >= 0, "no file");
		data += cut ? bytes + 4 : bytes;
		size -= cut ? bytes + 4 : bytes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int made;
	struct sp_config config;
	const struct sp_machine *machine = &config.machine;

	if (!made)
		make_tree();
	made = 1;
	fill_tree(data, size);
	sp_config_load(&config, &(struct sp_where){.root = root, .cwd = "/a/b"}, NULL);
	require(machine->host_cores <= 1024, "too many cores");
	require(!machine->memory_bytes || machine->memory_limit_bytes <= machine->memory_bytes, "more than there is");
	require(!machine->host_cores || machine->usable_millicores <= 1024 * 1000, "more cores than there can be");
	require(memchr(machine->cores_limit.group, '\0', SP_GROUP_BYTES) != NULL, "a name without end");
	require(memchr(machine->memory_limit.group, '\0', SP_GROUP_BYTES) != NULL, "a name without end");
	require(config.reason && *config.reason, "no reason");
	return 0;
}
