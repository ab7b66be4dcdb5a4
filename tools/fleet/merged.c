/* The profile of a selection. */
#include <stdlib.h>
#include <string.h>

#include "profiles/markdown/markdown.h"
#include "profiles/model/merge.h"
#include "tools/fleet/fleet.h"
#include "tools/tools.h"

/* Up to so many profiles each is a row of Processes; of more, each host's processes of a program are one. */
#define PROFILES_SHOWN 2000u

static int ask(const struct sp_fleet *fleet, const struct sp_buffer *sql, struct sp_profile *profile,
	const char *(*read)(struct sp_profile *, char *))
{
	struct sp_buffer answer = {0};
	int status = sp_clickhouse_ask(fleet->http, &fleet->target, sql, &answer);

	if (!status)
		status = sp_fleet_damaged(fleet, read(profile, answer.data));
	sp_buffer_free(&answer);
	return status;
}

/* Processes and spans, which are no samples. */
static int ask_others(const struct sp_fleet *fleet, const struct sp_fleet_total *total, struct sp_profile *profile)
{
	const struct sp_fleet_where where = sp_fleet_where(fleet, &fleet->side);
	struct sp_buffer sql = {0};
	int status;

	sp_sql_processes(&sql, &where, total->profiles > PROFILES_SHOWN ? SP_FLEET_BY_HOST : SP_FLEET_BY_ALL);
	status = ask(fleet, &sql, profile, sp_fleet_processes_read);
	sp_buffer_clear(&sql);
	sp_sql_spans(&sql, &where);
	if (!status)
		status = ask(fleet, &sql, profile, sp_fleet_spans_read);
	sp_buffer_free(&sql);
	return status;
}

/* A line for Data Quality. */
static void put_note(struct sp_buffer *note, const struct sp_fleet *fleet, const struct sp_fleet_total *total)
{
	sp_buffer_puts(note, "from a fleet's store: ");
	sp_fleet_put_selection(note, fleet, &fleet->side);
	sp_buffer_printf(note, "; %llu %s of %llu %s\n", (unsigned long long)total->profiles,
		total->profiles == 1 ? "profile" : "profiles", (unsigned long long)total->hosts,
		total->hosts == 1 ? "host" : "hosts");
}

static int write_merged(const struct sp_fleet *fleet, const struct sp_fleet_total *total,
	const struct sp_fleet_stacks *stacks, const struct sp_fleet_samples *samples, struct sp_buffer *markdown)
{
	struct sp_profile *one = sp_fleet_profile(samples->list, samples->count, stacks, total, 1), *all;
	struct sp_merge *merge = sp_merge_new();
	struct sp_buffer note = {0};
	int status = ask_others(fleet, total, one);

	if (!status) {
		put_note(&note, fleet, total);
		sp_merge_add(merge, one, "");
		all = sp_merge_finish(merge, 0);
		all->place_note = note.data;
		sp_markdown_write(markdown, all, "fleet.md", true);
	}
	sp_profile_free(one);
	sp_merge_free(merge);
	sp_buffer_free(&note);
	return status;
}

int sp_fleet_merged(const struct sp_fleet *fleet, struct sp_buffer *markdown)
{
	const unsigned times = 1u << SP_FLEET_CPU | 1u << SP_FLEET_WAIT | 1u << SP_FLEET_FUNCTION;
	const unsigned heap = 1u << SP_FLEET_HEAP | 1u << SP_FLEET_SITE;
	struct sp_fleet_totals totals = {0};
	struct sp_fleet_stacks stacks = {0};
	struct sp_fleet_samples samples = {0};
	int status = sp_fleet_ask_totals(fleet, &fleet->side, SP_FLEET_BY_ALL, &totals);

	if (!status)
		status = sp_fleet_ask_samples(fleet, &fleet->side, SP_FLEET_BY_ALL, times, &stacks, &samples);
	if (!status && totals.list[0].facts.numbers[SP_FLEET_HEAP_ON])
		status = sp_fleet_ask_samples(fleet, &fleet->side, SP_FLEET_BY_ALL, heap, &stacks, &samples);
	if (!status)
		status = write_merged(fleet, &totals.list[0], &stacks, &samples, markdown);
	sp_fleet_totals_free(&totals);
	sp_fleet_samples_free(&samples);
	sp_fleet_stacks_free(&stacks);
	return status;
}
