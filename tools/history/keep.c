/* Runs that show a change stay. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "tools/history/values.h"

static void add(struct sp_keeps *keeps, const char *id, const char *metric)
{
	struct sp_keep *keep;

	sp_grow(&keeps->items, &keeps->capacity, keeps->count + 1, sizeof(*keeps->items));
	keep = &keeps->items[keeps->count++];
	snprintf(keep->id, sizeof(keep->id), "%s", id);
	keep->why = sp_text("change of %.100s", metric);
}

void sp_keeps_add(struct sp_keeps *keeps, const struct sp_values *values, size_t before, size_t after,
	const char *metric)
{
	add(keeps, values->points.items[before].id, metric);
	add(keeps, values->points.items[after].id, metric);
}

static bool is_pinned(struct sp_history *store, const char *id)
{
	struct sp_history_run *run;
	bool pinned;

	if (sp_history_find(store, id, SP_HISTORY_TAGS, &run))
		return false;
	pinned = run->pinned;
	sp_history_run_free(run);
	return pinned;
}

void sp_keeps_write(struct sp_keeps *keeps, struct sp_history *store)
{
	struct sp_history *writer = NULL;
	char why[SP_HISTORY_WHY];
	bool tried = false;

	for (size_t i = 0; i < keeps->count; i++) {
		struct sp_keep *keep = &keeps->items[i];

		if (!is_pinned(store, keep->id)) {
			if (!tried)
				sp_history_open(&writer, sp_history_path(store), SP_HISTORY_WRITE, why);
			tried = true;
			if (writer)
				sp_history_pin(writer, keep->id, keep->why, true);
		}
		free(keep->why);
	}
	sp_history_close(writer);
	free(keeps->items);
	*keeps = (struct sp_keeps){0};
}
