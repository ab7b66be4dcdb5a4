/* Cores and memory this process may really use. */
#include "env/internal.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "env/text.h"

void sp_cpus_parse(const char *list, uint64_t *cpus)
{
	for (;;) {
		uint64_t first, last;

		if (!sp_text_number(&list, &first))
			return;
		last = first;
		if (*list == '-') {
			list++;
			if (!sp_text_number(&list, &last))
				return;
		}
		for (; first <= last && first < SP_MAX_CPUS; first++)
			cpus[first / 64] |= 1ull << (first % 64);
		if (*list++ != ',')
			return;
	}
}

uint32_t sp_cpus_count(const uint64_t *cpus)
{
	uint32_t count = 0;

	for (int i = 0; i < SP_CPU_WORDS; i++)
		for (uint64_t word = cpus[i]; word; word &= word - 1)
			count++;
	return count;
}

/* What follows `label` and blanks in the line of a /proc file that starts with it. */
static bool read_labelled(const char *root, const char *path, const char *label, char *value, size_t size)
{
	struct sp_lines lines;
	char line[1024]; /* a list of every other CPU is long */
	size_t bytes = strlen(label);
	bool found = false;

	if (sp_lines_open(&lines, root, path) < 0)
		return false;
	while (!found && sp_lines_next(&lines, line, sizeof(line))) {
		found = strncmp(line, label, bytes) == 0;
		if (found)
			found = sp_path_join(value, size, line + bytes + strspn(line + bytes, " \t"), "");
	}
	sp_lines_close(&lines);
	return found;
}

static uint64_t read_labelled_number(const char *root, const char *path, const char *label)
{
	char value[128];
	const char *at = value;
	uint64_t number = 0;

	if (read_labelled(root, path, label, value, sizeof(value)))
		sp_text_number(&at, &number);
	return number;
}

/* The live machine is asked directly, which takes a tenth of the time and works without /proc. More CPUs than there is room
 * for are an error. */
static bool cpus_by_syscall(uint64_t allowed[SP_CPU_WORDS])
{
	return syscall(SYS_sched_getaffinity, 0, SP_CPU_WORDS * sizeof(*allowed), allowed) > 0;
}

static __attribute__((noinline)) void read_cores(struct sp_machine *machine, const char *root)
{
	uint64_t online[SP_CPU_WORDS] = {0}, allowed[SP_CPU_WORDS] = {0};
	char line[1024];
	uint32_t usable;

	if (sp_file_line(root, "/sys/devices/system/cpu/online", line, sizeof(line)))
		sp_cpus_parse(line, online);
	if ((*root || !cpus_by_syscall(allowed)) &&
		read_labelled(root, "/proc/self/status", "Cpus_allowed_list:", line, sizeof(line)))
		sp_cpus_parse(line, allowed);
	machine->host_cores = sp_cpus_count(online);
	if (machine->host_cores && sp_cpus_count(allowed))
		for (int i = 0; i < SP_CPU_WORDS; i++)
			allowed[i] &= online[i];
	usable = sp_cpus_count(allowed);
	machine->usable_millicores = (usable ? usable : machine->host_cores) * 1000;
	if (usable && usable < machine->host_cores)
		machine->cores_limit.name = "affinity mask";
}

static void lower_to_address_space(struct sp_machine *machine, uint64_t bytes)
{
	if (sp_limit_lower(&machine->memory_limit_bytes, bytes))
		machine->memory_limit.name = "RLIMIT_AS (ulimit -v)";
}

static void read_memory(struct sp_machine *machine, const char *root)
{
	struct sysinfo info;
	struct rlimit limit;

	machine->memory_bytes = read_labelled_number(root, "/proc/meminfo", "MemTotal:") * 1024;
	if (!machine->memory_bytes && !*root && syscall(SYS_sysinfo, &info) == 0)
		machine->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
	machine->memory_limit_bytes = machine->memory_bytes;
	if (*root)
		lower_to_address_space(machine, read_labelled_number(root, "/proc/self/limits", "Max address space"));
	else if (syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		lower_to_address_space(machine, limit.rlim_cur);
}

/* Strict overcommit counts private memory as soon as it is mapped, and so does a limit on data. */
static bool counts_memory(const char *root)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
	char line[16];

	if (sp_file_line(root, "/proc/sys/vm/overcommit_memory", line, sizeof(line)) && *line == '2')
		return true;
	if (*root)
		return read_labelled_number(root, "/proc/self/limits", "Max data size") != 0;
	syscall(SYS_prlimit64, 0, RLIMIT_DATA, NULL, &limit);
	return limit.rlim_cur != RLIM_INFINITY;
}

static int read_paranoid(const char *root)
{
	char line[16];
	const char *at = line;
	uint64_t level;

	if (!sp_file_line(root, "/proc/sys/kernel/perf_event_paranoid", line, sizeof(line)))
		return -2;
	at += *at == '-';
	if (!sp_text_number(&at, &level) || level > 100)
		return -2;
	return *line == '-' ? -(int)level : (int)level;
}

void sp_machine_read(struct sp_machine *machine, const char *root, struct sp_container_signs *signs)
{
	read_cores(machine, root);
	read_memory(machine, root);
	machine->memory_is_counted = counts_memory(root);
	machine->perf_event_paranoid = read_paranoid(root);
	sp_cgroup_limits(machine, root, signs);
	sp_platform_read(machine, root);
}
