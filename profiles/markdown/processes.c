/* `# Processes` of a merged profile: what each used, what they did, who waited for whom; and the sections that such a profile has
 * instead of a single one's. */
#include "profiles/markdown/writer.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/markdown/what.h"
#include "profiles/model/critical.h"
#include "profiles/model/heap.h"
#include "profiles/model/merge.h"
#include "profiles/model/rank.h"

#define WAITS_SHOWN 25u

static uint64_t used_ns(const struct sp_member *process)
{
	return process->cpu_user_ns + process->cpu_sys_ns;
}

static uint64_t rank_process(const struct sp_profile *p, size_t i)
{
	return used_ns(&p->processes[i]) + 1;
}

static void put_cell(struct sp_writer *w, const char *text)
{
	sp_escape_name(&w->out, SP_ESCAPE_CELL, text);
	sp_buffer_puts(&w->out, " | ");
}

static void write_process(struct sp_writer *w, const struct sp_member *process, const char *what)
{
	const struct sp_profile *p = w->profile;

	sp_buffer_printf(&w->out, "| %.1f%% | ", sp_percent(used_ns(process), p->cpu_user_ns + p->cpu_sys_ns));
	sp_put_duration(&w->out, used_ns(process));
	sp_buffer_puts(&w->out, " | ");
	sp_put_duration(&w->out, process->wall_ns);
	sp_buffer_puts(&w->out, " | ");
	sp_put_size(&w->out, process->peak_bytes);
	sp_buffer_puts(&w->out, " | ");
	put_cell(w, process->program);
	put_cell(w, what);
	sp_buffer_printf(&w->out, "%d | ", process->pid);
	put_cell(w, process->exit);
	sp_escape(&w->out, SP_ESCAPE_CELL, process->profile, strlen(process->profile));
	sp_buffer_puts(&w->out, " |\n");
}

/* --- by program */

struct program {
	const char *name;
	size_t count;
	uint64_t cpu_ns, longest_ns, peak_bytes;
};

