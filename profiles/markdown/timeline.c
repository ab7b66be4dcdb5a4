/* `# Timeline`: a bar drawing and a small table. */
#include "profiles/markdown/writer.h"

#include "profiles/model/cost.h"
#include "profiles/model/timeline.h"

#define BAR_CELLS 60u
#define TABLE_ROWS 12u

static double cores_of(const struct sp_slice *s)
{
	return s->cores;
}

static double rss_of(const struct sp_slice *s)
{
	return (double)s->rss_bytes;
}

static double heap_of(const struct sp_slice *s)
{
	return (double)s->heap_bytes;
}

static double write_bar(struct sp_buffer *out, const char *label, const struct sp_slice *slices, size_t n,
	double (*value)(const struct sp_slice *))
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

static void write_bars(struct sp_writer *w, const struct sp_slice *slices, size_t n)
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

static void write_table(struct sp_writer *w, const struct sp_slice *slices, size_t n)
{
	sp_buffer_puts(&w->out,
		"| Until | CPU cores | CPU | RSS | Heap in use | CPU interval µs | Heap interval |\n"
		"|---:|---:|---:|---:|---:|---:|---:|\n");
	for (size_t i = 0; i < n; i++) {
		sp_buffer_printf(&w->out, "| %.2f s | %.2f | ", (double)slices[i].end_ns / 1e9, slices[i].cores);
		sp_put_duration(&w->out, slices[i].cpu_ns);
		sp_buffer_puts(&w->out, " | ");
		sp_put_size(&w->out, slices[i].rss_bytes);
		sp_buffer_puts(&w->out, " | ");
		sp_put_size(&w->out, slices[i].heap_bytes);
		sp_buffer_puts(&w->out, " | ");
		if (w->profile->cpu_on)
			sp_buffer_printf(&w->out, "%.0f",
				(double)sp_cost_interval_ns(w->profile, slices[i].cpu_interval_ns) / 1e3);
		sp_buffer_puts(&w->out, " | ");
		if (w->profile->heap_on)
			sp_put_size(&w->out, slices[i].heap_interval_bytes);
		sp_buffer_puts(&w->out, " |\n");
	}
	sp_buffer_puts(&w->out, "\n");
}

void sp_write_timeline(struct sp_writer *w)
{
	const struct sp_snapshot *s = w->profile->snapshot;
	struct sp_slice slices[BAR_CELLS];
	size_t n;

	if (sp_put_written(w, "# Timeline", "# ") || s->timeline_count < 2)
		return;
	sp_buffer_puts(&w->out, "# Timeline\n\n");
	n = sp_timeline_cut(s, slices, BAR_CELLS);
	write_bars(w, slices, n);
	n = sp_timeline_cut(s, slices, TABLE_ROWS);
	write_table(w, slices, n);
}
