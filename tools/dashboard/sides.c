/* The runs on both sides of a change. */
#include <string.h>

#include "tools/dashboard/board.h"

#define SAME_TIME_NS 3600000000000u /* runs with the agent are made in the same hour as those without */

struct span {
	uint64_t from_ns, to_ns; /* both included */
};

static struct span span_of(const struct sp_board_series *series, const struct sp_change *found, bool after)
{
	uint64_t change_ns = series->runs[found->after].started_ns, end_ns = series->runs[found->last].started_ns;
	uint64_t before_ns = series->runs[found->before].started_ns + SAME_TIME_NS;

	if (after)
		return (struct span){change_ns, end_ns + SAME_TIME_NS};
	return (struct span){series->runs[found->first].started_ns, before_ns < change_ns ? before_ns : change_ns - 1};
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
	struct span span = span_of(series, found, after);
	size_t count = 0;

	for (size_t i = 0; i < b->series_count; i++) {
		const struct sp_board_series *other = &b->series[i];

		for (size_t k = 0; is_same_command(series, other) && k < other->run_count; k++) {
			const struct sp_board_run *run = &other->runs[k];

			if (run->good && run->branch == like->branch && run->machine == like->machine &&
				run->started_ns >= span.from_ns && run->started_ns <= span.to_ns && wanted(other, run))
				count = insert(runs, count, most, run, like->started_ns);
		}
	}
	return count;
}
