/* A run that `smartprof monitor` measured, for the history. */
#include <math.h>
#include <stdlib.h>

#include "profiles/base/buffer.h"
#include "profiles/monitor/run.h"
#include "tools/history/record.h"

#define POINTS_MOST 250u

static void add_metrics(struct sp_history_run *kept, const struct sp_monitor_run *run)
{
	const struct {
		const char *name;
		double value;
		bool known;
	} rows[] = {
		{"wall_ns", (double)run->wall_ns, true},
		{"cpu_ns", (double)(run->user_ns + run->sys_ns), true},
		{"user_ns", (double)run->user_ns, true},
		{"sys_ns", (double)run->sys_ns, true},
		{"cpu_percent", sp_monitor_cpu_percent(run), true},
		/* No smaller peak than the floor can be told. */
		{"peak_rss_bytes", (double)run->peak_rss_bytes, run->peak_rss_bytes > run->floor_rss_bytes},
		{"peak_tree_bytes", (double)run->peak_tree_bytes, run->tree_kind != SP_MONITOR_TREE_NONE},
		{"processes", (double)run->processes_most, run->processes_most > 0},
		{"voluntary_switches", (double)run->voluntary_switches, true},
		{"involuntary_switches", (double)run->involuntary_switches, true},
		{"minor_faults", (double)run->minor_faults, true},
		{"major_faults", (double)run->major_faults, true},
		{"read_bytes", (double)run->read_bytes, true},
		{"written_bytes", (double)run->written_bytes, true},
		{"stdout_bytes", (double)run->stdout_bytes, run->stdout_counted},
		{"stderr_bytes", (double)run->stderr_bytes, run->stderr_counted},
		{"queue_ns", (double)run->queue_ns, true},
		{"throttled_ns", (double)run->throttled_ns, run->throttled_known},
		{"pressure_ns", (double)run->pressure_ns, run->pressure_known},
	};

	if (run->state == SP_MONITOR_NOT_STARTED)
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].known)
			sp_history_add_metric(kept, rows[i].name, rows[i].value, NAN);
}

/* The last of `step` points stands for all of them; what was the most stays the most. */
static void put_points(struct sp_buffer *out, const struct sp_monitor_timeline *timeline, size_t step)
{
	struct sp_monitor_point most = {0};

	for (size_t i = 0; i < timeline->count; i++) {
		const struct sp_monitor_point *p = &timeline->points[i];

		most.rss_bytes = p->rss_bytes > most.rss_bytes ? p->rss_bytes : most.rss_bytes;
		most.processes = p->processes > most.processes ? p->processes : most.processes;
		if ((i + 1) % step != 0 && i + 1 < timeline->count)
			continue;
		sp_buffer_printf(out, "%s[%llu,%llu,%llu,%u]", i >= step ? "," : "", (unsigned long long)p->at_ns,
			(unsigned long long)p->cpu_ns, (unsigned long long)most.rss_bytes, most.processes);
		most = (struct sp_monitor_point){0};
	}
}

static void add_timeline(struct sp_history_run *kept, const struct sp_monitor_timeline *timeline)
{
	struct sp_buffer text = {0};
	size_t step = 1;

	if (timeline->count < 2)
		return;
	while ((timeline->count + step - 1) / step > POINTS_MOST)
		step *= 2;
	sp_buffer_printf(&text, "{\"step_ns\":%llu,\"points\":[", (unsigned long long)(timeline->step_ns * step));
	put_points(&text, timeline, step);
	sp_buffer_puts(&text, "]}\n");
	sp_history_set_blob(kept, SP_HISTORY_TIMELINE, text.data, text.length);
	sp_buffer_free(&text);
}

struct sp_history_run *sp_record_from_monitor(const struct sp_monitor_run *run)
{
	struct sp_history_run *kept = sp_history_run_make();

	kept->started_ns = run->started_ns;
	sp_history_set(&kept->kind, "monitor");
	sp_history_set(&kept->program, run->program);
	sp_history_set(&kept->command, run->command);
	sp_history_set(&kept->args_class, run->args_class);
	sp_history_set(&kept->environment, run->environment);
	sp_history_set(&kept->directory, run->directory);
	sp_history_set(&kept->state, sp_monitor_state_names[run->state]);
	kept->jobs = run->jobs ? run->jobs : 1;
	kept->profiled = run->profiled;
	kept->exit_status = run->exit_status;
	kept->signal = run->signal;
	add_metrics(kept, run);
	add_timeline(kept, &run->timeline);
	if (run->program_path)
		sp_record_build_id(kept, run->program_path);
	if (run->profile_path)
		sp_record_profile(kept, run->profile_path);
	return kept;
}
