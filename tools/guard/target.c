/* A process that is guarded: its thresholds, looks, and what follows from them. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiles/spool/find.h"
#include "profiles/spool/process.h"
#include "profiles/spool/read.h"
#include "tools/guard/guard.h"
#include "tools/report/report.h"
#include "tools/tools.h"

#define MEGABYTE 1000000u
#define SAVE_NS 1000000000u /* between two writes of where a value is that goes up and down */
#define FIRST_PERIOD_NS 100000000u
#define LEAST_CPU_NS 100000000u /* between two looks at CPU time: the kernel counts some of it by ticks */

uint64_t sp_guard_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void sp_guard_put_megabytes(struct sp_buffer *out, uint64_t bytes)
{
	sp_buffer_printf(out, "%.*f MB", bytes < 10 * MEGABYTE ? 1 : 0, (double)bytes / MEGABYTE);
}

static void put_seconds(struct sp_buffer *out, double seconds, double unit)
{
	sp_buffer_printf(out, "%.*f", seconds / unit < 10 ? 1 : 0, seconds / unit);
}

void sp_guard_put_forecast(struct sp_buffer *out, const char *begin, const struct sp_guard_target *t,
	enum sp_guard_rule_id next, const struct sp_guard_trend *trend, uint64_t memory)
{
	double sooner, later, unit;

	if (!sp_guard_forecast(trend, memory, t->rules.rule[next].threshold, &sooner, &later))
		return;
	unit = sooner < 120 ? 1 : 60;
	sp_buffer_printf(out, "%s %s in ", begin, sp_guard_rule_names[next]);
	put_seconds(out, sooner, unit);
	if (!isinf(later)) {
		sp_buffer_puts(out, " to ");
		put_seconds(out, later, unit);
	}
	sp_buffer_printf(out, " %s%s", unit > 1 ? "min" : "s", isinf(later) ? ", or never" : "");
}

void sp_guard_tell(const struct sp_guard_target *target, const char *format, ...)
{
	char text[3 * PATH_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sp_complain("guard: %s (%d): %s", target->facts.name, target->pid, text);
}

/* --- its spool ---------------------------------------------------------------------------------- */

static bool is_its(const struct sp_guard_target *t, const struct sp_spool_file *file)
{
	return (file->pid == t->pid || file->pid == t->facts.inner_pid) && file->start_ticks == t->start_ticks;
}

/* Of a process that ran several programs the last one's. */
static void take_newest(const struct sp_spool_file *file, uint64_t *newest_ns, char path[static PATH_MAX])
{
	struct sp_spool_header header;
	char tree[64];

	if (sp_spool_peek(file->path, &header, tree, sizeof(tree)) < 0)
		header.start_monotonic_ns = 0; /* it exists but cannot be read: a command that opens it will say why */
	if (*path && header.start_monotonic_ns < *newest_ns)
		return;
	*newest_ns = header.start_monotonic_ns;
	memcpy(path, file->path, PATH_MAX);
}

bool sp_guard_spool(const struct sp_guard_target *t, char path[static PATH_MAX])
{
	struct sp_spool_file *files;
	size_t count = sp_spool_list_all(&files);
	uint64_t newest_ns = 0;

	*path = '\0';
	for (size_t i = 0; i < count; i++)
		if (is_its(t, &files[i]))
			take_newest(&files[i], &newest_ns, path);
	free(files);
	return *path;
}

/* --- beginning ---------------------------------------------------------------------------------- */

static void settle_rules(struct sp_guard_target *t, const struct sp_guard_wish *wish)
{
	t->rules.window_ns = wish->interval_ns;
	for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++)
		t->rules.rule[i].threshold = sp_guard_threshold_bytes(&wish->memory[i], i, t->bounds.bytes);
	t->rules.rule[SP_GUARD_CPU].threshold = wish->cpu_percent * 10;
}

static int complain_of(int pid, int err)
{
	if (err == -ESRCH)
		sp_complain("guard: process %d: there is no such process; name one that runs", pid);
	else
		sp_complain("guard: process %d: %s; name another one", pid, strerror(-err));
	return SP_EXIT_USAGE;
}

