/* Finds what keeps profiling from working here, or makes it coarser, and the command that fixes it. */
#include "tools/config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "env/trust.h"
#include "profiles/base/xdg.h"
#include "profiles/spool/find.h"
#include "tools/tools.h"

#define SPOOL_ROOM_BYTES (64ull << 20) /* what the agent wants to be free where it puts its spool */
#define SPOOL_BYTES_MIN (2ull << 20)   /* the smallest spool is a little smaller */
#define SPOOLS_MAX 1000                /* more in a directory and the agent adds none */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 14

/* The platform the agent is made for. */
static void check_platform(struct sp_plan *plan)
{
	const struct sp_machine *machine = &plan->config.machine;
	int major, minor;

	if (machine->architecture[0] && strcmp(machine->architecture, SP_OWN_MACHINE) != 0)
		sp_plan_warn(plan, "architecture", true, "", "this is a %s machine; the command is for %s",
			machine->architecture, SP_OWN_MACHINE);
	if (strcmp(machine->libc, "musl") == 0)
		sp_plan_warn(plan, "libc", true, "", "programs here use musl; the agent needs glibc");
	if (sscanf(machine->kernel, "%d.%d", &major, &minor) == 2 &&
		(major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR)))
		sp_plan_warn(plan, "kernel", true, "", "kernel %s is older than %d.%d", machine->kernel, KERNEL_MAJOR,
			KERNEL_MINOR);
}

static void check_enabled(struct sp_plan *plan)
{
	const struct sp_value *enabled = &plan->config.values[SP_OPT_ENABLED];

	if (!enabled->number)
		sp_plan_warn(plan, "disabled", true,
			enabled->source == SP_SOURCE_FILE ? "export SMARTPROF_ENABLED=on" : "unset SMARTPROF_ENABLED",
			"profiling is switched off (SMARTPROF_ENABLED)");
}

static void check_events(struct sp_plan *plan)
{
	int paranoid = plan->config.machine.perf_event_paranoid;
	const char *fix = "";

	if (!plan->cpu || plan->events_error == 0)
		return;
	if (plan->events_error == SP_EVENTS_UNKNOWN) {
		if (paranoid > 2)
			sp_plan_warn(plan, "perf_events", false, "sudo sysctl kernel.perf_event_paranoid=2",
				"kernel.perf_event_paranoid is %d: only root gets perf events, others sample at the "
				"kernel's tick",
				paranoid);
		return;
	}
	if (plan->events_error == -EACCES || plan->events_error == -EPERM)
		fix = paranoid > 2 ? "sudo sysctl kernel.perf_event_paranoid=2" : "docker run --cap-add PERFMON IMAGE";
	else if (plan->events_error == -EMFILE)
		fix = "ulimit -n 1024";
	sp_plan_warn(plan, "perf_events", false, fix, "perf events %s: the CPU is sampled once a kernel tick",
		sp_plan_events(plan));
}

static void check_file(struct sp_plan *plan)
{
	char fix[PATH_MAX];

	if (!plan->file || !plan->file->problem)
		return;
	snprintf(fix, sizeof(fix), "export SMARTPROF_CONFIG='%s'", plan->file->path);
	sp_plan_warn(plan, "settings_file", false, fix, "%s is ignored: %s", plan->file->path, plan->file->problem);
}

static void check_thresholds(struct sp_plan *plan)
{
	const struct sp_value *values = plan->config.values;

	if (values[SP_OPT_MEMORY_WARNING_THRESHOLD].number > values[SP_OPT_MEMORY_CRITICAL_THRESHOLD].number)
		sp_plan_warn(plan, "memory_thresholds", false, "",
			"MEMORY_WARNING_THRESHOLD is above MEMORY_CRITICAL_THRESHOLD");
}

/* --- on the live machine */