static int by_cpu(const void *a, const void *b)
{
	const struct program *x = a, *y = b;

	if (x->cpu_ns != y->cpu_ns)
		return x->cpu_ns > y->cpu_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

static struct program *add_programs(const struct sp_profile *p, size_t *count)
{
	struct program *programs = sp_alloc(p->process_count, sizeof(*programs));
	struct sp_names names = {0};

	*count = 0;
	for (size_t i = 0; i < p->process_count; i++) {
		const struct sp_member *process = &p->processes[i];
		struct program *at = &programs[sp_names_id(&names, process->program)];

		*count += !at->count++;
		at->name = process->program;
		at->cpu_ns += used_ns(process);
		at->longest_ns = process->wall_ns > at->longest_ns ? process->wall_ns : at->longest_ns;
		at->peak_bytes = process->peak_bytes > at->peak_bytes ? process->peak_bytes : at->peak_bytes;
	}
	sp_names_free(&names);
	qsort(programs, *count, sizeof(*programs), by_cpu);
	return programs;
}

static void write_programs(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count, shown;
	struct program *programs = add_programs(p, &count);

	shown = count < w->limits.modules ? count : w->limits.modules;
	sp_buffer_puts(&w->out,
		"## Programs\n\n| CPU% | CPU | Processes | Program | Longest wall | Largest peak heap |\n"
		"|---:|---:|---:|:---|---:|---:|\n");
	for (size_t i = 0; i < shown; i++) {
		sp_buffer_printf(&w->out, "| %.1f%% | ",
			sp_percent(programs[i].cpu_ns, p->cpu_user_ns + p->cpu_sys_ns));
		sp_put_duration(&w->out, programs[i].cpu_ns);
		sp_buffer_printf(&w->out, " | %zu | ", programs[i].count);
		put_cell(w, programs[i].name);
		sp_put_duration(&w->out, programs[i].longest_ns);
		sp_buffer_puts(&w->out, " | ");
		sp_put_size(&w->out, programs[i].peak_bytes);
		sp_buffer_puts(&w->out, " |\n");
	}
	sp_put_cut(&w->out, shown, count, "programs", "All processes");
	sp_buffer_puts(&w->out, "\n");
	free(programs);
}

/* --- the critical path */

static int by_length(const void *a, const void *b)
{
	const struct sp_wait *x = *(const struct sp_wait *const *)a, *y = *(const struct sp_wait *const *)b;
	uint64_t of_x = x->to_ns - x->from_ns, of_y = y->to_ns - y->from_ns;

	return of_x != of_y ? (of_x > of_y ? -1 : 1) : x < y ? -1 : x > y;
}

/* The shortest step that is shown. */
static uint64_t shown_ns(const struct sp_wait *waits, size_t count)
{
	const struct sp_wait **order = sp_alloc(count, sizeof(*order));
	uint64_t least = 0;

	for (size_t i = 0; i < count; i++)
		order[i] = &waits[i];
	qsort(order, count, sizeof(*order), by_length);
	if (count > WAITS_SHOWN)
		least = order[WAITS_SHOWN - 1]->to_ns - order[WAITS_SHOWN - 1]->from_ns;
	free(order);
	return least;
}

static const char *waited_program(const struct sp_profile *p, const struct sp_wait *wait)
{
	return wait->process == SP_NO_PROCESS ? "(no profile)" : p->processes[wait->process].program;
}

static const char *waited_what(const struct sp_writer *w, const struct sp_wait *wait)
{
	return wait->process == SP_NO_PROCESS ? "" : w->sums.what.of[wait->process];
}

/* "cc1 41.0 s (77 %), make 3.1 s (6 %)" */
static void put_waited_programs(struct sp_writer *w, uint64_t whole)
{
	const struct sp_profile *p = w->profile;
	const struct sp_wait *waits = w->sums.waits;
	struct program *programs = sp_alloc(p->process_count + 1, sizeof(*programs));
	struct sp_names names = {0};
	size_t n = 0;

	for (size_t i = 0; i < w->sums.wait_count; i++) {
		const char *name = waited_program(p, &waits[i]);
		struct program *at = &programs[sp_names_id(&names, name)];

		n += !at->count++;
		at->name = name;
		at->cpu_ns += waits[i].to_ns - waits[i].from_ns;
	}
	sp_names_free(&names);
	qsort(programs, n, sizeof(*programs), by_cpu);
	for (size_t i = 0; i < n && i < 5; i++) {
		sp_buffer_puts(&w->out, i ? ", " : "");
		sp_escape_name(&w->out, SP_ESCAPE_CELL, programs[i].name);
		sp_buffer_puts(&w->out, " ");
		sp_put_duration(&w->out, programs[i].cpu_ns);
		sp_buffer_printf(&w->out, " (%.0f %%)", sp_percent(programs[i].cpu_ns, whole));
	}
	free(programs);
}

static void write_wait(struct sp_writer *w, const struct sp_wait *wait, uint64_t begin, uint64_t whole)
{
	const struct sp_profile *p = w->profile;

	sp_buffer_puts(&w->out, "| ");
	sp_put_duration(&w->out, wait->from_ns - begin);
	sp_buffer_puts(&w->out, " | ");
	sp_put_duration(&w->out, wait->to_ns - wait->from_ns);
	sp_buffer_printf(&w->out, " | %.1f%% | ", sp_percent(wait->to_ns - wait->from_ns, whole));
	put_cell(w, waited_program(p, wait));
	put_cell(w, waited_what(w, wait));
	if (wait->process == SP_NO_PROCESS)
		sp_buffer_puts(&w->out, "|\n");
	else
		sp_buffer_printf(&w->out, "%d |\n", p->processes[wait->process].pid);
}

static void write_critical(struct sp_writer *w)
{
	const struct sp_wait *waits = w->sums.waits;
	size_t count = w->sums.wait_count, told = 0;
	uint64_t begin, end, least;

	if (!count)
		return;
	sp_processes_span(w->profile, &begin, &end);
	least = shown_ns(waits, count);
	sp_buffer_puts(&w->out,
		"## Critical Path\n\nThis is what the run waited for, found from its end backwards: the child that "
		"ended last, then the one that had ended last when that child began, and so on. The time of a process "
		"is its own or that of children without a profile. In all: ");
	put_waited_programs(w, end - begin);
	sp_buffer_puts(&w->out, ".\n\n| At | Took | % | Program | What | PID |\n|---:|---:|---:|:---|:---|---:|\n");
	for (size_t i = 0; i < count && told < WAITS_SHOWN; i++)
		if (waits[i].to_ns - waits[i].from_ns >= least && ++told)
			write_wait(w, &waits[i], begin, end - begin);
	if (told < count)
		sp_buffer_printf(&w->out, "\n… %zu shorter steps.\n", count - told);
	sp_buffer_puts(&w->out, "\n");
}

void sp_write_processes(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count, shown;
	uint32_t *order;

	if (!p->process_count)
		return;
	order = sp_rank(p->process_count, &count, rank_process, p);
	shown = count < w->limits.functions / 2 + 1 ? count : w->limits.functions / 2 + 1;
	sp_buffer_puts(&w->out,
		"# Processes\n\nThe column What holds the part of the command line in which a program's processes "
		"differ.\n\n"
		"| CPU% | CPU | Wall | Peak heap | Program | What | PID | Exit | Profile |\n"
		"|---:|---:|---:|---:|:---|:---|---:|:---|:---|\n");
	for (size_t i = 0; i < shown; i++)
		write_process(w, &p->processes[order[i]], w->sums.what.of[order[i]]);
	sp_put_cut(&w->out, shown, count, "processes", "All processes");
	sp_buffer_puts(&w->out, "\n");
	write_programs(w);
	write_critical(w);
	free(order);
}

void sp_write_all_processes(struct sp_buffer *out, const struct sp_profile *p)
{
	size_t count;
	uint32_t *order;

	if (!p->process_count)
		return;
	order = sp_rank(p->process_count, &count, rank_process, p);
	sp_buffer_printf(out,
		"## All processes "
		"(%zu)\n\n```tsv\nstarted_ns\twall_ns\tcpu_user_ns\tcpu_sys_ns\tsamples\tmax_rss_bytes\t"
		"peak_bytes\talloc_bytes\tpid\tppid\troot\tprogram\texit\ttree\tprofile\tcommand\n",
		count);
	for (size_t i = 0; i < count; i++) {
		const struct sp_member *s = &p->processes[order[i]];
		const uint64_t numbers[] = {s->start_ns, s->wall_ns, s->cpu_user_ns, s->cpu_sys_ns, s->samples,
			s->max_rss_bytes, s->peak_bytes, s->alloc_bytes, (uint64_t)s->pid, (uint64_t)s->ppid};
		const char *const texts[] = {s->program, s->exit, s->tree, s->profile, s->command};

		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			sp_buffer_printf(out, "%llu\t", (unsigned long long)numbers[k]);
		sp_buffer_puts(out, s->root ? "1" : "0");
		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
			sp_buffer_puts(out, "\t");
			sp_escape(out, SP_ESCAPE_PLAIN, texts[k], strlen(texts[k]));
		}
		sp_buffer_puts(out, "\n");
	}
	sp_buffer_puts(out, "```\n\n");
	free(order);
}

