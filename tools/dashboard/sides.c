/* The runs on both sides of a change. */
#include <string.h>

#include "tools/dashboard/board.h"

static bool is_beside(const struct sp_board_run *a, const struct sp_board_run *b)
{
	return a->branch == b->branch && a->machine == b->machine;
}

static uint64_t end_of_level(const struct sp_board_series *series, size_t last)
{
	const struct sp_board_run *run = &series->runs[last];
	size_t next = last + 1;

	while (next < series->run_count && !(series->runs[next].good && is_beside(&series->runs[next], run)))
		next++;
	return sp_level_end_ns(run->started_ns, next < series->run_count ? series->runs[next].started_ns : UINT64_MAX);
}

static bool is_same_command(const struct sp_board_series *a, const struct sp_board_series *b)
{
	return strcmp(a->program, b->program) == 0 && strcmp(a->arguments, b->arguments) == 0 &&
		strcmp(a->environment, b->environment) == 0;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Keeps the list sorted by distance from the change. */
static size_t insert(const struct sp_board_run **runs, size_t count, size_t most, const struct sp_board_run *run,
	uint64_t at_ns)
{
	size_t place = count;

	while (place > 0 && distance(runs[place - 1]->started_ns, at_ns) > distance(run->started_ns, at_ns))
		place--;
	if (place == most)
		return count;
	count += count < most;
	memmove(&runs[place + 1], &runs[place], (count - 1 - place) * sizeof(*runs));
	runs[place] = run;
	return count;
}

size_t sp_board_side(const struct sp_board *b, const struct sp_board_series *series, const struct sp_change *found,
	bool after, sp_board_wanted_fn *wanted, const struct sp_board_run **runs, size_t most)
{
	const struct sp_board_run *like = &series->runs[found->after];
	uint64_t from_ns = series->runs[after ? found->after : found->first].started_ns;
	uint64_t end_ns = end_of_level(series, after ? found->last : found->before);
	size_t count = 0;

	for (size_t i = 0; i < b->series_count; i++) {
		const struct sp_board_series *other = &b->series[i];

		for (size_t k = 0; is_same_command(series, other) && k < other->run_count; k++) {
			const struct sp_board_run *run = &other->runs[k];

			if (run->good && is_beside(run, like) && run->started_ns >= from_ns &&
				run->started_ns < end_ns && wanted(other, run))
				count = insert(runs, count, most, run, like->started_ns);
		}
	}
	return count;
}
