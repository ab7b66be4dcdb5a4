/* Stage of the model: the places where was waited, by name. */
#include "profiles/model/wait_rows.h"

#include <math.h>
#include <stdlib.h>

#include "profiles/model/build.h"
#include "profiles/model/waits.h"

#define Z95 1.96

struct sp_wait_row *sp_wait_rows_add(struct sp_profile *p)
{
	sp_grow(&p->wait_rows, &p->wait_row_capacity, p->wait_row_count + 1, sizeof(*p->wait_rows));
	return &p->wait_rows[p->wait_row_count++];
}

static void name_lock(const struct sp_profile *p, struct sp_wait_row *row, uint32_t lock)
{
	const struct sp_lock_info *info = sp_waits_lock(p->waits, lock);
	const struct sp_lock_holder *h = info ? info->holders : NULL;

	if (info)
		row->lock = info->name;
	if (!h)
		return;
	row->holder = h->function != UINT32_MAX ? p->functions[h->function].name : "";
	row->holder_call = h->call ? sp_wait_call_names[h->call - 1] : "";
}

void sp_wait_rows_make(struct sp_profile *p)
{
	const struct sp_waits_info *w = p->waits;

	for (size_t i = 0; w && i < w->place_count; i++) {
		const struct sp_wait_place *place = &w->places[i];
		struct sp_wait_row *row;

		if ((double)place->ns < SP_WAIT_ROW_SHARE * (double)w->ns)
			continue;
		row = sp_wait_rows_add(p);
		*row = (struct sp_wait_row){.ns = place->ns,
			.count = place->count,
			.samples = place->samples,
			.longest_ns = place->longest_ns,
			.error_ns = Z95 * sqrt(place->variance),
			.idle = place->idle,
			.kind = sp_wait_kind_of(place->call),
			.call = sp_wait_call_names[place->call],
			.caller = p->functions[p->frames[place->frame].function].name,
			.lock = "",
			.holder = "",
			.holder_call = ""};
		name_lock(p, row, place->lock);
	}
}

static int by_ns(const void *left, const void *right)
{
	const struct sp_wait_lock *a = left, *b = right;

	return a->ns > b->ns ? -1 : a->ns < b->ns;
}

size_t sp_wait_rows_locks(const struct sp_profile *p, struct sp_wait_lock **locks)
{
	struct sp_wait_lock *all = *locks = sp_alloc(p->wait_row_count + 1, sizeof(*all));
	struct sp_names names = {0};
	size_t count = 0;

	for (size_t i = 0; i < p->wait_row_count; i++) {
		const struct sp_wait_row *row = &p->wait_rows[i];
		size_t at;

		if (!row->lock[0])
			continue;
		at = sp_names_id(&names, row->lock);
		if (!all[at].most)
			count++;
		if (!all[at].most || row->ns > all[at].most->ns)
			all[at].most = row;
		all[at].ns += row->ns;
		if (row->longest_ns > all[at].longest_ns)
			all[at].longest_ns = row->longest_ns;
	}
	sp_names_free(&names);
	qsort(all, count, sizeof(*all), by_ns);
	return count;
}
