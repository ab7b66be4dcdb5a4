/* `# Data Quality` and `# Settings`: what the numbers rest on, what is missing, what would help. */
#include "profiles/markdown/writer.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/rank.h"

/* One sentence for each kind of loss: what it means and what to do. %llu is the count. The thinning
 * at the cap on samples stands with the intervals (cost.c). */
static const char *const drop_texts[SP_DROPS] = {
	[SP_DROP_REENTRY] =
		"%llu samples fell into smartprof's own code and were left out; their time is shared out over "
		"the thread's other samples.",
	[SP_DROP_NO_THREAD] = "%llu samples hit threads that were starting or ending; their time is in [unsampled].",
	[SP_DROP_STACKS] =
		"%llu samples found no room for another stack and are counted in [overflow]; sample less often "
		"(SMARTPROF_CPU_SAMPLING_INTERVAL, SMARTPROF_HEAP_INTERVAL) to have fewer different stacks.",
	[SP_DROP_FRAMES] =
		"%llu samples found no room for another stack's frames and are counted in [overflow]; sample less "
		"often (SMARTPROF_CPU_SAMPLING_INTERVAL, SMARTPROF_HEAP_INTERVAL).",
	[SP_DROP_SITES] = "%llu heap samples found no room for another site and are counted in [overflow]; raise "
			  "SMARTPROF_HEAP_INTERVAL.",
	[SP_DROP_LIVE] =
		"%llu sampled allocations found no room among the live blocks: they count as allocated but not as "
		"in use; raise SMARTPROF_HEAP_INTERVAL.",
	[SP_DROP_MODULES] = "%llu mapped files found the module table full; their frames are bare addresses.",
	[SP_DROP_THREADS] = "%llu threads found the thread table full; their time is in the row of short threads.",
	[SP_DROP_CLOCK] =
		"%llu times a clock could not be armed for a thread (Threads tells what samples it, and what is "
		"unsampled); raise the limits on pending signals (ulimit -i), locked memory (ulimit -l) or open files "
		"(ulimit -n).",
	[SP_DROP_MARKS] = "%llu marks found no room: those moments are lost.",
	[SP_DROP_MARKED] =
		"%llu times there was no room for what a site held at a mark: what it held later is shown instead.",
};

static void add_line(struct sp_writer *w, const char *text)
{
	sp_buffer_printf(&w->out, "- %s\n", text);
}

/* Time in stacks whose walk was given up for its length. */
static uint64_t late_ns(const struct sp_snapshot *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->stack_count; i++)
		if (s->stacks[i].flags & SP_STACK_LATE)
			sum += s->stacks[i].user_ns + s->stacks[i].sys_ns;
	return sum;
}

static void write_coverage(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_spool_header *h = &p->snapshot->header;
	uint64_t sampled = p->sampled_user_ns + p->sampled_sys_ns;
	uint64_t known = sampled + h->cpu.before_user_ns + h->cpu.before_sys_ns, used = p->cpu_user_ns + p->cpu_sys_ns;

	if (!p->cpu_on)
		return;
	sp_buffer_printf(&w->out,
		"- Samples stand for %.3f s of %.3f s of CPU time; [unsampled] is %.3f s (%.1f %%): threads "
		"or moments no sample hit.\n",
		(double)sampled / 1e9, (double)used / 1e9, (double)p->unsampled_ns / 1e9,
		sp_percent(p->unsampled_ns, p->total_ns));
	if (known > used + used / 50 && known - used > 20000000)
		sp_buffer_printf(&w->out,
			"- Samples stand for %.1f %% more time than the process used: shares are right, and absolute "
			"times are too large by that much.\n",
			sp_percent(known - used, used));
	if (p->truncated_ns)
		sp_buffer_printf(&w->out,
			"- %.2f %% of the time has stacks that end early ([truncated]): deeper than %u frames, "
			"or code without unwind information.\n",
			sp_percent(p->truncated_ns, p->total_ns), SP_MAX_FRAMES);
	if (p->finished_samples)
		sp_buffer_printf(&w->out,
			"- %.2f %% of the time, %llu samples, has stacks that broke off in the program and were "
			"followed to "
			"their ends afterwards, by %llu of them that were copied.\n",
			sp_percent(p->finished_ns, p->total_ns), (unsigned long long)p->finished_samples,
			(unsigned long long)p->copies_walked);
	if (p->snapshot->copy_count && h->machine != SP_MACHINE)
		sp_buffer_printf(&w->out,
			"- %zu copies of stacks that broke off were not followed to their ends: they are of another "
			"kind of "
			"processor. The command for that one does so.\n",
			p->snapshot->copy_count);
	if (late_ns(p->snapshot))
		sp_buffer_printf(&w->out,
			"- %.2f %% of the time has stacks whose walk was given up because it took too long.\n",
			sp_percent(late_ns(p->snapshot), p->total_ns));
	if (h->cpu.lost_signals)
		sp_buffer_printf(&w->out, "- The kernel merged %llu clock signals; later samples carry their time.\n",
			(unsigned long long)h->cpu.lost_signals);
}

