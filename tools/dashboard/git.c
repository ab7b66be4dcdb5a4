/* What the repository says of commits, as the page has them. */
#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "tools/dashboard/board.h"
#include "tools/history/commits.h"

#define RANGES_MOST 50u

struct commits {
	struct sp_board *board;
	json_t *list;
};

static void put(json_t *list, uint32_t number, json_t *commit)
{
	while (json_array_size(list) <= number)
		json_array_append_new(list, json_pack("{s:s}", "hash", ""));
	json_array_set_new(list, number, commit);
}

static void take(const struct sp_commit *commit, void *context)
{
	struct commits *c = context;

	put(c->list, sp_names_id(&c->board->commits, commit->id),
		json_pack("{s:o, s:o, s:o, s:I}", "hash", sp_json_text(commit->id), "author",
			sp_json_text(commit->author), "subject", sp_json_text(commit->subject), "when",
			(json_int_t)commit->when_s));
}

/* Those that runs are of; of what git does not know, the hash alone. */
static void take_known(struct commits *c)
{
	size_t count = c->board->commits.count;
	const char **ids = sp_alloc(count + 1, sizeof(*ids));

	for (uint32_t i = 0; i < count; i++) {
		ids[i] = sp_names_text(&c->board->commits, i);
		put(c->list, i, json_pack("{s:o}", "hash", sp_json_text(ids[i])));
	}
	sp_commits_each(ids, count, take, c);
	free(ids);
}

/* False: git does not know them, or there are none. */
static bool find_between(const struct commits *c, const struct sp_board_series *series, size_t before, size_t after,
	struct sp_commit commits[static SP_COMMITS_MOST], size_t *count)
{
	const char *old = sp_names_text(&c->board->commits, series->runs[before].commit);
	const char *new = sp_names_text(&c->board->commits, series->runs[after].commit);

	return strcmp(old, new) != 0 && sp_commits_between(old, new, commits, count);
}

/* All that it may be, or where those are too many, those between the last run before and the first after. */
static void take_between(struct commits *c, const struct sp_board_series *series, struct sp_board_change *change)
{
	const struct sp_change *found = &change->found;
	struct sp_commit commits[SP_COMMITS_MOST];
	size_t count = 0;

	if ((found->gradual || !find_between(c, series, found->surely_before, found->surely_after, commits, &count) ||
		    count > SP_COMMITS_MOST) &&
		!find_between(c, series, found->before, found->after, commits, &count))
		return;
	change->commits = json_array();
	for (size_t i = 0; i < count && i < SP_COMMITS_MOST; i++) {
		take(&commits[i], c);
		json_array_append_new(change->commits, json_integer(sp_names_id(&c->board->commits, commits[i].id)));
	}
}

json_t *sp_board_commits(struct sp_board *b)
{
	struct commits c = {b, json_array()};
	unsigned asked = 0;

	take_known(&c);
	for (size_t i = 0; i < b->series_count; i++)
		for (size_t k = 0; k < b->series[i].change_count && asked < RANGES_MOST; k++, asked++)
			take_between(&c, &b->series[i], &b->series[i].changes[k]);
	return c.list;
}
