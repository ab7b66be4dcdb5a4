/* Usable cores and memory, and the rules that follow from them, on machines made for the purpose. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include "env/env.h"
#include "tests/unit/env_machine.h"

#ifdef __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define GIB (1ull << 30)
#define ENVIRONMENT(...) ((char *[]){__VA_ARGS__, NULL})

static const char *root;

static int new_machine(void **state)
{
	(void)state;
	root = machine_new();
	machine_put_v2("/a.slice/b.slice/c.scope");
	return 0;
}

static int drop_machine(void **state)
{
	(void)state;
	machine_drop();
	return 0;
}

static struct sp_machine load(void)
{
	struct sp_config config;

	machine_load(&config, root, NULL);
	return config.machine;
}

static void an_unlimited_machine(void **state)
{
	struct sp_machine machine = load();

	(void)state;
	assert_int_equal(machine.host_cores, 8);
	assert_int_equal(machine.usable_millicores, 8000);
	assert_int_equal(machine.memory_bytes, 16 * GIB);
	assert_int_equal(machine.memory_limit_bytes, 16 * GIB);
	assert_int_equal(machine.perf_event_paranoid, 2);
	assert_string_equal(machine.throttle_file, "");
	assert_string_equal(machine.throttle_file, "");
}

static void affinity_counts_what_is_online(void **state)
{
	(void)state;
	machine_put("/proc/self/status", "Cpus_allowed_list:\t2,4-5,100-120\n");
	assert_int_equal(load().usable_millicores, 3000);
	machine_put("/sys/devices/system/cpu/online", "0-3,8-11,99999999\n");
	assert_int_equal(load().host_cores, 8);
	assert_int_equal(load().usable_millicores, 1000);
	machine_put("/sys/devices/system/cpu/online", "junk\n");
	assert_int_equal(load().host_cores, 0);
	assert_int_equal(load().usable_millicores, 24000);
}

static void v2_limits_of_all_ancestors_hold(void **state)
{
	(void)state;
	machine_put("/sys/fs/cgroup/a.slice/b.slice/c.scope/cpu.max", "max 100000\n");
	machine_put("/sys/fs/cgroup/a.slice/b.slice/cpu.max", "250000 100000\n");
	machine_put("/sys/fs/cgroup/a.slice/cpu.max", "400000 100000\n");
	machine_put("/sys/fs/cgroup/a.slice/b.slice/c.scope/memory.max", "8589934592\n");
	machine_put("/sys/fs/cgroup/a.slice/b.slice/c.scope/memory.high", "max\n");
	assert_string_equal(load().throttle_file, "/sys/fs/cgroup/a.slice/b.slice/cpu.stat");
	assert_int_equal(load().usable_millicores, 2500);
	assert_int_equal(load().memory_limit_bytes, 8 * GIB);
	machine_put("/sys/fs/cgroup/a.slice/memory.max", "4294967296\n");
	assert_int_equal(load().memory_limit_bytes, 4 * GIB);
	machine_put("/sys/fs/cgroup/a.slice/b.slice/memory.high", "1073741824\n");
	assert_int_equal(load().memory_limit_bytes, GIB);
	machine_put("/sys/fs/cgroup/cpu.max", "5 100000\n");
	assert_int_equal(load().usable_millicores, 1);
}

static void a_sibling_does_not_limit(void **state)
{
	(void)state;
	machine_put("/sys/fs/cgroup/a.slice/b.slice2/cpu.max", "100000 100000\n");
	machine_put("/sys/fs/cgroup/a.slice/b.slice/c.scope/child/cpu.max", "100000 100000\n");
	assert_int_equal(load().usable_millicores, 8000);
}

static void a_namespaced_container_sees_its_own_top(void **state)
{
	(void)state;
	machine_put("/proc/self/cgroup", "0::/\n");
	machine_put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
	machine_put("/sys/fs/cgroup/memory.max", "536870912\n");
	assert_int_equal(load().usable_millicores, 1500);
	assert_int_equal(load().memory_limit_bytes, GIB / 2);
	machine_put("/proc/self/cgroup", "0::/../../elsewhere\n");
	assert_int_equal(load().usable_millicores, 1500);
}

static void put_v1_mounts(const char *top)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"1 0 0:1 / / rw - overlay overlay rw\n"
		"40 1 0:29 %s /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:9 - cgroup cgroup rw,cpu,cpuacct\n"
		"41 1 0:32 %s /sys/fs/cgroup/memory ro,nosuid master:10 - cgroup cgroup rw,memory\n"
		"42 1 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
		top, top);
	machine_put("/proc/self/mountinfo", text);
}

static void v1_limits(void **state)
{
	(void)state;
	put_v1_mounts("/");
	machine_put("/proc/self/cgroup", "7:memory:/x/y\n6:cpu,cpuacct:/x/y\n5:cpuset:/z\n0::/\n");
	machine_put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "300000\n");
	machine_put("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
	machine_put("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
	machine_put("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_period_us", "100000\n");
	machine_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	machine_put("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "2147483648\n");
	assert_int_equal(load().usable_millicores, 3000);
	assert_int_equal(load().memory_limit_bytes, 2 * GIB);
}

/* Docker with cgroup v1 mounts the container's own group, yet /proc names it from the host's top. */
static void v1_mounted_from_its_own_group(void **state)
{
	(void)state;
	put_v1_mounts("/docker/0123");
	machine_put("/proc/self/cgroup", "7:memory:/docker/0123\n6:cpu,cpuacct:/docker/0123/sub\n0::/\n");
	machine_put("/sys/fs/cgroup/cpu,cpuacct/sub/cpu.cfs_quota_us", "50000\n");
	machine_put("/sys/fs/cgroup/cpu,cpuacct/sub/cpu.cfs_period_us", "100000\n");
	machine_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
	assert_int_equal(load().usable_millicores, 500);
	assert_int_equal(load().memory_limit_bytes, GIB);
	machine_put("/sys/fs/cgroup/memory4/memory.limit_in_bytes", "1073741824\n");
	machine_put("/proc/self/cgroup", "7:memory:/docker/01234\n6:cpu,cpuacct:/other\n0::/\n");
	assert_int_equal(load().usable_millicores, 8000);
	assert_int_equal(load().memory_limit_bytes, 16 * GIB);
}

