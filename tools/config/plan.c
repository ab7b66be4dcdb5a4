/* What the agent will do here: clock, intervals, output. */
#include "tools/config/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/spool/find.h"

/* What the governor (sampler/clock/governor.c) reckons a sample to cost: the signal, as processes here have measured
 * it, and the handler's time, of which 5 to 12 us is usual. */
#define SIGNAL_COST_US 28
#define HANDLER_COST_US 7

void sp_plan_warn(struct sp_plan *plan, const char *id, bool blocking, const char *fix, const char *format, ...)
{
	struct sp_warning *warning = &plan->warnings[plan->warning_count];
	va_list arguments;

	if (plan->warning_count == SP_WARNINGS_MAX)
		return;
	plan->warning_count++;
	warning->id = id;
	warning->blocking = blocking;
	snprintf(warning->fix, sizeof(warning->fix), "%s", fix);
	va_start(arguments, format);
	vsnprintf(warning->message, sizeof(warning->message), format, arguments);
	va_end(arguments);
}

bool sp_plan_is_blocked(const struct sp_plan *plan)
{
	for (unsigned i = 0; i < plan->warning_count; i++)
		if (plan->warnings[i].blocking)
			return true;
	return false;
}

/* In a child: a seccomp filter may kill for it. */
static int try_events(void)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(-sp_perf_try());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return SP_EVENTS_UNKNOWN;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPERM;
}

const char *sp_plan_events(const struct sp_plan *plan)
{
	switch (plan->events_error) {
	case SP_EVENTS_UNKNOWN:
		return NULL;
	case 0:
		return "work here";
	case -EACCES:
	case -EPERM:
		return plan->config.machine.perf_event_paranoid > 2
			? "are refused to users by kernel.perf_event_paranoid"
			: "are refused, as a container's seccomp filter does";
	case -ENOENT:
	case -ENOSYS:
		return "do not exist in this kernel";
	default:
		return strerror(-plan->events_error);
	}
}

static void expect_interval(struct sp_plan *plan)
{
	const struct sp_value *values = plan->config.values;
	uint64_t wanted = values[SP_OPT_CPU_INTERVAL].number;
	uint64_t tick = plan->config.machine.tick_us, affordable, signal;

	if (!plan->cpu || plan->events_error == SP_EVENTS_UNKNOWN || (plan->events_error && !tick))
		return;
	plan->signal_cost_us = plan->live ? sp_spool_signal_cost_ns() / 1000 : 0;
	signal = plan->signal_cost_us ? plan->signal_cost_us : SIGNAL_COST_US;
	if (plan->events_error) /* a tick's interrupt comes anyway */
		signal /= 4;
	affordable = (HANDLER_COST_US + signal) * 100 / values[SP_OPT_OVERHEAD_BUDGET].number;
	plan->cpu_expected_us = wanted > affordable ? wanted : affordable;
	if (plan->events_error && plan->cpu_expected_us < tick)
		plan->cpu_expected_us = tick;
}

static void absolute(const struct sp_plan *plan, const char *path, char *out)
{
	const char *cwd = *path == '/' || !plan->where->cwd ? "" : plan->where->cwd;

	if (snprintf(out, PATH_MAX, "%s%s%s", cwd, *cwd ? "/" : "", path) >= PATH_MAX)
		snprintf(out, PATH_MAX, "(too long a path)");
}

/* As the agent has it: a file asked for, the directory of the tree of processes we are in, or the
 * setting. */
static void choose_output(struct sp_plan *plan)
{
	const struct sp_value *values = plan->config.values;
	const char *tree = sp_environ_get(plan->where->envp, "SMARTPROF_TREE"), *dir = NULL;
	char path[PATH_MAX];

	if (values[SP_OPT_OUTPUT].text) {
		absolute(plan, values[SP_OPT_OUTPUT].text, plan->output);
		return;
	}
	if (tree && strstr(tree, ":/"))
		dir = strchr(tree, ':') + 1;
	if (!dir)
		dir = values[SP_OPT_DIR].text ? values[SP_OPT_DIR].text : "profiles";
	absolute(plan, dir, path);
	if (snprintf(plan->output, sizeof(plan->output), "%s/%s", path,
		    sp_environment_name(plan->config.environment)) >= (int)sizeof(plan->output))
		snprintf(plan->output, sizeof(plan->output), "(too long a path)");
}

void sp_plan_make(struct sp_plan *plan, const struct sp_where *where, const struct sp_file *file, bool live)
{
	memset(plan, 0, sizeof(*plan));
	plan->where = where;
	plan->file = file;
	plan->live = live;
	sp_config_load(&plan->config, where, file);
	plan->cpu = plan->config.values[SP_OPT_MODE].number & SP_MODE_CPU;
	plan->heap = plan->config.values[SP_OPT_MODE].number & SP_MODE_HEAP;
	plan->events_error = live ? try_events() : SP_EVENTS_UNKNOWN;
	expect_interval(plan);
	choose_output(plan);
	sp_plan_check(plan);
}
