/* A series of runs, and what to do about it. */
#include "tools/history/series.h"

static int add(const struct sp_history_run *run, void *context)
{
	sp_seen_add(context, run);
	return 0;
}

int sp_series_load(struct sp_history *store, int64_t series, size_t most, struct sp_seen *seen)
{
	const struct sp_history_filter filter = {.series = series, .limit = most, .metrics = sp_seen_keys};
	int error = sp_history_each(store, &filter, SP_HISTORY_METRICS, add, seen);

	sp_seen_reverse(seen);
	return error;
}

void sp_series_put_next(struct sp_buffer *out, const struct sp_finding *f, const char *command)
{
	switch (f->kind) {
	case SP_FINDING_FAILING:
	case SP_FINDING_FLAKY:
		sp_buffer_printf(out, "smartprof history show %.*s", SP_HISTORY_SHORT, f->id);
		return;
	case SP_FINDING_MORE:
	case SP_FINDING_LESS:
	case SP_FINDING_GROWING:
		sp_buffer_printf(out, "smartprof history trend %s --run %.*s", sp_seen_keys[f->metric],
			SP_HISTORY_SHORT, f->id);
		return;
	case SP_FINDING_CHANGED:
		sp_buffer_printf(out, "smartprof history changes %s --run %.*s", sp_seen_keys[f->metric],
			SP_HISTORY_SHORT, f->id);
		return;
	case SP_FINDING_WAITING:
		sp_buffer_puts(out, "smartprof run -- ");
		break;
	default:
		sp_buffer_puts(out, "smartprof monitor --runs 10 -- ");
	}
	sp_buffer_puts(out, command);
}