int sp_guard_target_open(struct sp_guard_target **target, const struct sp_guard_wish *wish, int pid, bool ours,
	bool quiet)
{
	struct sp_guard_target *t = calloc(1, sizeof(*t));
	struct sp_process_stat stat = {0};
	int err = t ? 0 : -ENOMEM;

	*target = t;
	if (!err) {
		*t = (struct sp_guard_target){.pid = pid, .ours = ours, .pidfd = pidfd_open(pid, 0)};
		err = t->pidfd < 0 ? -errno : sp_process_stat(pid, &stat);
	}
	if (err == -ENOENT || (!err && !ours && (stat.state == 'Z' || stat.state == 'X')))
		err = -ESRCH;
	if (!err) { /* from here on the descriptor tells whether the number is still this process's */
		t->start_ticks = stat.start_ticks;
		err = sp_guard_facts_read(&t->facts, pid, stat.start_ticks);
	}
	if (!err) {
		clock_gettime(CLOCK_REALTIME, &t->since);
		t->timeline.period_ns = FIRST_PERIOD_NS;
		sp_memory_bounds_read(&t->bounds, sp_settings_where(), pid, wish->machine.memory_bytes);
		t->kills_known = sp_memory_kills(&t->bounds, sp_settings_where(), &t->kills_before);
		settle_rules(t, wish);
		sp_guard_state_load(t);
		return 0;
	}
	sp_guard_target_free(t);
	*target = NULL;
	return quiet ? -1 : complain_of(pid, err);
}

static void forget(struct sp_guard_event *e)
{
	free(e->capture);
	if (e->snapshot)
		unlink(e->snapshot);
	free(e->snapshot);
}

void sp_guard_target_free(struct sp_guard_target *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->event_count; i++)
		forget(&t->events[i]);
	if (t->pidfd >= 0)
		close(t->pidfd);
	free(t);
}

static void put_thresholds(struct sp_buffer *out, const struct sp_guard_target *t)
{
	for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++) {
		sp_buffer_printf(out, "%s%s ", i ? ", " : "", sp_guard_rule_names[i]);
		sp_guard_put_megabytes(out, t->rules.rule[i].threshold);
	}
	if (t->rules.rule[SP_GUARD_CPU].threshold)
		sp_buffer_printf(out, ", cpu %u %%", (unsigned)t->rules.rule[SP_GUARD_CPU].threshold / 10);
	sp_buffer_printf(out, ", each for %.4g s", (double)t->rules.window_ns / 1e9);
	if (!t->bounds.limit.name)
		return;
	sp_buffer_puts(out, "; limit ");
	sp_guard_put_megabytes(out, t->bounds.bytes);
	sp_buffer_printf(out, " (%s)", t->bounds.limit.name);
}

/* Whether what the spool holds can be read by us. */
static void look_at_spool(struct sp_guard_target *t, const char *path)
{
	struct sp_snapshot peek = {0};
	const char *why = "";
	int fd = sp_spool_open(path), err = fd < 0 ? fd : sp_snapshot_peek(&peek, fd, &why);

	t->with_agent = !err;
	if (err)
		sp_guard_tell(t, "its spool %s; it is watched without captures", *why ? why : strerror(-err));
	sp_snapshot_free(&peek);
	if (fd >= 0)
		close(fd);
}

void sp_guard_target_announce(struct sp_guard_target *t, const struct sp_guard_wish *wish)
{
	struct sp_buffer text = {0};
	struct sp_process_stat stat;
	char path[PATH_MAX], number[16];
	bool has_spool = wish->profiling && sp_guard_spool(t, path);

	put_thresholds(&text, t);
	if (t->by_name && wish->profiling && !has_spool)
		sp_buffer_puts(&text, "; without the agent, so without captures");
	sp_guard_tell(t, "watching: %s", text.data);
	sp_buffer_free(&text);
	if (sp_process_stat(t->pid, &stat) == 0 && (stat.state == 'T' || stat.state == 't'))
		sp_guard_tell(t, "it is stopped: nothing happens in it until it goes on (kill -CONT %d)", t->pid);
	if (!wish->profiling || t->ours)
		return;
	if (has_spool) {
		look_at_spool(t, path);
		return;
	}
	if (t->by_name)
		return;
	snprintf(number, sizeof(number), "%d", t->pid);
	sp_spool_complain_absent("guard", number);
	sp_guard_tell(t, "it is watched all the same; captures need a spool");
}

/* --- looking ------------------------------------------------------------------------------------ */

/* Where there are as many as are kept, one that only grew makes room, the oldest that nothing is done about. */
struct sp_guard_event *sp_guard_event_add(struct sp_guard_target *t)
{
	struct sp_guard_event *oldest = NULL;

