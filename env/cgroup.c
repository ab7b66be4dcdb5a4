/* CPU and memory limits of control groups, version 1 and 2, found where they are really mounted.
 *
 * A limit anywhere above our group binds us too. What is above the top of the mount (in a
 * container: the host's groups) cannot be seen and is not guessed.
 * See cgroups(7), proc(5) for mountinfo, and the kernel's admin-guide/cgroup-v2. */
#include "env/internal.h"

#include <string.h>

#include "env/text.h"

#define CGROUP_PATH_BYTES 384 /* a pod's is about 200 */
#define LINE_BYTES 1024

/* The hierarchies that can limit us, and our place in each. */
enum { UNIFIED, CPU, MEMORY, CPUSET, HIERARCHIES };

struct place {
	bool known;
	char path[CGROUP_PATH_BYTES];
};

struct limits {
	const char *root;
	struct sp_machine *machine;
	struct sp_memory_bounds *bounds; /* NULL: nobody asks for the group */
	uint64_t quota_millicores;       /* the lowest so far, 0 none */
	bool have_cpuset;                /* the nearest group's is in force; those above may lend CPUs to others */
};

static void place_set(struct place *place, const char *path)
{
	place->known = sp_path_join(place->path, sizeof(place->path), path, "");
}

/* Lines are "id:controllers:path"; the unified hierarchy's list of controllers is empty. */
static void read_places(const char *root, const char *file, struct place *places, struct sp_container_signs *signs)
{
	struct sp_lines lines;
	char line[LINE_BYTES];

	if (sp_lines_open(&lines, root, file) < 0)
		return;
	while (sp_lines_next(&lines, line, sizeof(line))) {
		const char *list = strchr(line, ':');
		const char *path = list ? strchr(list + 1, ':') : NULL;
		size_t bytes;

		sp_signs_cgroup(signs, line);
		if (!path)
			continue;
		bytes = (size_t)(path++ - ++list);
		if (bytes == 0)
			place_set(&places[UNIFIED], path);
		if (sp_text_listed(list, bytes, "cpu"))
			place_set(&places[CPU], path);
		if (sp_text_listed(list, bytes, "memory"))
			place_set(&places[MEMORY], path);
		if (sp_text_listed(list, bytes, "cpuset"))
			place_set(&places[CPUSET], path);
	}
	sp_lines_close(&lines);
}

/* The first two words of a file, as numbers; "max", "-1" and what cannot be read are 0. */
static void read_two(const char *root, const char *dir, const char *name, uint64_t *first, uint64_t *second)
{
	char path[SP_PATH_BYTES], line[64];
	const char *at = line;

	*first = *second = 0;
	if (!sp_path_join(path, sizeof(path), dir, name) || !sp_file_line(root, path, line, sizeof(line)))
		return;
	if (!sp_text_number(&at, first))
		at += strcspn(at, " ");
	while (*at == ' ')
		at++;
	sp_text_number(&at, second);
}

/* Remembers what limits, and the end of the group's path, which says more than its start. */
static void set_limit(struct sp_limit *limit, const char *name, const char *dir)
{
	struct sp_text_out out = {limit->group, sizeof(limit->group), 0};
	size_t bytes = strlen(dir);

	limit->name = name;
	if (bytes >= sizeof(limit->group)) {
		dir += bytes - sizeof(limit->group) + sizeof("…");
		sp_text_put(&out, "…");
	}
	sp_text_put(&out, dir);
}

static void lower_cores(struct limits *limits, uint64_t millicores, const char *name, const char *dir)
{
	uint64_t usable = limits->machine->usable_millicores;

	if (millicores > UINT32_MAX || !sp_limit_lower(&usable, millicores))
		return;
	limits->machine->usable_millicores = (uint32_t)usable;
	set_limit(&limits->machine->cores_limit, name, dir);
}

static void lower_quota(struct limits *limits, uint64_t quota_us, uint64_t period_us, const char *name, const char *dir)
{
	struct sp_machine *machine = limits->machine;
	uint64_t millicores;

	if (!quota_us || !period_us || quota_us > UINT64_MAX / 1000)
		return;
	millicores = quota_us * 1000 / period_us;
	if (!limits->quota_millicores || millicores < limits->quota_millicores) {
		limits->quota_millicores = millicores;
		sp_path_join(machine->throttle_file, sizeof(machine->throttle_file), dir, "/cpu.stat");
	}
	lower_cores(limits, millicores ? millicores : 1, name, dir);
}

static void lower_memory(struct limits *limits, uint64_t bytes, const char *name, const char *dir)
{
	if (sp_limit_lower(&limits->machine->memory_limit_bytes, bytes))
		set_limit(&limits->machine->memory_limit, name, dir);
}

