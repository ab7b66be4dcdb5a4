/* Runs that show a change stay. */
#include <stdio.h>
#include <stdlib.h>

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

/* NULL: it cannot be written now. */
static struct sp_history *open_writer(const struct sp_history *store)
{
	struct sp_history *writer;
	char why[SP_HISTORY_WHY];

	if (sp_history_open(&writer, sp_history_path(store), SP_HISTORY_WRITE, why) == 0 &&
		sp_history_begin(writer) == 0)
		return writer;
	sp_history_close(writer);
	return NULL;
}

void sp_keeps_write(struct sp_keeps *keeps, struct sp_history *store)
{
	struct sp_history *writer = NULL;
	bool tried = false;

	for (size_t i = 0; i < keeps->count; i++) {
		struct sp_keep *keep = &keeps->items[i];

		if (!sp_history_is_pinned(store, keep->id, keep->why)) {
			writer = tried ? writer : open_writer(store);
			tried = true;
			if (writer)
				sp_history_pin(writer, keep->id, keep->why, true);
		}
		free(keep->why);
	}
	if (writer)
		sp_history_commit(writer);
	sp_history_close(writer);
	free(keeps->items);
	*keeps = (struct sp_keeps){0};
}
