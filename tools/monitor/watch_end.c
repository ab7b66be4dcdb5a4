/* What a watch learns at the end of its command. */
#include "tools/monitor/watch_end.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "tools/monitor/keeper.h"
#include "tools/monitor/watch.h"

#define NAMES_SHOWN 8

static uint64_t time_ns(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_usec * 1000u;
}

static void add_usage(struct sp_monitor_run *run, const struct rusage *usage)
{
	uint64_t peak = (uint64_t)usage->ru_maxrss * 1024;

	run->user_ns += time_ns(&usage->ru_utime);
	run->sys_ns += time_ns(&usage->ru_stime);
	if (peak > run->peak_rss_bytes)
		run->peak_rss_bytes = peak;
	run->voluntary_switches += (uint64_t)usage->ru_nvcsw;
	run->involuntary_switches += (uint64_t)usage->ru_nivcsw;
	run->minor_faults += (uint64_t)usage->ru_minflt;
	run->major_faults += (uint64_t)usage->ru_majflt;
}

static void set_state(struct sp_monitor_run *run, int status)
{
	if (WIFSIGNALED(status))
		run->signal = WTERMSIG(status);
	else
		run->exit_status = WEXITSTATUS(status);
	if (run->state != SP_MONITOR_TIMEOUT)
		run->state = run->signal ? SP_MONITOR_SIGNAL : run->exit_status ? SP_MONITOR_FAILED : SP_MONITOR_OK;
}

void sp_watch_take_ended(struct sp_watch *w, const struct sp_keeper_told *told)
{
	struct sp_monitor_run *run = w->run;
	uint64_t seen = sp_look_queue_ns(&w->look, w->pid);

	set_state(run, told->status);
	run->wall_ns = told->at_ns - w->began_ns;
	add_usage(run, &told->usage);
	run->queue_ns = (seen > told->queue_ns ? seen : told->queue_ns) + sp_look_queue_others_ns(&w->look, w->pid);
	run->read_bytes = told->read_bytes != UINT64_MAX ? told->read_bytes : (uint64_t)told->usage.ru_inblock * 512;
	run->written_bytes =
		told->written_bytes != UINT64_MAX ? told->written_bytes : (uint64_t)told->usage.ru_oublock * 512;
}

void sp_watch_take_over(struct sp_watch *w, const struct sp_keeper_told *told)
{
	struct sp_monitor_run *run = w->run;

	add_usage(run, &told->usage);
	run->read_bytes += (uint64_t)told->usage.ru_inblock * 512;
	run->written_bytes += (uint64_t)told->usage.ru_oublock * 512;
	run->floor_rss_bytes = told->floor_bytes;
	run->left = told->left;
	if (told->left && run->state == SP_MONITOR_OK)
		run->state = SP_MONITOR_LEFT_RUNNING;
	if (!w->ended) { /* it could not be ended */
		run->complete = false;
		if (run->state != SP_MONITOR_TIMEOUT)
			run->state = SP_MONITOR_SIGNAL;
	}
}

/* What the keeper has still for children, while it has. */
static void name_left(struct sp_watch *w)
{
	char path[64], text[1024] = "", name[64], *at = text;
	struct sp_buffer names = {0};
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", w->keeper, w->keeper);
	file = fopen(path, "re");
	if (file && !fgets(text, sizeof(text), file))
		text[0] = '\0';
	if (file)
		fclose(file);
	for (long pid; (pid = strtol(at, &at, 10)) > 0 && count < NAMES_SHOWN; count++) {
		snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
		file = fopen(path, "re");
		if (!file || !fgets(name, sizeof(name), file))
			name[0] = '\0';
		if (file)
			fclose(file);
		name[strcspn(name, "\n")] = '\0';
		sp_buffer_printf(&names, "%s%s (%ld)", count ? ", " : "", name, pid);
	}
	if (w->run->left > count && count)
		sp_buffer_puts(&names, ", …");
	w->run->left_names = names.data;
}

static void set_tree(struct sp_watch *w)
{
	struct sp_monitor_run *run = w->run;

	run->processes_most = w->look.most;
	run->peak_tree_bytes =
		w->look.peak_bytes > run->peak_rss_bytes && w->look.most > 1 ? w->look.peak_bytes : run->peak_rss_bytes;
	run->tree_kind = !w->look.most   ? SP_MONITOR_TREE_NONE
		: w->look.most == 1      ? SP_MONITOR_TREE_SINGLE
		: w->look.shared_unknown ? SP_MONITOR_TREE_RSS
					 : SP_MONITOR_TREE_PSS;
}

static void set_held_back(struct sp_watch *w)
{
	struct sp_monitor_run *run = w->run;
	struct sp_held_back now;

	sp_held_back_read(&now);
	run->throttled_known = now.throttled_known && w->before.throttled_known;
	run->pressure_known = now.pressure_known && w->before.pressure_known;
	run->throttled_ns = run->throttled_known ? now.throttled_ns - w->before.throttled_ns : 0;
	run->pressure_ns = run->pressure_known ? now.pressure_ns - w->before.pressure_ns : 0;
}

void sp_watch_complete(struct sp_watch *w)
{
	struct sp_monitor_run *run = w->run;

	sp_caught_end(&w->output);
	sp_caught_end(&w->errors);
	run->stdout_bytes = w->output.bytes;
	run->stderr_bytes = w->errors.bytes;
	run->stdout_counted = w->output.counted;
	run->stderr_counted = w->errors.counted;
	sp_caught_tail(&w->errors, w->tail, sizeof(w->tail));
	if (!w->started)
		return;
	set_held_back(w);
	if (!w->ended) {
		run->wall_ns = sp_time_ns(CLOCK_MONOTONIC) - w->began_ns;
		run->user_ns = w->look.last.cpu_ns; /* its parts are not known */
		run->peak_rss_bytes = w->look.peak_bytes;
	}
	set_tree(w);
	if (run->timeline.count)
		sp_monitor_timeline_add(&run->timeline,
			&(struct sp_monitor_point){.at_ns = run->wall_ns, .cpu_ns = run->user_ns + run->sys_ns});
	if (run->left)
		name_left(w);
}