/* Groups above the top of the mount cannot be read, but version 1 tells their limit. */
static void v1_tells_of_limits_above_the_mount(void **state)
{
	(void)state;
	put_v1_mounts("/docker/0123");
	machine_put("/proc/self/cgroup", "7:memory:/docker/0123\n");
	machine_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	machine_put("/sys/fs/cgroup/memory/memory.stat", "cache 1\nhierarchical_memory_limit 1073741824\nrss 5\n");
	assert_int_equal(load().memory_limit_bytes, GIB);
	assert_string_equal(load().memory_limit.name, "hierarchical_memory_limit");
	assert_string_equal(load().memory_limit.group, "/sys/fs/cgroup/memory");
}

static struct sp_memory_bounds bounds_of(int pid)
{
	const struct sp_where where = {.root = root};
	struct sp_memory_bounds bounds;

	sp_memory_bounds_read(&bounds, &where, pid, 16 * GIB);
	return bounds;
}

static uint64_t kills_of(int pid)
{
	const struct sp_where where = {.root = root};
	struct sp_memory_bounds bounds = bounds_of(pid);
	uint64_t kills = 0;

	return sp_memory_kills(&bounds, &where, &kills) ? kills : UINT64_MAX;
}

static void another_process_has_bounds_of_its_own(void **state)
{
	(void)state;
	machine_put("/proc/77/cgroup", "0::/a.slice/d.scope\n");
	machine_put("/sys/fs/cgroup/a.slice/b.slice/c.scope/memory.max", "1073741824\n");
	machine_put("/sys/fs/cgroup/a.slice/d.scope/memory.max", "max\n");
	machine_put("/sys/fs/cgroup/a.slice/memory.max", "4294967296\n");
	machine_put("/sys/fs/cgroup/a.slice/d.scope/memory.events",
		"low 0\nhigh 3\nmax 812\noom 2\noom_kill 7\noom_group_kill 0\n");
	assert_int_equal(bounds_of(77).bytes, 4 * GIB);
	assert_string_equal(bounds_of(77).limit.name, "memory.max");
	assert_string_equal(bounds_of(77).limit.group, "/sys/fs/cgroup/a.slice");
	assert_int_equal(kills_of(77), 7);
	assert_int_equal(bounds_of(78).bytes, 16 * GIB);
	assert_null(bounds_of(78).limit.name);
	assert_int_equal(kills_of(78), UINT64_MAX);
}

