/* `# Marks`: moments that the process has marked, and what the heap grew by between them. */
#include "profiles/model/marks.h"

#include "profiles/markdown/writer.h"

static void put_most(struct sp_writer *w, const struct sp_mark_info *m)
{
	const struct sp_profile *p = w->profile;
	double gained = (double)m->growth_bytes;

	if (m->function == UINT32_MAX || m->growth_error >= gained)
		return;
	if ((double)m->most_bytes <= gained) {
		sp_buffer_printf(&w->out, "%.0f %% ± %.0f: ", 100 * (double)m->most_bytes / gained,
			100 * m->most_error / gained);
	} else { /* others shrank */
		sp_put_growth(&w->out, (double)m->most_bytes);
		sp_buffer_puts(&w->out, " ± ");
		sp_put_size(&w->out, sp_whole(m->most_error));
		sp_buffer_puts(&w->out, ": ");
	}
	sp_escape_name(&w->out, SP_ESCAPE_CELL, p->functions[m->function].name);
}

static void write_row(struct sp_writer *w, const struct sp_mark_info *m)
{
	const struct sp_mark *mark = m->mark;

	sp_buffer_puts(&w->out, "| ");
	sp_escape_name(&w->out, SP_ESCAPE_CELL, m->label);
	sp_buffer_printf(&w->out, " | %.3f s | ", (double)mark->t_ns / 1e9);
	if (mark->memory_bytes)
		sp_put_size(&w->out, mark->memory_bytes);
	if (!w->profile->heap_on) {
		sp_buffer_puts(&w->out, " | | | | | |\n");
		return;
	}
	sp_buffer_puts(&w->out, " | ");
	sp_put_size(&w->out, (int64_t)mark->heap.inuse_bytes > 0 ? mark->heap.inuse_bytes : 0);
	sp_buffer_puts(&w->out, " | ");
	sp_put_size(&w->out, sp_whole(m->inuse_error));
	sp_buffer_puts(&w->out, " | ");
	sp_put_growth(&w->out, (double)m->growth_bytes);
	sp_buffer_puts(&w->out, " | ");
	sp_put_size(&w->out, sp_whole(m->growth_error));
	sp_buffer_puts(&w->out, " | ");
	put_most(w, m);
	sp_buffer_puts(&w->out, " |\n");
}

void sp_write_marks(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;

	if (sp_put_written(w, "# Marks", "# ") || !p->mark_count)
		return;
	sp_buffer_puts(&w->out,
		"# Marks\n\nMemory is what counts against a limit: anonymous, swapped out, and in huge pages. Growth "
		"is that "
		"of the heap since the mark before, of the first one since the start, and the place is the one that it "
		"is "
		"mostly from. While there is the spool, smartprof report --at MARK shows the process as it was at a "
		"mark, "
		"and --since MARK what happened afterwards.\n\n"
		"| Mark | At | Memory | Heap | ± | Growth | ± | Mostly from |\n"
		"|:---|---:|---:|---:|---:|---:|---:|:---|\n");
	for (size_t i = 0; i < p->mark_count; i++)
		write_row(w, &p->marks[i]);
	sp_buffer_puts(&w->out, "\n");
}
