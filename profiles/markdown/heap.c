/* `# Heap Profile`. */
#include "profiles/markdown/writer.h"

#include <stdio.h>
#include <stdlib.h>

#include "profiles/model/heap.h"
#include "profiles/model/merge.h"
#include "profiles/model/rank.h"

typedef uint64_t site_value(const struct sp_profile *p, size_t i);

static uint64_t inuse_bytes(const struct sp_profile *p, size_t i)
{
	return p->sites[i].inuse_bytes;
}

static uint64_t peak_bytes(const struct sp_profile *p, size_t i)
{
	return p->sites[i].peak_bytes;
}

static uint64_t alloc_bytes(const struct sp_profile *p, size_t i)
{
	return p->sites[i].alloc_bytes;
}

static uint64_t short_bytes(const struct sp_profile *p, size_t i)
{
	return p->sites[i].short_bytes;
}

/* A hundredth of the heap at least, so that trifles are no suspects. */
static uint64_t suspect_bytes(const struct sp_profile *p, size_t i)
{
	uint64_t leaked = sp_heap_leaked(&p->sites[i]);

	return leaked >= p->snapshot->header.heap.inuse_bytes / 100 ? leaked : 0;
}

struct site_table {
	const char *title, *note;
	const char *more_titles; /* further columns, each "name |" */
	void (*more)(struct sp_writer *w, const struct sp_heap_site *s);
	site_value *bytes;
	uint64_t (*count)(const struct sp_heap_site *s);
	double (*variance)(const struct sp_heap_site *s);
	uint64_t (*samples)(const struct sp_heap_site *s);
	uint64_t whole;
};

static uint64_t inuse_count(const struct sp_heap_site *s)
{
	return s->inuse_count;
}

static uint64_t peak_count(const struct sp_heap_site *s)
{
	return s->peak_count;
}

static uint64_t alloc_count(const struct sp_heap_site *s)
{
	return s->alloc_count;
}

static uint64_t short_count(const struct sp_heap_site *s)
{
	return s->short_count;
}

static uint64_t all_samples(const struct sp_heap_site *s)
{
	return s->samples;
}

static uint64_t inuse_samples(const struct sp_heap_site *s)
{
	return s->inuse_samples;
}

static double leaked_variance(const struct sp_heap_site *s)
{
	return s->inuse_bytes ? s->inuse_variance * (double)sp_heap_leaked(s) / (double)s->inuse_bytes : 0;
}

static double alloc_variance(const struct sp_heap_site *s)
{
	return s->alloc_variance;
}

static double short_variance(const struct sp_heap_site *s)
{
	return s->alloc_bytes ? s->alloc_variance * (double)s->short_bytes / (double)s->alloc_bytes : 0;
}

/* An estimate may be larger than the exact figure; then it is no share of it. */
static double share_of(uint64_t bytes, uint64_t whole)
{
	return sp_percent(bytes < whole ? bytes : whole, whole);
}

static void put_amount(struct sp_writer *w, uint64_t bytes, uint64_t count, uint64_t whole)
{
	sp_buffer_printf(&w->out, "| %.1f%% | ", share_of(bytes, whole));
	sp_put_size(&w->out, bytes);
	sp_buffer_printf(&w->out, " | %llu | ", (unsigned long long)count);
}

static void write_site(struct sp_writer *w, const struct site_table *t, uint32_t index)
{
	const struct sp_profile *p = w->profile;
	const struct sp_heap_site *s = &p->sites[index];
	const struct sp_function *f = &p->functions[s->function];
	uint64_t bytes = t->bytes(p, index), samples = t->samples(s);
	double error = sp_heap_error(t->variance(s), samples);

	put_amount(w, bytes, t->count(s), t->whole);
	sp_escape_name(&w->out, SP_ESCAPE_CELL, f->name);
	sp_buffer_puts(&w->out, " | ");
	if (s->file)
		sp_put_location(&w->out, SP_ESCAPE_CELL, p, s->file, s->line);
	else
		sp_put_function_location(&w->out, SP_ESCAPE_CELL, p, f);
	sp_buffer_puts(&w->out, " | ");
	if (sp_heap_is_rough(bytes, error, samples))
		sp_put_rough(&w->out, samples);
	else
		sp_put_size(&w->out, sp_whole(error));
	sp_buffer_puts(&w->out, " | ");
	sp_put_module(&w->out, SP_ESCAPE_CELL, p, f->module);
	sp_buffer_puts(&w->out, " |");
	if (t->more)
		t->more(w, s);
	sp_buffer_puts(&w->out, "\n");
}