/* --- what a single profile has in another form */

static uint64_t rank_thread(const struct sp_profile *p, size_t i)
{
	return p->threads[i].cpu_user_ns + p->threads[i].cpu_sys_ns + 1;
}

void sp_write_merged_threads(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	size_t count, shown;
	uint32_t *order = sp_rank(p->thread_count, &count, rank_thread, p);

	shown = count < w->limits.threads ? count : w->limits.threads;
	sp_buffer_puts(&w->out,
		"## Threads\n\nThreads that share a name and a start function share a row.\n\n"
		"| CPU% | User | System | Samples | Thread | TID | Start | Threads | Lived | For a CPU | Blocked |\n"
		"|---:|---:|---:|---:|:---|---:|:---|---:|---:|---:|---:|\n");
	for (size_t i = 0; i < shown; i++) {
		const struct sp_thread_info *t = &p->threads[order[i]];

		sp_buffer_printf(&w->out, "| %.1f%% | ",
			sp_percent(t->cpu_user_ns + t->cpu_sys_ns, p->cpu_user_ns + p->cpu_sys_ns));
		sp_put_duration(&w->out, t->cpu_user_ns);
		sp_buffer_puts(&w->out, " | ");
		sp_put_duration(&w->out, t->cpu_sys_ns);
		sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)t->samples);
		put_cell(w, *t->name ? t->name : "short threads");
		sp_buffer_puts(&w->out, " | ");
		put_cell(w, t->start ? t->start : "");
		sp_buffer_printf(&w->out, "%llu |", (unsigned long long)t->merged);
		sp_put_thread_waiting(w, &t->waiting);
		sp_buffer_puts(&w->out, "\n");
	}
	sp_put_cut(&w->out, shown, count, "threads", "All threads");
	sp_buffer_puts(&w->out, "\n");
	free(order);
}

