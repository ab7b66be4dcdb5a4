/* What one side waits more: by lock, or by call and caller, from the rows of both sides' waits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/normal_name.h"
#include "profiles/base/shorten.h"
#include "profiles/compare/report.h"
#include "profiles/model/wait_rows.h"

#define Z95 1.96
#define LEAST_PART 0.5 /* of the growth to be explained */

/* What names one: the lock, by whomever it is waited for; else the call with its caller. */
struct group {
	enum sp_side more;         /* the side that waits more */
	const char *lock;          /* NULL: none that has a name */
	const char *call, *caller; /* with a lock: of the row that grew most */
	const char *holder, *holder_call;
	double most; /* growth of that row */
	double mean[SP_SIDES], variance[SP_SIDES];
	size_t rows; /* that grew */
};

/* A variable's name; an address is another one in each run. */
static const char *lock_name(const char *lock)
{
	return *lock && strncmp(lock, "0x", 2) != 0 && !sp_name_is_unnamed(lock) ? lock : NULL;
}

static bool same_name(const char *a, const char *b)
{
	struct sp_buffer one = {0}, other = {0};
	bool same;

	if (strcmp(a, b) == 0 || *a != *b)
		return *a == *b;
	sp_normal_name(&one, a);
	sp_normal_name(&other, b);
	same = one.length && one.length == other.length && memcmp(one.data, other.data, one.length) == 0;
	sp_buffer_free(&one);
	sp_buffer_free(&other);
	return same;
}

static bool is_place(const struct sp_wait_row *row, const char *call, const char *caller)
{
	return strcmp(row->call, call) == 0 && same_name(row->caller, caller);
}

static bool is_of(const struct group *g, const struct sp_wait_row *row)
{
	const char *lock = lock_name(row->lock);

	if (g->lock || lock)
		return g->lock && lock && strcmp(g->lock, lock) == 0;
	return is_place(row, g->call, g->caller);
}

/* The mean of a side's runs, of the group or, where `place` is, of its part there; *variance of that mean: of the runs where they
 * tell more than the samples. */
static double side_mean(const struct sp_comparison *c, enum sp_side side, const struct group *g,
	const struct sp_wait_row *place, double *variance)
{
	double sum = 0, squares = 0, sampling = 0, n = (double)c->input->count[side];

	for (size_t i = 0; i < c->input->count[side]; i++) {
		const struct sp_profile *p = c->input->profiles[side][i];
		double value = 0;

		for (size_t k = 0; k < p->wait_row_count; k++) {
			const struct sp_wait_row *row = &p->wait_rows[k];

			if (!is_of(g, row) || (place && !is_place(row, place->call, place->caller)))
				continue;
			value += (double)row->ns;
			sampling += pow(row->error_ns / Z95, 2);
		}
		sum += value;
		squares += value * value;
	}
	*variance = sampling / n / n;
	if (n > 1)
		*variance = fmax(*variance, (squares - sum * sum / n) / (n - 1) / n);
	return sum / n;
}

static struct group group_of(const struct sp_comparison *c, enum sp_side more, const struct sp_wait_row *row)
{
	struct group g = {.more = more,
		.lock = lock_name(row->lock),
		.call = row->call,
		.caller = row->caller,
		.holder = row->holder,
		.holder_call = row->holder_call};

	for (int side = 0; side < SP_SIDES; side++)
		g.mean[side] = side_mean(c, (enum sp_side)side, &g, NULL, &g.variance[side]);
	return g;
}

static enum sp_side less(const struct group *g)
{
	return g->more == SP_CURRENT ? SP_BASELINE : SP_CURRENT;
}

/* Whether an earlier row is of the same place, by another way. */
static bool is_again(const struct group *g, const struct sp_profile *p, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is_of(g, &p->wait_rows[i]) &&
			is_place(&p->wait_rows[i], p->wait_rows[at].call, p->wait_rows[at].caller))
			return true;
	return false;
}

