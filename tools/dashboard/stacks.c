/* The stacks of both sides of a change, from the profiles that the history kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/export/export.h"
#include "profiles/html/page.h"
#include "profiles/markdown/markdown.h"
#include "tools/dashboard/board.h"

#define PROFILES_MOST 4u /* of a side */
#define CHANGES_MOST 12u
#define LEAST_SHARE 0.002

static struct sp_profile *read_profile(struct sp_history *store, const char *hash)
{
	struct sp_profile *profile = NULL;
	const char *why;
	size_t bytes, line;
	void *text;

	if (!*hash || sp_history_blob_read(store, hash, &text, &bytes) != 0)
		return NULL;
	profile = sp_markdown_read_at(text, bytes, &why, &line);
	free(text);
	if (profile && sp_export_prepare(profile, NULL)) {
		sp_profile_free(profile);
		profile = NULL;
	}
	return profile;
}

static bool has_profile(const struct sp_board_series *series, const struct sp_board_run *run)
{
	(void)series;
	return *run->profile != '\0';
}

/* Returns how many. */
static size_t read_side(const struct sp_board *b, const struct sp_board_series *series, const struct sp_change *found,
	bool after, struct sp_profile *profiles[static PROFILES_MOST])
{
	const struct sp_board_run *runs[PROFILES_MOST];
	size_t count = sp_board_side(b, series, found, after, has_profile, runs, PROFILES_MOST), read = 0;

	for (size_t i = 0; i < count; i++) {
		profiles[read] = read_profile(b->store, runs[i]->profile);
		read += profiles[read] != NULL;
	}
	return read;
}

/* Drops the rows that no eye would find. */
static void prune(struct sp_folded *rows)
{
	double sums[SP_FOLDED_VALUES] = {0};
	size_t kept = 0;

	sp_folded_merge(rows);
	for (size_t i = 0; i < rows->count; i++)
		for (size_t k = 0; k < SP_FOLDED_VALUES; k++)
			sums[k] += rows->rows[i].values[k];
	for (size_t i = 0; i < rows->count; i++) {
		bool large = false;

		for (size_t k = 0; k < SP_FOLDED_VALUES; k++)
			large = large || rows->rows[i].values[k] > LEAST_SHARE * sums[k];
		if (large)
			rows->rows[kept++] = rows->rows[i];
	}
	rows->count = kept;
}

/* Functions that no row has any more go, the others get new numbers. */
static void renumber(struct sp_page_stacks *stacks)
{
	size_t count = json_array_size(stacks->functions);
	uint32_t *numbers = sp_alloc(count + 1, sizeof(*numbers)); /* from 1 */
	json_t *kept = json_array();

	for (enum sp_stack_kind kind = 0; kind < SP_STACK_KINDS; kind++) {
		struct sp_folded *f = &stacks->rows[kind];

		prune(f);
		for (size_t i = 0; i < f->count; i++)
			for (size_t k = f->rows[i].first; k < f->rows[i].first + f->rows[i].depth; k++) {
				uint32_t *number = &numbers[f->ids[k]];

				if (!*number) {
					json_array_append(kept, json_array_get(stacks->functions, f->ids[k]));
					*number = (uint32_t)json_array_size(kept);
				}
				f->ids[k] = *number - 1;
			}
	}
	json_decref(stacks->functions);
	stacks->functions = kept;
	free(numbers);
}

static void add_side(struct sp_page_stacks *stacks, struct sp_profile **profiles, size_t count, unsigned side, bool *on)
{
	double scale[SP_STACK_KINDS];

	for (enum sp_stack_kind kind = 0; kind < SP_STACK_KINDS; kind++)
		scale[kind] = 1.0 / (double)count;
	for (size_t i = 0; i < count; i++) {
		for (enum sp_stack_kind kind = 0; kind < SP_STACK_KINDS; kind++)
			on[kind] = on[kind] || sp_stacks_on(profiles[i], kind);
		free(sp_page_add(stacks, profiles[i], side, scale, true));
		sp_profile_free(profiles[i]);
	}
}

/* Returns its number among the board's flame graphs, NULL where a side has no profile. */
static json_t *flame_of(struct sp_board *b, const struct sp_board_series *series, const struct sp_change *found)
{
	struct sp_profile *profiles[2][PROFILES_MOST];
	struct sp_page_stacks stacks = {0};
	bool on[2][SP_STACK_KINDS] = {{false}};
	size_t counts[2] = {read_side(b, series, found, false, profiles[0]), 0};
	json_t *flame;

	if (counts[0])
		counts[1] = read_side(b, series, found, true, profiles[1]);
	if (!counts[0] || !counts[1]) {
		for (size_t i = 0; i < counts[0]; i++)
			sp_profile_free(profiles[0][i]);
		return NULL;
	}
	for (unsigned side = 0; side < 2; side++)
		add_side(&stacks, profiles[side], counts[side], side, on[side]);
	for (enum sp_stack_kind kind = 0; kind < SP_STACK_KINDS; kind++)
		on[0][kind] = on[0][kind] && on[1][kind];
	flame = json_pack("{s:o}", "views", sp_page_views(on[0]));
	renumber(&stacks);
	sp_page_stacks_put(&stacks, flame, SP_PAGE_SIDES);
	json_array_append_new(b->flames, flame);
	return json_integer((json_int_t)json_array_size(b->flames) - 1);
}

struct place {
	struct sp_board_series *series;
	struct sp_board_change *change;
};

static int newest_first(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	uint64_t first = x->series->runs[x->change->found.after].started_ns,
		 second = y->series->runs[y->change->found.after].started_ns;

	return first != second ? (first > second ? -1 : 1) : 0;
}

/* Several metrics may have changed at one place: then one graph is for all. */
static json_t *flame_at(struct sp_board *b, const struct place *places, size_t at)
{
	const struct sp_change *found = &places[at].change->found;

	for (size_t i = 0; i < at; i++)
		if (places[i].series == places[at].series && places[i].change->found.before == found->before &&
			places[i].change->found.after == found->after && places[i].change->flame)
			return json_incref(places[i].change->flame);
	return json_array_size(b->flames) < CHANGES_MOST ? flame_of(b, places[at].series, found) : NULL;
}

void sp_board_add_stacks(struct sp_board *b)
{
	struct place *places = NULL;
	size_t count = 0, capacity = 0;

	for (size_t i = 0; i < b->series_count; i++)
		for (size_t k = 0; k < b->series[i].change_count; k++) {
			sp_grow(&places, &capacity, count + 1, sizeof(*places));
			places[count++] = (struct place){&b->series[i], &b->series[i].changes[k]};
		}
	if (count)
		qsort(places, count, sizeof(*places), newest_first);
	for (size_t i = 0; i < count; i++)
		if (places[i].change->found.state == SP_CHANGE_CONFIRMED)
			places[i].change->flame = flame_at(b, places, i);
	free(places);
}