static void lower_memory_to_file(struct limits *limits, const char *dir, const char *name)
{
	uint64_t bytes, unused;

	read_two(limits->root, dir, name, &bytes, &unused);
	lower_memory(limits, bytes, name + 1, dir);
}

/* Version 1 tells of limits above the top of the mount, which a container cannot see otherwise. Not
 * inlined, so that its buffers are not on the stack together with those of its neighbours. */
static __attribute__((noinline)) void read_hierarchical_limit(struct limits *limits, const char *mount_point,
	const char *below)
{
	static const char label[] = "hierarchical_memory_limit ";
	char dir[CGROUP_PATH_BYTES], path[SP_PATH_BYTES], line[96];
	struct sp_lines lines;

	if (!sp_path_join(dir, sizeof(dir), mount_point, below) ||
		!sp_path_join(path, sizeof(path), dir, "/memory.stat") || sp_lines_open(&lines, limits->root, path) < 0)
		return;
	while (sp_lines_next(&lines, line, sizeof(line))) {
		const char *at = line + sizeof(label) - 1;
		uint64_t bytes;

		if (strncmp(line, label, sizeof(label) - 1) == 0 && sp_text_number(&at, &bytes))
			lower_memory(limits, bytes, "hierarchical_memory_limit", dir);
	}
	sp_lines_close(&lines);
}

static void read_cpuset(struct limits *limits, const char *dir, const char *name)
{
	char path[SP_PATH_BYTES], line[1024];
	uint64_t cpus[SP_CPU_WORDS] = {0};
	uint32_t millicores;

	if (limits->have_cpuset || !sp_path_join(path, sizeof(path), dir, name) ||
		!sp_file_line(limits->root, path, line, sizeof(line)))
		return;
	sp_cpus_parse(line, cpus);
	millicores = sp_cpus_count(cpus) * 1000;
	limits->have_cpuset = millicores > 0;
	if (limits->machine->cores_limit.name && millicores == limits->machine->usable_millicores)
		set_limit(&limits->machine->cores_limit, "cpuset", dir); /* it made the affinity mask */
	lower_cores(limits, millicores, "cpuset", dir);
}

static void read_group(struct limits *limits, int hierarchy, const char *dir)
{
	uint64_t value, period, unused;

	switch (hierarchy) {
	case UNIFIED:
		read_two(limits->root, dir, "/cpu.max", &value, &period);
		lower_quota(limits, value, period, "cpu.max", dir);
		lower_memory_to_file(limits, dir, "/memory.max");
		lower_memory_to_file(limits, dir, "/memory.high");
		read_cpuset(limits, dir, "/cpuset.cpus.effective");
		break;
	case CPU:
		read_two(limits->root, dir, "/cpu.cfs_quota_us", &value, &unused);
		read_two(limits->root, dir, "/cpu.cfs_period_us", &period, &unused);
		lower_quota(limits, value, period, "cpu.cfs_quota_us", dir);
		break;
	case MEMORY:
		lower_memory_to_file(limits, dir, "/memory.limit_in_bytes");
		break;
	case CPUSET:
		read_cpuset(limits, dir, "/cpuset.effective_cpus");
		break;
	}
}

/* Our path below the mount, whose own top is `top` of the hierarchy: NULL when the mount does not
 * lead to us. A top outside our cgroup namespace reads "/..": all of the mount is above us. */
static const char *path_below(const char *path, const char *top)
{
	size_t bytes = strlen(top);

	if (strncmp(top, "/..", 3) == 0 || strncmp(path, "/..", 3) == 0)
		return "";
	if (strcmp(top, "/") == 0)
		return path[1] ? path : "";
	if (strncmp(path, top, bytes) == 0 && (path[bytes] == '/' || path[bytes] == '\0'))
		return path + bytes;
	return NULL;
}

/* Where the kernel counts the group's kills for want of memory. */
static const char *kills_file(int hierarchy)
{
	return hierarchy == UNIFIED ? "/memory.events" : hierarchy == MEMORY ? "/memory.oom_control" : NULL;
}

/* A unified hierarchy may stand beside one of version 1 that has the memory controller. Not inlined, as above. */
static __attribute__((noinline)) void note_group(struct limits *limits, int hierarchy, const char *dir)
{
	const char *name = kills_file(hierarchy);
	char path[SP_PATH_BYTES], line[64];

	if (limits->bounds && name && sp_path_join(path, sizeof(path), dir, name) &&
		sp_file_line(limits->root, path, line, sizeof(line)))
		sp_path_join(limits->bounds->kills_file, sizeof(limits->bounds->kills_file), path, "");
}