	if (t->event_count < SP_GUARD_EVENTS)
		return &t->events[t->event_count++];
	for (size_t i = 0; i < t->event_count; i++) {
		struct sp_guard_event *e = &t->events[i];

		if (!sp_guard_job_is_about(t, i) &&
			(!oldest || e->again > oldest->again || (e->again == oldest->again && e->t_ns < oldest->t_ns)))
			oldest = e;
	}
	t->events_untold++;
	if (oldest)
		forget(oldest);
	return oldest;
}

static void tell_fired(const struct sp_guard_target *t, const struct sp_guard_event *e)
{
	enum sp_guard_rule_id next = sp_guard_next_rule(&t->rules, e->memory);
	struct sp_buffer text = {0};
	struct sp_guard_trend trend;

	sp_buffer_printf(&text, "%s: ", sp_guard_rule_names[e->rule]);
	if (e->rule == SP_GUARD_CPU) {
		sp_buffer_printf(&text, "%.0f %% of the usable CPUs", (double)e->cpu / 10);
	} else {
		sp_guard_put_megabytes(&text, e->memory);
		sp_buffer_printf(&text, ", for %.4g s above ", (double)t->rules.window_ns / 1e9);
		sp_guard_put_megabytes(&text, e->needed);
	}
	if (e->rule != SP_GUARD_CPU && next < SP_GUARD_RULES &&
		sp_guard_trend(&trend, t->timeline.points, t->timeline.count))
		sp_guard_put_forecast(&text, "; at this pace", t, next, &trend, e->memory);
	sp_guard_tell(t, "%s", text.data);
	sp_buffer_free(&text);
}

void sp_guard_event_act(struct sp_guard_target *t, const struct sp_guard_wish *wish, size_t event,
	bool other_is_captured)
{
	struct sp_guard_event *e = &t->events[event];

	if (!wish->profiling)
		snprintf(e->why, sizeof(e->why), "--no-profiling");
	else if (other_is_captured)
		snprintf(e->why, sizeof(e->why), "that of the other threshold is of the same moment");
	else if (!sp_guard_may_capture(&t->rules, e->rule, e->again, e->t_ns))
		snprintf(e->why, sizeof(e->why), "there were %u in this sequence", SP_GUARD_SEQUENCE_CAPTURES);
	else
		sp_guard_capture(t, wish, event);
	if (!e->wanted)
		sp_guard_command(t, wish, event);
}

static void fire(struct sp_guard_target *t, const struct sp_guard_wish *wish, enum sp_guard_rule_id id, uint64_t memory,
	uint64_t cpu, bool other_is_captured)
{
	const struct sp_guard_rule *rule = &t->rules.rule[id];
	struct sp_guard_event *e = sp_guard_event_add(t);
	uint64_t needed = sp_guard_rule_needs(rule);
	bool again = rule->high != 0;

	sp_guard_rules_fired(&t->rules, 1u << id, memory, cpu);
	if (!e)
		return;
	*e = (struct sp_guard_event){.rule = id,
		.again = again,
		.t_ns = sp_guard_now_ns(),
		.memory = memory,
		.needed = needed,
		.rss = t->facts.rss,
		.cpu = cpu};
	clock_gettime(CLOCK_REALTIME, &e->at);
	e->fired_at = e->at;
	tell_fired(t, e);
	sp_guard_event_act(t, wish, (size_t)(e - t->events), other_is_captured);
}

/* The fast counters lag a little, each CPU's by its own: the exact sum decides. */
static unsigned confirm(struct sp_guard_target *t, unsigned due, uint64_t *memory)
{
	unsigned refused = 0;
	uint64_t exact;

	if (!(due & ((1u << SP_GUARD_MEMORY_RULES) - 1)) || sp_guard_memory_exact(&exact, t->pid) < 0)
		return due;
	for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++)
		if ((due & 1u << i) && exact < sp_guard_rule_needs(&t->rules.rule[i]))
			refused |= 1u << i;
	sp_guard_rules_not(&t->rules, refused);
	*memory = exact;
	return due & ~refused;
}

/* The highest threshold first: its capture is that of all. */
static void fire_all(struct sp_guard_target *t, const struct sp_guard_wish *wish, unsigned due, uint64_t memory,
	uint64_t cpu)
{
	bool captured = false;

	if (due & 1u << SP_GUARD_CPU)
		fire(t, wish, SP_GUARD_CPU, memory, cpu, false);
	due &= (1u << SP_GUARD_MEMORY_RULES) - 1;
	while (due) {
		unsigned highest = SP_GUARD_RULES;

		for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++)
			if ((due & 1u << i) &&
				(highest == SP_GUARD_RULES ||
					t->rules.rule[i].threshold > t->rules.rule[highest].threshold))
				highest = i;
		due &= ~(1u << highest);
		fire(t, wish, highest, memory, cpu, captured);
		captured = true;
	}
}