/* From the distribution, which keeps the symbols apart. */
static bool is_packaged(const struct sp_module_info *m)
{
	return m->system || strncmp(m->path, "/bin/", 5) == 0 || strncmp(m->path, "/sbin/", 6) == 0 ||
		(strncmp(m->path, "/usr/", 5) == 0 && strncmp(m->path, "/usr/local/", 11) != 0);
}

/* What would name a module's addresses. */
static const char *symbols_hint(const struct sp_profile *p, const struct sp_module_info *m)
{
	if (m->handle < 0 && p->modules[p->unknown_module + 1].handle >= 0)
		return "code outside of any file that the perf map does not name, such as V8's copy of its own "
		       "functions, "
		       "which node --no-short-builtin-calls avoids";
	if (m->handle < 0)
		return "code outside of any file, such as a just-in-time compiler's, which a perf map would name "
		       "(node --perf-basic-prof)";
	switch (m->source) {
	case SP_SYMBOLS_UNREADABLE:
		return "[gone], because its file could not be read";
	case SP_SYMBOLS_GONE:
		return "[gone], because its file does not exist any more: render the profile while it does";
	case SP_SYMBOLS_MISMATCH:
		return "[gone], because another build has replaced its file: render the profile before updating";
	case SP_SYMBOLS_NONE:
	case SP_SYMBOLS_DYNAMIC:
		return is_packaged(m) ? "install its -dbgsym package"
				      : "it is stripped: build without -s, or keep the debug file";
	default:
		return "its symbols do not cover these addresses";
	}
}

static uint64_t rank_unnamed(const struct sp_profile *p, size_t i)
{
	const struct sp_module_info *m = &p->modules[i];

	return m->unnamed_ns + (m->canonical == i && sp_module_is_gone(m));
}

static void put_unnamed(struct sp_writer *w, const struct sp_module_info *m)
{
	sp_buffer_printf(&w->out, "- %.1f %% of the time is in addresses of ",
		sp_percent(m->unnamed_ns, w->profile->total_ns));
	sp_escape_name(&w->out, SP_ESCAPE_CELL, m->path);
	sp_buffer_printf(&w->out, " without a name: %s.\n", symbols_hint(w->profile, m));
}

/* Modules that are gone all have their line, whatever their share. */
static void write_unnamed(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count, told = 0;
	uint32_t *order = sp_rank(p->module_count, &count, rank_unnamed, p);

	for (size_t i = 0; i < count; i++) {
		const struct sp_module_info *m = &p->modules[order[i]];
		bool much = i < 5 && sp_percent(m->unnamed_ns, p->total_ns) >= 0.5;

		if ((much || sp_module_is_gone(m)) && told++ < w->limits.notes)
			put_unnamed(w, m);
	}
	if (told > w->limits.notes)
		sp_buffer_printf(&w->out, "- … %zu more modules are [gone] or have addresses without a name.\n",
			told - w->limits.notes);
	free(order);
}

static uint64_t rank_troubled(const struct sp_profile *p, size_t i)
{
	const struct sp_module_info *m = &p->modules[i];

	return m->debug_missing || m->read_error ? 1 + m->self_ns : 0;
}

/* Names there are, but lines and inlined calls are missing, or were not read. */
static void write_trouble(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count;
	uint32_t *order = sp_rank(p->module_count, &count, rank_troubled, p);

	for (size_t i = 0; i < count && i < w->limits.notes; i++) {
		const struct sp_module_info *m = &p->modules[order[i]];

		if (m->read_error) {
			sp_buffer_puts(&w->out, "- A file that names addresses of ");
			sp_escape_name(&w->out, SP_ESCAPE_CELL, m->path);
			sp_buffer_printf(&w->out, " could not be read: %s.\n", strerror(m->read_error));
		}
		if (!m->debug_missing)
			continue;
		sp_buffer_puts(&w->out, "- Debug information of ");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, m->path);
		sp_buffer_puts(&w->out, " is missing: ");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, m->debug_missing);
		if (m->debug_missing_count > 1)
			sp_buffer_printf(&w->out, " and %zu more", m->debug_missing_count - 1);
		sp_buffer_puts(&w->out,
			"; without it inlined calls cannot be shown: keep such files where the compiler put them, or "
			"pack them into a .dwp file.\n");
	}
	free(order);
}

