/* Waits of merged profiles: places of the same names are one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"
#include "profiles/model/merge.h"
#include "profiles/model/wait_rows.h"

static const char *keep(struct sp_names *texts, const char *text, uint64_t *id)
{
	*id = sp_names_id(texts, text);
	return sp_names_text(texts, (uint32_t)*id);
}

static void add_to_row(struct sp_wait_row *to, const struct sp_wait_row *row, struct sp_names *texts)
{
	uint64_t id;

	if (row->ns >= to->ns) {
		to->holder = keep(texts, row->holder, &id);
		to->holder_call = keep(texts, row->holder_call, &id);
	}
	to->ns += row->ns;
	to->count += row->count;
	to->samples += row->samples;
	to->error_ns = hypot(to->error_ns, row->error_ns);
	if (row->longest_ns > to->longest_ns)
		to->longest_ns = row->longest_ns;
}

void sp_merge_waits(struct sp_profile *out, const struct sp_profile *in, struct sp_names *texts, struct sp_map *index)
{
	for (size_t i = 0; i < in->wait_row_count; i++) {
		const struct sp_wait_row *row = &in->wait_rows[i];
		uint64_t call, caller, lock;
		struct sp_wait_row new = {.idle = row->idle,
			.kind = row->kind,
			.call = keep(texts, row->call, &call),
			.caller = keep(texts, row->caller, &caller),
			/* An address is another lock in each process. */
			.lock = keep(texts, strncmp(row->lock, "0x", 2) == 0 ? "" : row->lock, &lock)};
		int found;
		uint32_t *cell = sp_map_at(index, caller << 32 | call, lock << 1 | row->idle, &found);

		if (!found) {
			*cell = (uint32_t)out->wait_row_count;
			*sp_wait_rows_add(out) = new;
		}
		add_to_row(&out->wait_rows[*cell], row, texts);
	}
}

static int by_ns(const void *left, const void *right)
{
	const struct sp_wait_row *a = left, *b = right;

	if (a->idle != b->idle)
		return a->idle ? 1 : -1;
	return a->ns > b->ns ? -1 : a->ns < b->ns;
}

void sp_merge_sort_waits(struct sp_profile *out)
{
	if (out->wait_row_count)
		qsort(out->wait_rows, out->wait_row_count, sizeof(*out->wait_rows), by_ns);
}
