/* What a guardian sees of a process from outside. */
#include "tools/guard/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "profiles/spool/process.h"

#define TEXT_BYTES 8192

/* The rest of the line that starts with `label`, NULL: there is none. */
static const char *find(const char *text, const char *label)
{
	size_t bytes = strlen(label);

	while (text && strncmp(text, label, bytes) != 0) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text ? text + bytes : NULL;
}

static uint64_t find_kb(const char *text, const char *label)
{
	const char *at = find(text, label);

	return at ? strtoull(at, NULL, 10) * 1024 : 0;
}

/* The last number of the line: in the innermost namespace. */
static int innermost(const char *at)
{
	int pid = 0;

	while (at && *at && *at != '\n') {
		char *end;
		long number = strtol(at, &end, 10);

		if (end == at)
			break;
		pid = (int)number;
		at = end;
	}
	return pid;
}

bool sp_guard_status_parse(struct sp_guard_facts *facts, const char *text)
{
	const char *name = find(text, "Name:\t"), *uid = find(text, "Uid:");

	if (!name || !uid)
		return false;
	*facts = (struct sp_guard_facts){.uid = (unsigned)strtoul(uid, NULL, 10),
		.inner_pid = innermost(find(text, "NSpid:")),
		.has_memory = find(text, "VmRSS:") != NULL,
		.anon = find_kb(text, "RssAnon:"),
		.swap = find_kb(text, "VmSwap:"),
		.huge = find_kb(text, "HugetlbPages:"),
		.rss = find_kb(text, "VmRSS:")};
	snprintf(facts->name, sizeof(facts->name), "%.*s", (int)strcspn(name, "\n"), name);
	return true;
}

uint64_t sp_guard_memory(const struct sp_guard_facts *facts)
{
	return facts->anon + facts->swap + facts->huge;
}

bool sp_guard_rollup_parse(uint64_t *memory, const char *text)
{
	if (!find(text, "Anonymous:"))
		return false;
	*memory = find_kb(text, "Anonymous:") + find_kb(text, "Swap:") + find_kb(text, "Shared_Hugetlb:") +
		find_kb(text, "Private_Hugetlb:");
	return true;
}

static int read_text(char text[static TEXT_BYTES], int pid, const char *name)
{
	char path[48];
	size_t have = 0;
	ssize_t n = 0;
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (have < TEXT_BYTES - 1 && (n = read(fd, text + have, TEXT_BYTES - 1 - have)) > 0)
		have += (size_t)n;
	if (n < 0)
		err = -errno;
	text[have] = '\0';
	close(fd);
	return err;
}

int sp_guard_facts_read(struct sp_guard_facts *facts, int pid, uint64_t start_ticks)
{
	struct sp_process_stat stat;
	char text[TEXT_BYTES];
	int err = read_text(text, pid, "status");

	if (!err && !sp_guard_status_parse(facts, text))
		err = -ESRCH;
	if (!err && sp_process_stat(pid, &stat) < 0)
		err = -ESRCH;
	return !err && stat.start_ticks != start_ticks ? -ESRCH : err;
}

int sp_guard_memory_exact(uint64_t *memory, int pid)
{
	char text[TEXT_BYTES];
	int err = read_text(text, pid, "smaps_rollup");

	return !err && !sp_guard_rollup_parse(memory, text) ? -ESRCH : err;
}

bool sp_guard_cpu_ns(uint64_t *ns, int pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return false;
	*ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	return true;
}

/* As linux/pidfd.h has it since Linux 6.15: its first version, which is 64 bytes long. */
struct pidfd_info {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};
#define PIDFD_GET_INFO_HERE _IOWR(0xff, 11, struct pidfd_info)
#define PIDFD_INFO_EXIT_HERE 8u

bool sp_guard_exit_status(int *status, int pidfd)
{
	struct pidfd_info info = {.mask = PIDFD_INFO_EXIT_HERE};

	errno = 0;
	if (ioctl(pidfd, PIDFD_GET_INFO_HERE, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT_HERE))
		return false;
	*status = info.exit_code;
	return true;
}