/* Of a lock, who waits more for it. */
static void find_callers(const struct sp_comparison *c, struct group *g)
{
	const struct sp_profile *p = c->input->profiles[g->more][0];

	for (size_t i = 0; g->lock && i < p->wait_row_count; i++) {
		const struct sp_wait_row *row = &p->wait_rows[i];
		double variance, growth;

		if (!is_of(g, row) || is_again(g, p, i))
			continue;
		growth = side_mean(c, g->more, g, row, &variance) - side_mean(c, less(g), g, row, &variance);
		g->rows += growth > 0;
		if (growth <= g->most)
			continue;
		g->most = growth;
		g->call = row->call;
		g->caller = row->caller;
	}
}

static double growth_of(const struct group *g)
{
	return g->mean[g->more] - g->mean[less(g)];
}

static double error_of(const struct group *g)
{
	return Z95 * sqrt(g->variance[SP_BASELINE] + g->variance[SP_CURRENT]);
}

/* A thread that waits for another thread's end, or for a child, does so for as long as what that one waits for. */
static bool is_for_another(const struct sp_wait_row *row)
{
	return row->kind == SP_WAIT_CHILD || strstr(row->call, "join") != NULL;
}

/* The group that grew most; without a call: none grew for sure. */
static struct group find_most(const struct sp_comparison *c, enum sp_side more, bool for_others)
{
	const struct sp_profile *p = c->input->profiles[more][0];
	struct group most = {0};

	for (size_t i = 0; i < p->wait_row_count; i++) {
		const struct sp_wait_row *row = &p->wait_rows[i];
		struct group g;

		if (row->idle || is_for_another(row) != for_others || (most.call && is_of(&most, row)))
			continue;
		g = group_of(c, more, row);
		if (growth_of(&g) > fmax(error_of(&g), most.call ? growth_of(&most) : 0))
			most = g;
	}
	return most;
}

static void put_name(struct sp_buffer *out, const char *before, const char *name)
{
	sp_buffer_puts(out, before);
	sp_shorten_name(out, name);
}

static void put_place(struct sp_buffer *out, const struct group *g)
{
	if (g->lock) {
		put_name(out, "waiting for ", g->lock);
		sp_buffer_puts(out, g->rows > 1 ? ", mostly " : " ");
	}
	put_name(out, "in ", g->caller);
	put_name(out, " → ", g->call);
	sp_buffer_printf(out, " (%.3g s, then %.3g s)", g->mean[SP_BASELINE] / 1e9, g->mean[SP_CURRENT] / 1e9);
	if (!*g->holder && !*g->holder_call)
		return;
	sp_buffer_puts(out, g->lock ? "; its holder is mostly " : "; the lock's holder is mostly ");
	if (*g->holder)
		put_name(out, "", g->holder);
	if (*g->holder_call)
		put_name(out, *g->holder ? " in " : "in ", g->holder_call);
}

/* As many digits as the error has any meaning for. */
static void put_growth(struct sp_buffer *out, const struct group *g)
{
	double error = error_of(g) / 1e9;
	int digits = error > 0 ? (int)fmin(fmax(ceil(-log10(error)), 0), 3) : 3;

	sp_buffer_printf(out, "%.*f s ± %.*f, ", digits, growth_of(g) / 1e9, digits, error);
}

/* Where calls were not timed in some run, no row says nothing. */
static bool all_timed(const struct sp_comparison *c)
{
	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < c->input->count[side]; i++)
			if (!c->input->profiles[side][i]->waiting.kinds_known)
				return false;
	return true;
}

bool sp_compare_waits_put(const struct sp_comparison *c, enum sp_side more, double least_ns, struct sp_buffer *out)
{
	struct group g, other;

	if (!all_timed(c))
		return false;
	g = find_most(c, more, false);
	other = find_most(c, more, true);
	if (other.call && (!g.call || growth_of(&g) < LEAST_PART * growth_of(&other)))
		g = other;
	if (!g.call || growth_of(&g) <= least_ns)
		return false;
	find_callers(c, &g);
	put_growth(out, &g);
	put_place(out, &g);
	return true;
}
