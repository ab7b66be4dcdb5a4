/* A metric of a series of runs. */
#include "tools/history/values.h"

#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "tools/tools.h"

const char *const sp_values_metrics[] = {"wall_ns", "user_ns", "peak_rss_bytes", "allocated_bytes", NULL};

int sp_values_load(const struct sp_ask *ask, int64_t series, const char *metric, struct sp_values *values)
{
	struct sp_history_filter filter = ask->filter;
	int error;

	*values = (struct sp_values){0};
	filter.series = series;
	filter.limit = 0;
	filter.good = filter.oldest_first = true;
	error = sp_history_series(ask->store, &filter, metric, &values->points);
	values->count = error ? 0 : values->points.count;
	values->values = sp_alloc(values->count + 1, sizeof(*values->values));
	for (size_t i = 0; i < values->count; i++)
		values->values[i] =
			(struct sp_history_value){values->points.items[i].value, values->points.items[i].error, NULL};
	return error;
}

int sp_values_changes(const struct sp_ask *ask, int64_t series, const char *metric, struct sp_values *values,
	struct sp_changes *changes)
{
	int error = sp_values_load(ask, series, metric, values);

	*changes = (struct sp_changes){0};
	sp_changes_find(changes, values->values, values->count);
	return error;
}

void sp_values_free(struct sp_values *values)
{
	sp_history_points_free(&values->points);
	free(values->values);
}

bool sp_values_is_metric(const struct sp_ask *ask, const char *metric)
{
	const char *meant;
	bool known = false;
	char **names;
	size_t count;

	if (sp_history_metric_names(ask->store, &names, &count)) {
		sp_ask_failed(ask);
		return false;
	}
	meant = sp_suggest(metric, (const char *const *)names, count);
	for (size_t i = 0; i < count; i++)
		known = known || strcmp(names[i], metric) == 0;
	if (!known && count)
		sp_complain_unknown("no run has the metric", metric, "", meant, "smartprof history show latest");
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return known || !count;
}