/* The library runs no command that others could have put there. */
static void check_renderer(struct sp_plan *plan, const char *self)
{
	const char *bin = plan->config.values[SP_OPT_BIN].text, *objection;
	char path[PATH_MAX];

	objection = sp_trust_program(bin ? bin : self, path, sizeof(path));
	if (objection)
		sp_plan_warn(plan, "renderer", true, "smartprof recover",
			"the library would not run %s, because %s; profiles come by `smartprof recover`", path,
			objection);
}

static void check_library(struct sp_plan *plan)
{
	char self[PATH_MAX], library[PATH_MAX];

	switch (sp_library_find(self, library)) {
	case 0:
		check_renderer(plan, self);
		break;
	case -ENOENT:
		sp_plan_warn(plan, "library", true, "make install", SP_LIBRARY " is not where %s would look for it",
			self);
		break;
	case -EINVAL:
		sp_plan_warn(plan, "library", true, "",
			"%s contains a space or a colon, which LD_PRELOAD cannot express", library);
		break;
	default:
		sp_plan_warn(plan, "library", true, "mount -t proc proc /proc", "nothing tells where this command is");
		break;
	}
}

static void check_output(struct sp_plan *plan)
{
	bool is_file = plan->config.values[SP_OPT_OUTPUT].text != NULL;
	char dir[PATH_MAX], state[PATH_MAX], *slash;

	snprintf(dir, sizeof(dir), "%s", plan->output);
	slash = strrchr(dir, '/');
	if (is_file && slash)
		slash[slash == dir] = '\0';
	if (sp_can_write(dir))
		return;
	if (!is_file && sp_state_path(state, sizeof(state), "profiles") == 0 && sp_can_write(state))
		sp_plan_warn(plan, "output", false, "export SMARTPROF_DIR=\"$HOME/profiles\"",
			"%s cannot be written to: profiles will go below %s", dir, state);
	else
		sp_plan_warn(plan, "output", true, "export SMARTPROF_DIR=/tmp/profiles", "%s cannot be written to",
			dir);
}

static bool has_room(const char *path)
{
	char at[PATH_MAX], *slash;
	struct statfs fs;

	if ((size_t)snprintf(at, sizeof(at), "%s", path) >= sizeof(at))
		return false;
	while (statfs(at, &fs) < 0) { /* the agent will make it */
		slash = strrchr(at, '/');
		if (errno != ENOENT || !slash || !at[1])
			return false;
		slash[slash == at] = '\0';
	}
	return (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= SPOOL_ROOM_BYTES && sp_can_write(path);
}

static bool is_crowded(const char *directory)
{
	struct sp_spool_file *files = NULL;
	long count = sp_spool_list(&files, directory);

	if (count >= 0)
		free(files);
	return count > SPOOLS_MAX;
}

static void check_spool(struct sp_plan *plan)
{
	char paths[SP_SPOOL_DIRECTORIES][PATH_MAX];
	size_t count = sp_spool_directories(paths), good = 0;
	struct rlimit limit;

	while (good < count && !has_room(paths[good]))
		good++;
	if (good == count)
		sp_plan_warn(plan, "spool", true, "mount -o remount,size=50% /dev/shm",
			"neither /dev/shm nor the state directory has a place with 64 MB of room for samples");
	else if (good > 0)
		sp_plan_warn(plan, "spool", false, "docker run --shm-size 256m IMAGE",
			"%s has no 64 MB of room: samples go to %s, which is slower", paths[0], paths[good]);
	if (good < count && is_crowded(paths[good]))
		sp_plan_warn(plan, "orphans", true, "smartprof recover", "%s is full of what dead processes left",
			paths[good]);
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < SPOOL_BYTES_MIN)
		sp_plan_warn(plan, "file_size", true, "ulimit -f unlimited",
			"files may not grow to 2 MB here (ulimit -f)");
}

void sp_plan_check(struct sp_plan *plan)
{
	check_enabled(plan);
	check_platform(plan);
	check_file(plan);
	if (plan->live) {
		check_library(plan);
		check_output(plan);
		check_spool(plan);
	}
	check_events(plan);
	check_thresholds(plan);
}