/* The unified hierarchy stands beside it, without controllers. */
static void v1_counts_kills_for_memory_too(void **state)
{
	(void)state;
	put_v1_mounts("/");
	machine_put("/proc/77/cgroup", "7:memory:/x/y\n0::/\n");
	machine_put("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "2147483648\n");
	machine_put("/sys/fs/cgroup/memory/x/y/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
	assert_int_equal(bounds_of(77).bytes, 2 * GIB);
	assert_int_equal(kills_of(77), 3);
	machine_put("/sys/fs/cgroup/memory/x/y/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
	assert_int_equal(kills_of(77), UINT64_MAX);
}

static void cpusets_limit(void **state)
{
	(void)state;
	/* The nearest group's is in force; those above may have lent theirs to a partition. */
	machine_put("/sys/fs/cgroup/cpuset.cpus.effective", "0\n");
	machine_put("/sys/fs/cgroup/a.slice/cpuset.cpus.effective", "2-6\n");
	assert_int_equal(load().usable_millicores, 5000);
	assert_string_equal(load().cores_limit.name, "cpuset");
	assert_string_equal(load().cores_limit.group, "/sys/fs/cgroup/a.slice");
	machine_put("/proc/self/status", "Cpus_allowed_list:\t2-6\n");
	assert_string_equal(load().cores_limit.name, "cpuset");
	machine_put("/proc/self/status", "Cpus_allowed_list:\t2\n");
	assert_int_equal(load().usable_millicores, 1000);
	assert_string_equal(load().cores_limit.name, "affinity mask");
}

static void mount_points_may_have_blanks(void **state)
{
	(void)state;
	machine_put("/proc/self/mountinfo", "31 22 0:28 / /sys/fs/my\\040group rw - cgroup2 cgroup2 rw\n");
	machine_put("/sys/fs/my group/a.slice/cpu.max", "50000 100000\n");
	assert_int_equal(load().usable_millicores, 500);
	assert_string_equal(load().cores_limit.group, "/sys/fs/my group/a.slice");
}

static void long_group_names_keep_their_end(void **state)
{
	char path[600] = "/sys/fs/cgroup", line[600];
	struct sp_machine machine;

	(void)state;
	for (int i = 0; i < 6; i++)
		strcat(path, "/0123456789012345678901234567890123456789.slice");
	snprintf(line, sizeof(line), "0::%s\n", path + strlen("/sys/fs/cgroup"));
	machine_put("/proc/self/cgroup", line);
	strcat(path, "/cpu.max");
	machine_put(path, "100000 100000\n");
	machine = load();
	assert_int_equal(machine.usable_millicores, 1000);
	assert_memory_equal(machine.cores_limit.group, "…", strlen("…"));
	assert_in_range(strlen(machine.cores_limit.group), SP_GROUP_BYTES - 4, SP_GROUP_BYTES - 1);
	assert_non_null(strstr(machine.cores_limit.group, "6789.slice"));
}

/* Every other of many CPUs makes a long list. */
static void long_lists_of_cpus(void **state)
{
	char list[1000] = "", line[1100];

	(void)state;
	for (int i = 0; i < 200; i += 2)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%d", i ? "," : "", i);
	snprintf(line, sizeof(line), "Cpus_allowed_list:\t%s\n", list);
	machine_put("/proc/self/status", line);
	machine_put("/sys/devices/system/cpu/online", "0-255\n");
	assert_int_equal(load().usable_millicores, 100000);
}

static void address_space_limits_memory(void **state)
{
	(void)state;
	machine_put("/proc/self/limits",
		"Limit   Soft   Hard   Units\nMax stack size   8388608   unlimited   bytes\n"
		"Max address space         3221225472           unlimited            bytes     \n");
	assert_int_equal(load().memory_limit_bytes, 3 * GIB);
}

static void memory_may_be_counted_when_it_is_mapped(void **state)
{
	(void)state;
	assert_false(load().memory_is_counted);
	machine_put("/proc/self/limits",
		"Max data size             unlimited            unlimited            bytes     \n");
	machine_put("/proc/sys/vm/overcommit_memory", "1\n");
	assert_false(load().memory_is_counted);
	machine_put("/proc/sys/vm/overcommit_memory", "2\n");
	assert_true(load().memory_is_counted);
	machine_put("/proc/sys/vm/overcommit_memory", "0\n");
	machine_put("/proc/self/limits",
		"Max data size             1073741824           unlimited            bytes     \n");
	assert_true(load().memory_is_counted);
}

static void paranoid_levels(void **state)
{
	(void)state;
	machine_put("/proc/sys/kernel/perf_event_paranoid", "-1\n");
	assert_int_equal(load().perf_event_paranoid, -1);
	machine_put("/proc/sys/kernel/perf_event_paranoid", "4\n");
	assert_int_equal(load().perf_event_paranoid, 4);
	machine_put("/proc/sys/kernel/perf_event_paranoid", "\n");
	assert_int_equal(load().perf_event_paranoid, -2);
}

static void broken_trees_are_unknown(void **state)
{
	static const char *const files[] = {"/proc/self/status", "/proc/self/cgroup", "/proc/self/mountinfo",
		"/proc/self/limits", "/proc/meminfo", "/sys/devices/system/cpu/online",
		"/sys/fs/cgroup/a.slice/cpu.max", "/sys/fs/cgroup/a.slice/memory.max"};
	static const char *const junk[] = {"", "\n", ":", "::", "0::", " - ", " - cgroup2",
		"a b c d e f - cgroup2 x y\n", "0-", "5-1,", "99999999999999999999 1\n", "1 0\n",
		"Cpus_allowed_list:", "MemTotal: x", "Max address space"};
	char *huge = malloc(100001);

	(void)state;
	memset(huge, '/', 100000);
	huge[100000] = '\0';
	for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
		for (size_t j = 0; j < sizeof(junk) / sizeof(junk[0]); j++) {
			machine_put(files[f], junk[j]);
			load();
		}
		machine_put(files[f], huge);
		load();
	}
	free(huge);
	root = "/nonexistent";
	assert_int_equal(load().usable_millicores, 0);
	assert_int_equal(load().memory_limit_bytes, 0);
	assert_int_equal(load().perf_event_paranoid, -2);
}

static void rules_change_defaults_only(void **state)
{
	struct sp_config config;

	(void)state;
	machine_put("/sys/fs/cgroup/a.slice/cpu.max", "399999 100000\n");
	machine_put("/sys/fs/cgroup/a.slice/memory.max", "1999999999\n");
	machine_load(&config, root, ENVIRONMENT("SMARTPROF_ENV=production"));
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].number, 4000);
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].source, SP_SOURCE_RULE);
	assert_int_equal(config.values[SP_OPT_CPU_MAX_SAMPLES].number, 25000);
	assert_int_equal(config.values[SP_OPT_CPU_MAX_SAMPLES].source, SP_SOURCE_RULE);
	assert_int_equal(config.values[SP_OPT_HEAP_INTERVAL].source, SP_SOURCE_DEFAULT);
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].rules, 2);

	machine_load(&config, root, ENVIRONMENT("SMARTPROF_CPU_SAMPLING_INTERVAL=300", "SMARTPROF_CPU_MAX_SAMPLES=x"));
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].number, 300);
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].source, SP_SOURCE_VARIABLE);
	assert_int_equal(config.values[SP_OPT_CPU_MAX_SAMPLES].number, 100000);
	assert_int_equal(config.values[SP_OPT_CPU_MAX_SAMPLES].source, SP_SOURCE_RULE);
	assert_true(config.values[SP_OPT_CPU_MAX_SAMPLES].refused.variable);
}

