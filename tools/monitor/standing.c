/* Against the history. */
#include "tools/monitor/standing.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/history/seen.h"
#include "symbolize/base/memory.h"
#include "tools/history/history.h"

#define LINES 3u
#define RUNS 100u /* before, that are looked at */

void sp_standing_note(struct sp_standing *standing, const struct sp_history_run *run)
{
	struct sp_standing_series *row;
	size_t i = 0;

	if (run->jobs > 1)
		return;
	while (i < standing->count && standing->items[i].series != run->series)
		i++;
	if (i == standing->count) {
		sp_grow(&standing->items, &standing->capacity, i + 1, sizeof(*standing->items));
		standing->items[standing->count++] = (struct sp_standing_series){.series = run->series};
	}
	row = &standing->items[i];
	row->fresh++;
	free(row->command);
	row->command = sp_copy_text(run->command);
}

static void put_line(struct sp_buffer *out, const struct sp_finding *f, const char *command)
{
	sp_buffer_puts(out, "  history     ");
	if (command) {
		sp_escape(out, SP_ESCAPE_PLAIN, command, strlen(command));
		sp_buffer_puts(out, ": ");
	}
	sp_buffer_printf(out, "%s; %s\n", f->text, f->evidence);
}

void sp_standing_put(struct sp_buffer *out, const struct sp_standing *standing, bool named)
{
	struct sp_history *store;
	size_t lines = 0;

	if (!standing->count || sp_history_open_here("monitor", SP_HISTORY_READ, &store))
		return;
	for (size_t i = 0; i < standing->count && lines < LINES; i++) {
		const struct sp_standing_series *row = &standing->items[i];
		struct sp_findings found = {0};
		struct sp_seen seen = {0};

		if (!sp_seen_load(store, row->series, RUNS + row->fresh, &seen))
			sp_findings_of_newest(&found, &seen, row->fresh);
		for (size_t k = 0; k < found.count && lines < LINES; k++, lines++)
			put_line(out, &found.items[k], named ? row->command : NULL);
		sp_findings_free(&found);
		sp_seen_free(&seen);
	}
	sp_history_close(store);
}

void sp_standing_free(struct sp_standing *standing)
{
	for (size_t i = 0; i < standing->count; i++)
		free(standing->items[i].command);
	free(standing->items);
	*standing = (struct sp_standing){0};
}