/* In permille of the usable cores since the last such look. */
static uint64_t look_at_cpu(struct sp_guard_target *t, const struct sp_guard_wish *wish, uint64_t now_ns)
{
	uint64_t ns, used = SP_GUARD_UNKNOWN, passed = now_ns - t->cpu_at_ns;

	if ((t->cpu_at_ns && passed < LEAST_CPU_NS) || !sp_guard_cpu_ns(&ns, t->pid))
		return SP_GUARD_UNKNOWN;
	if (t->cpu_at_ns && ns >= t->cpu_ns && wish->machine.usable_millicores)
		used = (uint64_t)((double)(ns - t->cpu_ns) * 1e6 /
			((double)passed * (double)wish->machine.usable_millicores));
	t->cpu_ns = ns;
	t->cpu_at_ns = now_ns;
	return used;
}

void sp_guard_target_look(struct sp_guard_target *t, const struct sp_guard_wish *wish)
{
	uint64_t now_ns = sp_guard_now_ns(), memory, cpu;
	struct sp_guard_facts facts;
	unsigned due, above = sp_guard_above(&t->rules);

	t->next_look_ns = now_ns + t->rules.window_ns;
	if (sp_guard_facts_read(&facts, t->pid, t->start_ticks) < 0 || !facts.has_memory)
		return; /* it is ending: its descriptor tells */
	if (t->ours)    /* it stays what it was started as */
		memcpy(facts.name, t->facts.name, sizeof(facts.name));
	t->facts = facts;
	memory = sp_guard_memory(&facts);
	t->memory_most = memory > t->memory_most ? memory : t->memory_most;
	cpu = look_at_cpu(t, wish, now_ns);
	sp_guard_timeline_add(&t->timeline,
		&(struct sp_guard_point){
			.t_ns = now_ns, .memory = memory, .rss = facts.rss, .cpu = cpu == SP_GUARD_UNKNOWN ? 0 : cpu});
	due = sp_guard_rules_look(&t->rules, now_ns, memory, cpu);
	if (due)
		due = confirm(t, due, &memory);
	if (due)
		fire_all(t, wish, due, memory, cpu);
	sp_guard_responses_look(t, wish);
	t->unsaved |= due || !t->saved_ns || above != sp_guard_above(&t->rules);
	if (t->unsaved && (due || now_ns - t->saved_ns >= SAVE_NS))
		sp_guard_state_save(t);
	t->next_look_ns = now_ns + sp_guard_pause_ns(&t->rules, memory);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void tell_end(const struct sp_guard_target *t)
{
	struct sp_buffer most = {0};

	sp_guard_put_megabytes(&most, t->memory_most);
	if (t->killed_for_memory)
		sp_guard_tell(t, "killed by the kernel for want of memory; it had %s when last seen%s%s", most.data,
			t->bounds.limit.name ? ", limited by " : "", t->bounds.limit.name ? t->bounds.limit.name : "");
	else if (!t->status_known)
		sp_guard_tell(t, "it has ended; it had %s at the most", most.data);
	else if (WIFSIGNALED(t->status))
		sp_guard_tell(t, "it was ended by signal %d; it had %s at the most", WTERMSIG(t->status), most.data);
	else
		sp_guard_tell(t, "it has ended with status %d; it had %s at the most", WEXITSTATUS(t->status),
			most.data);
	sp_buffer_free(&most);
}

/* The kernel counts kills by group, of which this process need not be the only one; its own end must fit. */
static bool was_killed_for_memory(const struct sp_guard_target *t)
{
	uint64_t kills;

	if (t->status_known && !(WIFSIGNALED(t->status) && WTERMSIG(t->status) == SIGKILL))
		return false;
	return t->kills_known && sp_memory_kills(&t->bounds, sp_settings_where(), &kills) && kills > t->kills_before;
}

void sp_guard_target_ended(struct sp_guard_target *t)
{
	char path[PATH_MAX];

	clock_gettime(CLOCK_REALTIME, &t->ended_at);
	if (!t->status_known)
		t->status_known = sp_guard_exit_status(&t->status, t->pidfd);
	t->with_agent |= sp_guard_spool(t, path);
	t->killed_for_memory = was_killed_for_memory(t);
	t->ended = true;
	t->report_wanted = !t->by_name || t->event_count || t->killed_for_memory;
	t->done = !t->report_wanted;
	tell_end(t);
	sp_guard_jobs_hurry(t);
	sp_guard_state_drop(t);
}