static void rules_leave_a_big_machine_alone(void **state)
{
	struct sp_config config;

	(void)state;
	machine_put("/sys/fs/cgroup/a.slice/cpu.max", "400000 100000\n");
	machine_put("/sys/fs/cgroup/a.slice/memory.max", "2000000000\n");
	machine_load(&config, root, NULL);
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].number, 100);
	assert_int_equal(config.values[SP_OPT_CPU_MAX_SAMPLES].number, 200000);
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].source, SP_SOURCE_DEFAULT);
}

static void flags_are_told_from_variables(void **state)
{
	struct sp_config config;

	(void)state;
	machine_load(&config, root,
		ENVIRONMENT("SMARTPROF_FLAGS=dir,cpu_interval", "SMARTPROF_DIR=/p",
			"SMARTPROF_CPU_SAMPLING_INTERVAL=1ms", "SMARTPROF_VERBOSE=1"));
	assert_int_equal(config.values[SP_OPT_DIR].source, SP_SOURCE_FLAG);
	assert_string_equal(config.values[SP_OPT_DIR].text, "/p");
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].source, SP_SOURCE_FLAG);
	assert_int_equal(config.values[SP_OPT_CPU_INTERVAL].number, 1000);
	assert_int_equal(config.values[SP_OPT_VERBOSE].source, SP_SOURCE_VARIABLE);
	assert_null(config.values[SP_OPT_OUTPUT].text);
}

