/* A run of `smartprof run` or `guard`, for the history: what the kernel tells of it, and its profile. */
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "profiles/monitor/run.h"
#include "symbolize/base/memory.h"
#include "tools/history/record.h"
#include "tools/tools.h"

static double time_ns(const struct timeval *t)
{
	return (double)t->tv_sec * 1e9 + (double)t->tv_usec * 1e3;
}

/* The largest process may have been ours, before it became the program. */
static bool is_larger_than_ours(const struct rusage *usage)
{
	struct rusage own;

	return getrusage(RUSAGE_SELF, &own) == 0 && usage->ru_maxrss > own.ru_maxrss;
}

static void add_metrics(struct sp_history_run *kept, const struct sp_record_ran *ran)
{
	const struct rusage *u = ran->usage;
	double user, sys;

	sp_history_add_metric(kept, "wall_ns", (double)ran->wall_ns, NAN);
	if (!u)
		return;
	user = time_ns(&u->ru_utime);
	sys = time_ns(&u->ru_stime);
	sp_history_add_metric(kept, "cpu_ns", user + sys, NAN);
	sp_history_add_metric(kept, "user_ns", user, NAN);
	sp_history_add_metric(kept, "sys_ns", sys, NAN);
	if (ran->wall_ns)
		sp_history_add_metric(kept, "cpu_percent", 100 * (user + sys) / (double)ran->wall_ns, NAN);
	if (is_larger_than_ours(u))
		sp_history_add_metric(kept, "peak_rss_bytes", (double)u->ru_maxrss * 1024, NAN);
	sp_history_add_metric(kept, "voluntary_switches", (double)u->ru_nvcsw, NAN);
	sp_history_add_metric(kept, "involuntary_switches", (double)u->ru_nivcsw, NAN);
	sp_history_add_metric(kept, "minor_faults", (double)u->ru_minflt, NAN);
	sp_history_add_metric(kept, "major_faults", (double)u->ru_majflt, NAN);
	sp_history_add_metric(kept, "read_bytes", (double)u->ru_inblock * 512, NAN);
	sp_history_add_metric(kept, "written_bytes", (double)u->ru_oublock * 512, NAN);
}

static void set_ending(struct sp_history_run *kept, int status)
{
	enum sp_monitor_state state = WIFSIGNALED(status) ? SP_MONITOR_SIGNAL
		: WEXITSTATUS(status)                     ? SP_MONITOR_FAILED
							  : SP_MONITOR_OK;

	sp_history_set(&kept->state, sp_monitor_state_names[state]);
	kept->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	kept->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void sp_record_ran(const struct sp_record_ran *ran)
{
	struct sp_history_run *kept;
	char *path, *text;

	if (!sp_record_is_on())
		return;
	kept = sp_history_run_make();
	path = sp_copy_text(ran->target->path);
	kept->started_ns = ran->started_ns;
	sp_history_set(&kept->kind, ran->kind);
	sp_history_set(&kept->program, basename(path));
	text = sp_monitor_command_line(ran->argv);
	sp_history_set(&kept->command, text);
	free(text);
	text = sp_monitor_class(ran->argv);
	sp_history_set(&kept->args_class, text);
	free(text);
	set_ending(kept, ran->status);
	add_metrics(kept, ran);
	sp_record_build_id(kept, ran->target->path);
	if (ran->profile)
		sp_record_profile(kept, ran->profile);
	kept->profiled = ran->with_agent;
	sp_record_add(ran->kind, kept);
	sp_history_run_free(kept);
	free(path);
}
