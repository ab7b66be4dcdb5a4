/* What one process of a tree has read of the machine, for the others that it is true of. */
#include "env/facts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "env/text.h"

enum { LIBC, HYPERVISOR, CORES_LIMIT, MEMORY_LIMIT };
enum { EMPTY, WRITING, COMPLETE };

static void add(uint64_t *hash, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	for (; bytes; bytes--)
		*hash = (*hash ^ *at++) * 0x100000001b3u;
}

/* What they are true of: control groups, mounts, user, and the process's own limits. 0: not to be had. */
static __attribute__((noinline)) uint64_t conditions(void)
{
	struct rlimit space = {0, 0}, data = {0, 0};
	struct sp_lines lines;
	char text[1024];
	uint64_t hash = 0xcbf29ce484222325u, cpus[SP_CPU_WORDS] = {0};
	long user = syscall(SYS_geteuid),
	     bytes = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/ns/mnt", text, sizeof(text));

	if (bytes <= 0 || sp_lines_open(&lines, "", "/proc/self/cgroup") < 0)
		return 0;
	add(&hash, text, (size_t)bytes);
	while (sp_lines_next(&lines, text, sizeof(text)))
		add(&hash, text, strlen(text) + 1);
	sp_lines_close(&lines);
	syscall(SYS_sched_getaffinity, 0, sizeof(cpus), cpus);
	syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, &space);
	syscall(SYS_prlimit64, 0, RLIMIT_DATA, NULL, &data);
	add(&hash, &user, sizeof(user));
	add(&hash, cpus, sizeof(cpus));
	add(&hash, &space.rlim_cur, sizeof(space.rlim_cur));
	add(&hash, &data.rlim_cur, sizeof(data.rlim_cur));
	return hash | 1;
}

/* The strings that the machine's pointers mean, in the order of the enumeration. */
static void strings_of(struct sp_machine *machine, const char **strings[SP_FACT_STRINGS])
{
	strings[LIBC] = &machine->libc;
	strings[HYPERVISOR] = &machine->hypervisor;
	strings[CORES_LIMIT] = &machine->cores_limit.name;
	strings[MEMORY_LIMIT] = &machine->memory_limit.name;
}

/* A first byte of 1 stands for a pointer that there is none of. */
static void keep(struct sp_facts *facts, struct sp_machine *machine)
{
	const char **strings[SP_FACT_STRINGS];

	strings_of(machine, strings);
	for (int i = 0; i < SP_FACT_STRINGS; i++)
		sp_path_join(facts->strings[i], SP_FACT_BYTES, *strings[i] ? *strings[i] : "\1", "");
}

static void point(struct sp_facts *own, struct sp_machine *machine)
{
	const char **strings[SP_FACT_STRINGS];

	strings_of(machine, strings);
	for (int i = 0; i < SP_FACT_STRINGS; i++) {
		own->strings[i][SP_FACT_BYTES - 1] = '\0';
		*strings[i] = own->strings[i][0] == '\1' ? NULL : own->strings[i];
	}
	machine->kernel[sizeof(machine->kernel) - 1] = '\0';
	machine->architecture[sizeof(machine->architecture) - 1] = '\0';
	machine->throttle_file[sizeof(machine->throttle_file) - 1] = '\0';
	machine->cores_limit.group[sizeof(machine->cores_limit.group) - 1] = '\0';
	machine->memory_limit.group[sizeof(machine->memory_limit.group) - 1] = '\0';
}

void sp_facts_read(struct sp_facts *own, struct sp_facts *shared, struct sp_machine *machine,
	struct sp_container_signs *signs)
{
	uint32_t empty = EMPTY;

	own->key = conditions();
	if (own->key && __atomic_load_n(&shared->state, __ATOMIC_ACQUIRE) == COMPLETE && shared->key == own->key) {
		*own = *shared;
		*machine = own->machine;
		*signs = own->signs;
		point(own, machine);
		return;
	}
	sp_machine_read(machine, "", signs);
	if (!own->key ||
		!__atomic_compare_exchange_n(&shared->state, &empty, WRITING, false, __ATOMIC_ACQ_REL,
			__ATOMIC_RELAXED))
		return;
	shared->key = own->key;
	shared->machine = *machine;
	shared->signs = *signs;
	keep(shared, machine);
	__atomic_store_n(&shared->state, COMPLETE, __ATOMIC_RELEASE);
}