static void errno_is_left_alone(void **state)
{
	struct sp_config config;

	(void)state;
	errno = ENOTTY;
	machine_load(&config, "/nonexistent", NULL);
	assert_int_equal(errno, ENOTTY);
}

#if !SANITIZED /* frames are several times larger there */
/* The contract of env.h: it may run where a thread has little stack left. */
#define STACK_BYTES (64 * 1024)
#define STACK_ALLOWED (8 * 1024)

static struct sp_config deep_config;
static unsigned char stack[STACK_BYTES];

static void load_on_painted_stack(void)
{
	machine_load(&deep_config, root, NULL);
}

static void run_on_painted_stack(void)
{
	static ucontext_t here, there;

	memset(stack, 0xa5, sizeof(stack));
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = &here;
	makecontext(&there, load_on_painted_stack, 0);
	swapcontext(&here, &there);
}

static void stack_stays_small(void **state)
{
	size_t untouched = 0;

	(void)state;
	run_on_painted_stack();
	while (untouched < sizeof(stack) && stack[untouched] == 0xa5)
		untouched++;
	assert_int_equal(deep_config.machine.host_cores, 8);
	assert_in_range(sizeof(stack) - untouched, 512, STACK_ALLOWED);
}

#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_machine, drop_machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_unlimited_machine),
		TEST(affinity_counts_what_is_online),
		TEST(v2_limits_of_all_ancestors_hold),
		TEST(a_sibling_does_not_limit),
		TEST(a_namespaced_container_sees_its_own_top),
		TEST(v1_limits),
		TEST(v1_mounted_from_its_own_group),
		TEST(v1_tells_of_limits_above_the_mount),
		TEST(another_process_has_bounds_of_its_own),
		TEST(v1_counts_kills_for_memory_too),
		TEST(cpusets_limit),
		TEST(mount_points_may_have_blanks),
		TEST(long_group_names_keep_their_end),
		TEST(long_lists_of_cpus),
		TEST(address_space_limits_memory),
		TEST(memory_may_be_counted_when_it_is_mapped),
		TEST(paranoid_levels),
		TEST(broken_trees_are_unknown),
		TEST(rules_change_defaults_only),
		TEST(rules_leave_a_big_machine_alone),
		TEST(flags_are_told_from_variables),
		TEST(errno_is_left_alone),
#if !SANITIZED
		TEST(stack_stays_small),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
