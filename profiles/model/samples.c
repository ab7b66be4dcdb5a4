/* The log of samples by slice and thread. */
#include "profiles/model/samples.h"

#include <stdlib.h>

#include "profiles/model/folded.h"

/* Runs there is room for: as many, or so many for each stack. */
#define RUNS_MOST 8192u
#define RUNS_A_STACK 2u
#define SLICES_LEAST 15u

struct entry {
	uint32_t thread, path, place;
};

static int by_thread(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static int by_path(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static void put_entry(struct sp_samples *s, const struct sp_snapshot *snapshot, uint32_t slice, const struct entry *e,
	bool anew)
{
	struct sp_sample_row *row = s->row_count ? &s->rows[s->row_count - 1] : NULL;
	struct sp_sample_run *run = s->run_count ? &s->runs[s->run_count - 1] : NULL;

	if (anew) {
		sp_grow(&s->rows, &s->row_capacity, s->row_count + 1, sizeof(*s->rows));
		row = &s->rows[s->row_count++];
		*row = (struct sp_sample_row){
			.slice = slice, .tid = e->thread ? snapshot->threads[e->thread].tid : 0, .first = s->run_count};
	}
	if (!anew && run->path == e->path) {
		run->count++;
		return;
	}
	sp_grow(&s->runs, &s->run_capacity, s->run_count + 1, sizeof(*s->runs));
	s->runs[s->run_count++] = (struct sp_sample_run){e->path, 1};
	row->count++;
}

/* A short thread's record may have become another thread's: a thread that began later did not take the sample. */
static uint32_t thread_of(const struct sp_snapshot *s, const struct sp_log_entry *entry, uint64_t end_ns)
{
	uint32_t thread = entry->thread;

	return thread < s->thread_count && s->threads[thread].tid > 0 && s->threads[thread].start_ns <= end_ns ? thread
													       : 0;
}

static void fill(struct sp_samples *s, const struct sp_profile *p, const uint32_t *same, bool grouped)
{
	const struct sp_snapshot *snapshot = p->snapshot;
	struct entry *entries = sp_alloc(snapshot->log_count, sizeof(*entries));
	size_t from = 0;

	s->row_count = s->run_count = 0;
	for (size_t i = 0; i < s->slice_count; i++) {
		size_t to = i + 1 < s->slice_count ? s->slices[i].logged : snapshot->log_count, count = 0;

		for (; from < to && from < snapshot->log_count; from++) {
			const struct sp_log_entry *e = &snapshot->log[from];

			if (sp_path_weighs(&p->paths[e->stack], SP_STACKS_CPU))
				entries[count++] = (struct entry){
					thread_of(snapshot, e, s->slices[i].end_ns), same[e->stack], (uint32_t)from};
		}
		qsort(entries, count, sizeof(*entries), grouped ? by_path : by_thread);
		for (size_t k = 0; k < count; k++)
			put_entry(s, snapshot, (uint32_t)i, &entries[k],
				k == 0 || entries[k].thread != entries[k - 1].thread);
	}
	free(entries);
}

void sp_samples_take(struct sp_samples *samples, const struct sp_profile *profile, const uint32_t *same, size_t room)
{
	size_t most = SP_SAMPLE_SLICES;

	if (!room)
		room = RUNS_MOST > RUNS_A_STACK * profile->path_count ? RUNS_MOST : RUNS_A_STACK * profile->path_count;
	*samples = (struct sp_samples){0};
	samples->slice_count = sp_timeline_cut(profile->snapshot, samples->slices, most);
	fill(samples, profile, same, false);
	while (samples->run_count > room && most >= SLICES_LEAST) {
		samples->slice_count = sp_timeline_cut(profile->snapshot, samples->slices, most);
		fill(samples, profile, same, true);
		most /= 2;
	}
}

void sp_samples_free(struct sp_samples *samples)
{
	free(samples->rows);
	free(samples->runs);
	*samples = (struct sp_samples){0};
}