void sp_write_merged_memory(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_heap_totals *heap = &p->snapshot->header.heap;
	uint64_t largest = 0;

	for (size_t i = 0; i < p->process_count; i++)
		largest = p->processes[i].peak_bytes > largest ? p->processes[i].peak_bytes : largest;
	sp_buffer_puts(&w->out, "Their heaps held ");
	sp_put_heap_total(&w->out, p, heap->inuse_bytes, sp_heap_inuse_error(p));
	sp_buffer_puts(&w->out, " at their ends, out of ");
	sp_put_size(&w->out, p->heap_allocated_bytes);
	sp_buffer_puts(&w->out, " allocated; their peaks, ");
	sp_put_size(&w->out, largest);
	sp_buffer_puts(&w->out, " the largest, were not at one time, and those alive together held ");
	sp_put_size(&w->out, sp_processes_peak_together(p));
	sp_buffer_puts(&w->out, " at the most. ");
}

/* The verdict's last sentence. */
void sp_write_merged_next(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_wait *longest = NULL, *waits = w->sums.waits;

	for (size_t i = 0; i < w->sums.wait_count; i++)
		if (!longest || waits[i].to_ns - waits[i].from_ns > longest->to_ns - longest->from_ns)
			longest = &waits[i];
	if (!longest) {
		sp_buffer_puts(&w->out, "Next: Processes tells them apart, Programs adds them up.");
		return;
	}
	sp_buffer_puts(&w->out, "The run waited for: ");
	put_waited_programs(w, p->wall_ns);
	sp_buffer_puts(&w->out, "; the longest wait was ");
	sp_put_duration(&w->out, longest->to_ns - longest->from_ns);
	sp_buffer_puts(&w->out, " for ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, waited_program(p, longest));
	sp_buffer_puts(&w->out, " ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, waited_what(w, longest));
	sp_buffer_puts(&w->out, ". Next: shorten what is on the Critical Path, as the run did not wait for the rest.");
}

void sp_write_merged_quality(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	uint64_t sampled = p->sampled_user_ns + p->sampled_sys_ns;

	sp_buffer_printf(&w->out,
		"# Data Quality\n\n- This is the sum of %zu %s its own Data Quality. Times, bytes and counts add up, "
		"and so do the "
		"variances behind each ±: processes were sampled independently.\n",
		p->process_count, p->process_count == 1 ? "profile, which has" : "profiles, each of which has");
	if (p->cpu_on)
		sp_buffer_printf(&w->out,
			"- Samples stand for %.3f s of %.3f s of CPU time; [unsampled] is %.3f s (%.1f %%).\n",
			(double)sampled / 1e9, (double)(p->cpu_user_ns + p->cpu_sys_ns) / 1e9,
			(double)p->unsampled_ns / 1e9, sp_percent(p->unsampled_ns, p->total_ns));
	if (p->heap_on)
		sp_buffer_puts(&w->out,
			"- Peaks were at different times: bytes at the peak are the sum of what each process held at "
			"its own, "
			"more than was ever held at once. In use is what each held at its own end.\n");
	if (p->inputs_left_out)
		sp_buffer_printf(&w->out, "- %zu files that were to be merged could not be read and are not in it.\n",
			p->inputs_left_out);
	if (p->stacks_shortened)
		sp_buffer_printf(&w->out,
			"- Of the %zu lightest stacks only the outermost frames are kept, and [overflow] below them: "
			"there were "
			"more than a profile has room for. Functions and lines are complete.\n",
			p->stacks_shortened);
	for (size_t i = 0; i < p->module_count; i++)
		if (strstr(p->modules[i].path, " (build ")) {
			sp_buffer_puts(&w->out,
				"- Files of which different builds ran stand in a row for each build, with its "
				"build-id.\n");
			break;
		}
}
