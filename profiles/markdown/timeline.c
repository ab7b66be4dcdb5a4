/* `# Timeline`: a bar drawing and a small table. */
#include "profiles/markdown/writer.h"

#include "profiles/model/cost.h"

#define BAR_CELLS 60u
#define TABLE_ROWS 12u

/* What happened between two timeline points; intervals are those in force at the end. */
struct slice {
	uint64_t end_ns, cpu_ns, rss_bytes, heap_bytes, cpu_interval_ns, heap_interval_bytes;
	double cores;
};

static uint64_t cpu_ns(const struct sp_timepoint *t)
{
	return t->user_ns + t->sys_ns;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* No interval has more CPU time than its cores could give. The kernel brings what a thread on another processor has used
 * up to date at ticks alone, and who takes a point may be preempted between the clock and the count: what is too much
 * for an interval was used in those before. */
static void spread(struct slice *slices, size_t n, double cores)
{
	for (size_t i = n; i-- > 1;) {
		uint64_t span = later(slices[i].end_ns, slices[i - 1].end_ns), most = sp_whole(cores * (double)span);
		uint64_t excess = later(slices[i].cpu_ns, most);

		slices[i].cpu_ns -= excess;
		slices[i - 1].cpu_ns += excess;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t span = i ? later(slices[i].end_ns, slices[i - 1].end_ns) : slices[i].end_ns;

		slices[i].cores = span ? (double)slices[i].cpu_ns / (double)span : 0;
	}
}

/* Cores that the process can have had at any moment: a quota, which is seldom a whole number, lets it have all for a
 * while. */
static double most_cores(const struct sp_spool_header *h)
{
	if (h->usable_millicores && h->usable_millicores % 1000 == 0)
		return (double)h->usable_millicores / 1e3;
	return h->host_cores ? h->host_cores : 1e6;
}

/* Cuts the timeline into `slices` of about equally many points; returns how many there are. */
static size_t cut(const struct sp_snapshot *s, struct slice *slices, size_t most)
{
	size_t n = s->timeline_count < most ? s->timeline_count : most, from = 0;
	struct sp_timepoint last = {0};

	for (size_t i = 0; i < n; i++) {
		size_t to = (i + 1) * s->timeline_count / n;
		struct slice *out = &slices[i];

		*out = (struct slice){.end_ns = s->timeline[to - 1].t_ns,
			.cpu_interval_ns = s->timeline[to - 1].cpu_interval_ns,
			.heap_interval_bytes = s->timeline[to - 1].heap_interval_bytes};
		for (; from < to; from++) {
			const struct sp_timepoint *t = &s->timeline[from];

			out->rss_bytes = t->rss_bytes > out->rss_bytes ? t->rss_bytes : out->rss_bytes;
			out->heap_bytes = t->heap_inuse_bytes > out->heap_bytes ? t->heap_inuse_bytes : out->heap_bytes;
		}
		out->cpu_ns = later(cpu_ns(&s->timeline[to - 1]), cpu_ns(&last));
		last = s->timeline[to - 1];
	}
	spread(slices, n, most_cores(&s->header));
	return n;
}

static double cores_of(const struct slice *s)
{
	return s->cores;
}

static double rss_of(const struct slice *s)
{
	return (double)s->rss_bytes;
}

static double heap_of(const struct slice *s)
{
	return (double)s->heap_bytes;
}

static double write_bar(struct sp_buffer *out, const char *label, const struct slice *slices, size_t n,
	double (*value)(const struct slice *))
{
	double values[BAR_CELLS], most = 0;

	for (size_t i = 0; i < n; i++) {
		values[i] = value(&slices[i]);
		most = values[i] > most ? values[i] : most;
	}
	if (most <= 0)
		return 0;
	sp_buffer_puts(out, label);
	sp_put_bars(out, values, n, most);
	return most;
}

static void write_bars(struct sp_writer *w, const struct slice *slices, size_t n)
{
	double most;

	sp_buffer_puts(&w->out, "```text\n");
	most = write_bar(&w->out, "CPU  ", slices, n, cores_of);
	if (most > 0)
		sp_buffer_printf(&w->out, "  at most %.2f cores\n", most);
	most = write_bar(&w->out, "RSS  ", slices, n, rss_of);
	if (most > 0) {
		sp_buffer_puts(&w->out, "  at most ");
		sp_put_size(&w->out, sp_whole(most));
		sp_buffer_puts(&w->out, "\n");
	}
	most = write_bar(&w->out, "Heap ", slices, n, heap_of);
	if (most > 0) {
		sp_buffer_puts(&w->out, "  at most ");
		sp_put_size(&w->out, sp_whole(most));
		sp_buffer_puts(&w->out, "\n");
	}
	sp_buffer_puts(&w->out, "```\n\n");
}

static void write_table(struct sp_writer *w, const struct slice *slices, size_t n)
{
	sp_buffer_puts(&w->out,
		"| Until | CPU cores | CPU | RSS bytes | Heap in use bytes | CPU interval µs | Heap interval bytes |\n"
		"|---:|---:|---:|---:|---:|---:|---:|\n");
	for (size_t i = 0; i < n; i++) {
		sp_buffer_printf(&w->out, "| %.2f s | %.2f | ", (double)slices[i].end_ns / 1e9, slices[i].cores);
		sp_put_duration(&w->out, slices[i].cpu_ns);
		sp_buffer_printf(&w->out, " | %llu | %llu | ", (unsigned long long)slices[i].rss_bytes,
			(unsigned long long)slices[i].heap_bytes);
		if (w->profile->cpu_on)
			sp_buffer_printf(&w->out, "%.0f",
				(double)sp_cost_interval_ns(w->profile, slices[i].cpu_interval_ns) / 1e3);
		sp_buffer_puts(&w->out, " | ");
		if (w->profile->heap_on)
			sp_buffer_printf(&w->out, "%llu", (unsigned long long)slices[i].heap_interval_bytes);
		sp_buffer_puts(&w->out, " |\n");
	}
	sp_buffer_puts(&w->out, "\n");
}

void sp_write_timeline(struct sp_writer *w)
{
	const struct sp_snapshot *s = w->profile->snapshot;
	struct slice slices[BAR_CELLS];
	size_t n;

	if (s->timeline_count < 2)
		return;
	sp_buffer_puts(&w->out, "# Timeline\n\n");
	n = cut(s, slices, BAR_CELLS);
	write_bars(w, slices, n);
	n = cut(s, slices, TABLE_ROWS);
	write_table(w, slices, n);
}