/* When what is still there was allocated, and how long the oldest of it has been. */
static void put_births(struct sp_writer *w, const struct sp_heap_site *s)
{
	double values[SP_RUN_PARTS], most = 0;

	for (unsigned i = 0; i < SP_RUN_PARTS; i++) {
		values[i] = (double)s->births.bytes[i];
		most = values[i] > most ? values[i] : most;
	}
	sp_buffer_puts(&w->out, " ");
	if (s->births.first_ns < w->profile->wall_ns)
		sp_put_duration(&w->out, w->profile->wall_ns - s->births.first_ns);
	sp_buffer_puts(&w->out, " | ");
	if (most > 0)
		sp_put_bars(&w->out, values, SP_RUN_PARTS, most);
	sp_buffer_puts(&w->out, " |");
}

static void put_temporary(struct sp_writer *w, const struct sp_heap_site *s)
{
	sp_buffer_printf(&w->out, " %.1f%% |", sp_percent(s->temp_bytes, s->short_bytes));
}

static void write_before(struct sp_writer *w, const struct site_table *t)
{
	const struct sp_heap_totals *heap = &w->profile->snapshot->header.heap;

	if (t->bytes != alloc_bytes)
		return;
	if (heap->before_bytes) {
		put_amount(w, heap->before_bytes, heap->before_count, t->whole);
		sp_buffer_puts(&w->out, "[before sampling] |  | 0 |  |\n");
	}
	if (heap->stopped_bytes) {
		put_amount(w, heap->stopped_bytes, heap->stopped_count, t->whole);
		sp_buffer_puts(&w->out, "[unsampled] |  | 0 |  |\n");
	}
}

static void write_sites(struct sp_writer *w, const struct site_table *t)
{
	const struct sp_profile *p = w->profile;
	size_t count, shown;
	uint32_t *order = sp_rank(p->site_count, &count, t->bytes, p);

	shown = count < w->limits.sites ? count : w->limits.sites;
	if (count) {
		sp_buffer_printf(&w->out, "## %s\n\n%s", t->title, t->note);
		sp_buffer_printf(&w->out,
			"| %% | Bytes | Count | Function | Location | ± | Module |%s\n"
			"|---:|---:|---:|:---|:---|---:|:---|%s\n",
			t->more_titles ? t->more_titles : "",
			t->more == put_births ? "---:|:---|"
				: t->more     ? "---:|"
					      : "");
		for (size_t i = 0; i < shown; i++)
			write_site(w, t, order[i]);
		write_before(w, t);
		sp_put_cut(&w->out, shown, count, "sites", "All heap sites");
		sp_buffer_puts(&w->out, "\n");
	}
	free(order);
}

/* The sampled part may be the one that stays, and the rest may all be freed. */
static void write_no_suspects(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;

	sp_buffer_printf(&w->out,
		"## Leak Suspects\n\nLeaks cannot be judged: %.1f %% of the bytes were allocated before sampling "
		"began.\n\n",
		sp_percent(p->snapshot->header.heap.before_bytes, p->heap_allocated_bytes));
}

static void write_size_classes(struct sp_writer *w)
{
	const struct sp_heap_totals *heap = &w->profile->snapshot->header.heap;
	uint64_t whole = 0;

	if (sp_put_written(w, "## Size Classes", "#"))
		return;
	for (unsigned i = 0; i < SP_SIZE_CLASSES; i++)
		whole += heap->class_bytes[i];
	if (!whole)
		return;
	sp_buffer_puts(&w->out, "## Size Classes\n\n");
	if (sp_heap_is_rough(whole, sp_heap_total_error(w->profile, alloc_variance), heap->samples)) {
		sp_buffer_puts(&w->out, "Estimates, ");
		sp_put_rough(&w->out, heap->samples);
		sp_buffer_puts(&w->out, ".\n\n");
	}
	sp_buffer_puts(&w->out, "| Up to | % | Bytes | Count |\n|---:|---:|---:|---:|\n");
	for (unsigned i = 0; i < SP_SIZE_CLASSES; i++) {
		if (!heap->class_bytes[i] && !heap->class_count[i])
			continue;
		sp_buffer_puts(&w->out, "| ");
		sp_put_size(&w->out, 1ULL << i);
		sp_buffer_puts(&w->out, " ");
		put_amount(w, heap->class_bytes[i], heap->class_count[i], whole);
		w->out.length--; /* the blank before a next cell */
		sp_buffer_puts(&w->out, "\n");
	}
	sp_buffer_puts(&w->out, "\n");
}

