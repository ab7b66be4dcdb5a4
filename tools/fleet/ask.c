/* Asking. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/fleet/fleet.h"
#include "tools/tools.h"

struct sp_fleet_where sp_fleet_where(const struct sp_fleet *fleet, const struct sp_fleet_side *side)
{
	return (struct sp_fleet_where){.labels = side->labels,
		.label_count = side->count,
		.since_s = fleet->since_s,
		.until_s = fleet->until_s};
}

void sp_fleet_put_selection(struct sp_buffer *out, const struct sp_fleet *fleet, const struct sp_fleet_side *side)
{
	const uint64_t moments[] = {fleet->since_s, fleet->until_s};

	for (size_t i = 0; i < side->count; i++) {
		sp_buffer_puts(out, i ? " " : "");
		sp_buffer_printf(out, "%s=%s", side->labels[i].name, side->labels[i].value);
	}
	for (int i = 0; i < 2; i++) {
		time_t at = (time_t)moments[i];
		char text[32] = "";
		struct tm local;

		if (localtime_r(&at, &local))
			strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &local);
		sp_buffer_printf(out, "%s%s", i ? " to " : ", ", text);
	}
}

int sp_fleet_damaged(const struct sp_fleet *fleet, const char *why)
{
	if (!why)
		return 0;
	sp_complain("fleet: %s: %s", fleet->target.text, why);
	return 1;
}

int sp_fleet_nothing(const struct sp_fleet *fleet, const struct sp_fleet_side *side)
{
	struct sp_buffer selection = {0};

	sp_fleet_put_selection(&selection, fleet, side);
	sp_complain("fleet: %s: there are no profiles of %s; see what is there with other labels, or go back further "
		    "with --since",
		fleet->target.text, selection.data);
	sp_buffer_free(&selection);
	return 1;
}

int sp_fleet_ask_totals(const struct sp_fleet *fleet, const struct sp_fleet_side *side, enum sp_fleet_by by,
	struct sp_fleet_totals *totals)
{
	const struct sp_fleet_where where = sp_fleet_where(fleet, side);
	struct sp_buffer sql = {0}, answer = {0};
	int status;

	sp_sql_totals(&sql, &where, by);
	status = sp_clickhouse_ask(fleet->http, &fleet->target, &sql, &answer);
	if (!status)
		status = sp_fleet_damaged(fleet, sp_fleet_totals_read(totals, answer.data));
	if (!status && !totals->count)
		status = sp_fleet_nothing(fleet, side);
	sp_buffer_free(&sql);
	sp_buffer_free(&answer);
	return status;
}

static int ask_frames(const struct sp_fleet *fleet, struct sp_fleet_stacks *stacks, const uint64_t (*keys)[2],
	size_t count)
{
	struct sp_buffer sql = {0}, answer = {0};
	int status;

	sp_sql_stacks(&sql, keys, count);
	status = sp_clickhouse_ask(fleet->http, &fleet->target, &sql, &answer);
	if (!status)
		status = sp_fleet_damaged(fleet, sp_fleet_stacks_read(stacks, answer.data));
	sp_buffer_free(&sql);
	sp_buffer_free(&answer);
	return status;
}

int sp_fleet_ask_frames(const struct sp_fleet *fleet, struct sp_fleet_stacks *stacks)
{
	uint64_t(*keys)[2] = sp_alloc(SP_SQL_STACKS_MOST, sizeof(*keys));
	size_t count = 0, all = stacks->count;
	int status = 0;

	for (size_t i = 0; !status && i < all; i++) {
		if (!stacks->list[i].depth)
			memcpy(keys[count++], stacks->list[i].key, sizeof(*keys));
		if (count && (count == SP_SQL_STACKS_MOST || i == all - 1)) {
			status = ask_frames(fleet, stacks, keys, count);
			count = 0;
		}
	}
	free(keys);
	return status;
}

static int ask_rows(const struct sp_fleet *fleet, const struct sp_fleet_side *side, enum sp_fleet_by by, unsigned kinds,
	struct sp_fleet_stacks *stacks, struct sp_fleet_samples *samples)
{
	const struct sp_fleet_where where = sp_fleet_where(fleet, side);
	struct sp_buffer sql = {0}, answer = {0};
	int status;

	sp_sql_samples(&sql, &where, by, kinds);
	status = sp_clickhouse_ask(fleet->http, &fleet->target, &sql, &answer);
	if (!status)
		status = sp_fleet_damaged(fleet, sp_fleet_samples_read(samples, stacks, answer.data));
	sp_buffer_free(&sql);
	sp_buffer_free(&answer);
	return status;
}

int sp_fleet_ask_samples(const struct sp_fleet *fleet, const struct sp_fleet_side *side, enum sp_fleet_by by,
	unsigned kinds, struct sp_fleet_stacks *stacks, struct sp_fleet_samples *samples)
{
	int status = ask_rows(fleet, side, by, kinds, stacks, samples);
	size_t unknown;

	if (!status)
		status = sp_fleet_ask_frames(fleet, stacks);
	unknown = status ? 0 : sp_fleet_samples_known(samples, stacks);
	if (unknown)
		sp_complain("fleet: %s: warning: %zu rows are of stacks that are not there; they are left out",
			fleet->target.text, unknown);
	return status;
}