static void write_notes(struct sp_writer *w, const char *line)
{
	for (size_t n = 0; *line; line += *line == '\n') {
		size_t length = strcspn(line, "\n");

		if (length && n++ < w->limits.notes) {
			sp_buffer_puts(&w->out, "- ");
			sp_escape(&w->out, SP_ESCAPE_CELL, line, length < 400 ? length : 400);
			sp_buffer_puts(&w->out, "\n");
		}
		line += length;
	}
}

static void write_pauses(struct sp_writer *w)
{
	const struct sp_spool_header *h = &w->profile->snapshot->header;
	const struct sp_control *c = &h->control;

	if (!c->stopped_ns && !c->stopped)
		return;
	sp_buffer_puts(&w->out, "- Sampling was stopped, as was asked for, for ");
	sp_put_duration(&w->out, c->stopped_ns);
	sp_buffer_puts(&w->out, ": ");
	sp_put_duration(&w->out, c->stopped_cpu_ns);
	sp_buffer_puts(&w->out, " of CPU time");
	if (w->profile->heap_on) {
		sp_buffer_puts(&w->out, " and ");
		sp_put_size(&w->out, h->heap.stopped_bytes);
		sp_buffer_puts(&w->out, " that were allocated");
	}
	sp_buffer_printf(&w->out, " meanwhile are in [unsampled]%s.\n",
		w->profile->heap_on ? ", and what of that was in use is in no figure of what was in use" : "");
}

void sp_write_quality(struct sp_writer *w)
{
	const struct sp_snapshot *s = w->profile->snapshot;

	if (w->profile->process_count) {
		sp_write_merged_quality(w);
		if (w->profile->place_note)
			write_notes(w, w->profile->place_note);
		sp_buffer_puts(&w->out, "\n");
		return;
	}
	if (sp_put_written_quality(w)) {
		write_unnamed(w);
		write_trouble(w);
		sp_buffer_puts(&w->out, "\n");
		return;
	}
	sp_buffer_puts(&w->out, "# Data Quality\n\n");
	sp_write_cost(w);
	write_coverage(w);
	write_pauses(w);
	sp_write_unsampled_threads(w);
	for (size_t i = 0; i < SP_DROPS; i++) {
		if (!s->header.drops[i] || !drop_texts[i])
			continue;
		sp_buffer_puts(&w->out, "- ");
		sp_buffer_printf(&w->out, drop_texts[i], (unsigned long long)s->header.drops[i]);
		sp_buffer_puts(&w->out, "\n");
	}
	write_unnamed(w);
	write_trouble(w);
	write_notes(w, sp_snapshot_text(s, s->header.text.notes));
	if (w->profile->place_note)
		write_notes(w, w->profile->place_note);
	if (w->profile->end_unknown)
		add_line(w,
			"The process died before it recorded its end: wall time and averages end at its last sample, "
			"and the last moments may be missing.");
	else if (s->header.state == SP_STATE_RUNNING)
		add_line(w,
			"The process had not recorded its end when this was written: the last moments may be missing.");
	if (s->damaged)
		sp_buffer_printf(&w->out, "- %u damaged records of the spool were left out.\n", s->damaged);
	sp_buffer_puts(&w->out, "\n");
}

static bool is_threshold(const char *name, size_t length)
{
	static const char suffix[] = "_threshold", interval[] = "memory_check_interval";
	const size_t n = sizeof(suffix) - 1;

	return (length > n && strncmp(name + length - n, suffix, n) == 0) ||
		(length == sizeof(interval) - 1 && strncmp(name, interval, length) == 0);
}

void sp_write_settings(struct sp_writer *w)
{
	const char *line = sp_snapshot_text(w->profile->snapshot, w->profile->snapshot->header.text.settings);
	bool thresholds = false;

	if (sp_put_written(w, "# Settings", "# ") || !*line)
		return;
	sp_buffer_puts(&w->out, "# Settings\n\n| Setting | Value | Source |\n|:---|:---|:---|\n");
	for (size_t n = 0; *line && n < 100; line += *line == '\n', n++) {
		size_t length = strcspn(line, "\n"), at = 0;

		thresholds = thresholds || is_threshold(line, strcspn(line, "\t\n"));
		for (unsigned column = 0; column < 3; column++) {
			size_t field = at < length ? strcspn(line + at, "\t\n") : 0;

			sp_buffer_puts(&w->out, column ? " | " : "| ");
			sp_escape(&w->out, SP_ESCAPE_CELL, line + at, field < 300 ? field : 300);
			at = at + field < length ? at + field + 1 : length;
		}
		sp_buffer_puts(&w->out, " |\n");
		line += length;
	}
	sp_buffer_puts(&w->out, thresholds ? "\nA moment beyond a threshold is marked: see Marks.\n\n" : "\n");
}