/* count: NULL, none. */
static void write_row(struct sp_writer *w, const char *what, uint64_t bytes, const uint64_t *count)
{
	sp_buffer_printf(&w->out, "| %s | ", what);
	sp_put_size(&w->out, bytes);
	if (count)
		sp_buffer_printf(&w->out, " | %llu |\n", (unsigned long long)*count);
	else
		sp_buffer_puts(&w->out, " | |\n");
}

static void write_known_row(struct sp_writer *w, const char *what, uint64_t bytes)
{
	if (bytes)
		write_row(w, what, bytes, NULL);
}

static void write_peak(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_heap_totals *heap = &p->snapshot->header.heap;
	char what[64];

	if (p->process_count) {
		write_row(w, "In use at the peak of each process, added up", heap->peak_bytes, NULL);
		write_row(w, "At most, in processes alive together", sp_processes_peak_together(p), NULL);
	} else if (!p->is_window) {
		snprintf(what, sizeof(what), "In use at peak (at %.2f s)", (double)heap->peak_time_ns / 1e9);
		write_row(w, what, heap->peak_bytes, NULL);
	}
}

static void write_allocator(struct sp_writer *w)
{
	const struct sp_spool_header *h = &w->profile->snapshot->header;
	const struct sp_allocator_totals *a = &h->allocator;

	if (a->asked) {
		write_known_row(w, "Allocator: allocated", a->allocated_bytes);
		write_known_row(w, "Allocator: active", a->active_bytes);
		write_known_row(w, "Allocator: resident", a->resident_bytes);
		write_known_row(w, "Allocator: retained", a->retained_bytes);
	}
	if (h->rss_bytes > h->heap.inuse_bytes && !w->profile->is_window)
		write_known_row(w, "RSS at end beyond what is in use", h->rss_bytes - h->heap.inuse_bytes);
}

#define GAP_BYTES (32u << 20)
#define GAP_PERCENT 30

static const char *advice(uint32_t allocator)
{
	switch (allocator) {
	case SP_ALLOCATOR_GLIBC:
		return "fewer arenas (`MALLOC_ARENA_MAX=2`), `malloc_trim(0)` after a peak, or another allocator may "
		       "give "
		       "it back: compare with `smartprof run --allocator jemalloc`";
	case SP_ALLOCATOR_JEMALLOC:
		return "a shorter decay (`MALLOC_CONF=dirty_decay_ms:1000,muzzy_decay_ms:0`) or fewer arenas "
		       "(`narenas:2`) may give it back";
	case SP_ALLOCATOR_TCMALLOC:
		return "`TCMALLOC_RELEASE_RATE=10`, or a smaller `TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES`, may give it "
		       "back";
	case SP_ALLOCATOR_MIMALLOC:
		return "`MIMALLOC_PAGE_RESET=1` with a short `MIMALLOC_RESET_DELAY` may give it back";
	default:
		return "another allocator may do better: compare with `smartprof run --allocator jemalloc`";
	}
}

/* Memory the process has that no allocation of its own is in: said where it is much, and who has it where
 * the allocator has told. */
static void write_gap(struct sp_writer *w)
{
	const struct sp_spool_header *h = &w->profile->snapshot->header;
	const struct sp_allocator_totals *a = &h->allocator;
	uint64_t inuse = h->heap.inuse_bytes, gap = h->rss_bytes > inuse ? h->rss_bytes - inuse : 0;
	uint64_t held = a->resident_bytes ? a->resident_bytes : a->active_bytes;
	uint64_t kept = (held < h->rss_bytes ? held : h->rss_bytes) - inuse; /* meaningless without a gap */

	if (w->profile->is_window || gap <= GAP_BYTES || gap <= h->rss_bytes / 100 * GAP_PERCENT)
		return;
	sp_put_size(&w->out, gap);
	sp_buffer_printf(&w->out, " of the %.0f MiB resident at the end (%.0f %%) hold no allocation of the program",
		(double)h->rss_bytes / (1 << 20), sp_percent(gap, h->rss_bytes));
	if (!a->asked) {
		sp_buffer_printf(&w->out,
			": freed memory the allocator has kept, code, stacks, mapped files. If it is the "
			"allocator's, %s.\n\n",
			advice(a->asked));
	} else if (held > inuse && kept > gap / 2) {
		sp_buffer_puts(&w->out, "; the allocator keeps about ");
		sp_put_size(&w->out, kept);
		sp_buffer_printf(&w->out, " of it: %s.\n\n", advice(a->asked));
	} else {
		sp_buffer_puts(&w->out,
			", and most of it is not the allocator's: code, stacks, mapped files, or memory "
			"the program has mapped itself.\n\n");
	}
}