/* Reads our group and all groups above it up to the mount point. */
static void climb(struct limits *limits, int hierarchy, const char *mount_point, const char *below)
{
	char dir[SP_PATH_BYTES];
	size_t top = strlen(mount_point);

	if (!sp_path_join(dir, sizeof(dir), mount_point, below))
		return;
	note_group(limits, hierarchy, dir);
	for (;;) {
		char *slash;

		read_group(limits, hierarchy, dir);
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < top)
			break;
		*slash = '\0';
	}
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Blanks in paths stand in mountinfo as "\040". */
static void decode_octal(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) && is_octal(text[3])) {
			*to++ = (char)((text[1] & 7) * 64 + (text[2] & 7) * 8 + (text[3] & 7));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static char *next_field(char **at)
{
	char *field = *at;
	char *space = strchr(field, ' ');

	*at = space ? space + 1 : field + strlen(field);
	if (space)
		*space = '\0';
	return field;
}

/* A line is "id parent dev top mount-point options [optional...] - type source super-options". */
static void read_mount(struct limits *limits, const struct place *places, char *line)
{
	static const char *const controllers[HIERARCHIES] = {NULL, "cpu", "memory", "cpuset"};
	char *rest = strstr(line, " - "), *at = line;
	const char *type, *options;
	char *top, *mount_point;

	if (!rest)
		return;
	*rest = '\0';
	rest += 3;
	type = next_field(&rest);
	next_field(&rest);
	options = next_field(&rest);
	if (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0)
		return;
	for (int skipped = 0; skipped < 3; skipped++)
		next_field(&at);
	top = next_field(&at);
	mount_point = next_field(&at);
	decode_octal(top);
	decode_octal(mount_point);
	for (int i = 0; i < HIERARCHIES; i++) {
		bool ours = controllers[i] ? type[6] == '\0' && sp_text_listed(options, strlen(options), controllers[i])
					   : type[6] == '2';
		const char *below = ours && places[i].known ? path_below(places[i].path, top) : NULL;

		if (!below)
			continue;
		climb(limits, i, mount_point, below);
		if (i == MEMORY && (!*below || top[1])) /* something may be above: the file is slow to read */
			read_hierarchical_limit(limits, mount_point, below);
	}
}

static void read_mounts(struct limits *limits, const struct place *places, struct sp_container_signs *signs)
{
	struct sp_lines lines;
	char line[LINE_BYTES];

	if (sp_lines_open(&lines, limits->root, "/proc/self/mountinfo") < 0)
		return;
	while (sp_lines_next(&lines, line, sizeof(line))) {
		sp_signs_mount(signs, line);
		if (strstr(line, " cgroup"))
			read_mount(limits, places, line);
	}
	sp_lines_close(&lines);
}

void sp_cgroup_limits(struct sp_machine *machine, const char *root, struct sp_container_signs *signs)
{
	struct limits limits = {.root = root, .machine = machine};
	struct place places[HIERARCHIES] = {0};

	read_places(root, "/proc/self/cgroup", places, signs);
	read_mounts(&limits, places, signs);
}

/* Other processes' groups are named as seen from our place, to which our mounts lead. */
void sp_memory_bounds_read(struct sp_memory_bounds *bounds, const struct sp_where *where, int pid,
	uint64_t memory_bytes)
{
	struct sp_machine machine = {.memory_limit_bytes = memory_bytes};
	struct limits limits = {.root = where->root, .machine = &machine, .bounds = bounds};
	struct sp_container_signs signs = {0};
	struct place places[HIERARCHIES] = {0};
	char file[48];
	struct sp_text_out out = {file, sizeof(file), 0};

	*bounds = (struct sp_memory_bounds){0};
	sp_text_put(&out, "/proc/");
	sp_text_put_number(&out, (uint64_t)pid);
	sp_text_put(&out, "/cgroup");
	read_places(where->root, file, places, &signs);
	read_mounts(&limits, places, &signs);
	if (!*bounds->kills_file) /* those of the whole machine */
		sp_path_join(bounds->kills_file, sizeof(bounds->kills_file), "/proc/vmstat", "");
	bounds->bytes = machine.memory_limit_bytes;
	bounds->limit = machine.memory_limit;
}

bool sp_memory_kills(const struct sp_memory_bounds *bounds, const struct sp_where *where, uint64_t *kills)
{
	static const char label[] = "oom_kill ";
	struct sp_lines lines;
	char line[64];
	bool found = false;

	if (!*bounds->kills_file || sp_lines_open(&lines, where->root, bounds->kills_file) < 0)
		return false;
	while (!found && sp_lines_next(&lines, line, sizeof(line))) {
		const char *at = line + sizeof(label) - 1;

		found = strncmp(line, label, sizeof(label) - 1) == 0 && sp_text_number(&at, kills);
	}
	sp_lines_close(&lines);
	return found;
}