static void write_summary(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_spool_header *h = &p->snapshot->header;

	if (sp_put_written(w, "# Heap Profile", "#"))
		return;
	sp_buffer_puts(&w->out, "# Heap Profile\n\n| | Bytes | Count |\n|:---|---:|---:|\n");
	write_row(w, p->is_window ? "Allocated in the window, in use at its end" : "In use at end", h->heap.inuse_bytes,
		&h->heap.inuse_count);
	write_peak(w);
	write_row(w, "Allocated", p->heap_allocated_bytes, &p->heap_allocations);
	sp_buffer_printf(&w->out, "| Frees | | %llu |\n", (unsigned long long)p->heap_frees);
	if (!p->process_count)
		sp_buffer_printf(&w->out, "| Reallocs | | %llu |\n", (unsigned long long)p->heap_reallocs);
	write_known_row(w, "RSS at end", h->rss_bytes);
	write_known_row(w, p->process_count ? "RSS at peak, of one process" : "RSS at peak", p->max_rss_bytes);
	write_allocator(w);
	sp_buffer_puts(&w->out, "\nIn use (");
	sp_put_heap_total(&w->out, p, h->heap.inuse_bytes, sp_heap_inuse_error(p));
	if (!p->is_window) {
		sp_buffer_puts(&w->out, ") and at peak (");
		sp_put_heap_total(&w->out, p, h->heap.peak_bytes, sp_heap_peak_error(p));
	}
	sp_buffer_printf(&w->out, ") %s;", p->is_window ? "is an estimate from samples" : "are estimates from samples");
	sp_buffer_puts(&w->out, " allocated bytes and the counts of allocations and frees are exact");
	if (p->heap_allocations > p->heap_frees && !p->is_window)
		sp_buffer_printf(&w->out, ": by these %llu blocks were in use at the end",
			(unsigned long long)(p->heap_allocations - p->heap_frees));
	sp_buffer_puts(&w->out, ".\n\n");
	write_gap(w);
}

void sp_write_heap(struct sp_writer *w)
{
	const struct sp_profile *p = w->profile;
	const struct sp_heap_totals *heap = &p->snapshot->header.heap;
	/* Processes that were added up have no common run that births could be parts of. */
	const char *births = p->process_count ? NULL : " Oldest | Born (start to end of the run) |";
	const struct site_table tables[] = {
		{"Heap Sites (In Use)", "", births, births ? put_births : NULL, inuse_bytes, inuse_count,
			sp_inuse_variance, inuse_samples, heap->inuse_bytes},
		{"Heap Sites (At Peak)", "", NULL, NULL, peak_bytes, peak_count, sp_peak_variance, all_samples,
			heap->peak_bytes},
		{"Heap Sites (Allocated)", "", NULL, NULL, alloc_bytes, alloc_count, alloc_variance, all_samples,
			p->heap_allocated_bytes},
		{"Leak Suspects",
			"These sites left blocks behind all through the run; counted are blocks that are still in use "
			"and older than its last tenth. smartprof cannot see whether the program could still reach "
			"them: a cache that "
			"grows, "
			"or data kept to the end by design, looks the same.\n\n",
			births, births ? put_births : NULL, suspect_bytes, sp_heap_leaked_count, leaked_variance,
			inuse_samples, heap->inuse_bytes},
		{"Short-Lived Allocations",
			"These blocks were freed within a millisecond, or before their thread had allocated eight "
			"times more; % is of all allocated bytes. Temporary is the part that was freed before the "
			"thread's next allocation.\n\n",
			" Temporary |", put_temporary, short_bytes, short_count, short_variance, all_samples,
			p->heap_allocated_bytes},
	};
	size_t from;

	if (!p->heap_on)
		return;
	from = w->out.length;
	write_summary(w);
	if (p->is_window)
		sp_write_growth(w);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (p->is_window && tables[i].bytes == peak_bytes)
			continue;
		else if (tables[i].bytes == suspect_bytes && sp_heap_mostly_before(p))
			write_no_suspects(w);
		else
			write_sites(w, &tables[i]);
	sp_put_hash_note(&w->out, from);
	write_size_classes(w);
	sp_write_heap_tree(w);
}
