/* The timeline of a run, of any length in the same room. */
#include "profiles/monitor/run.h"

#include <jansson.h>
#include <stdlib.h>

#include "symbolize/base/memory.h"

static void merge(struct sp_monitor_point *into, const struct sp_monitor_point *later)
{
	into->at_ns = later->at_ns;
	into->cpu_ns = later->cpu_ns;
	if (later->rss_bytes > into->rss_bytes)
		into->rss_bytes = later->rss_bytes;
	if (later->processes > into->processes)
		into->processes = later->processes;
}

static void thin(struct sp_monitor_timeline *timeline)
{
	size_t half = timeline->count / 2;

	for (size_t i = 0; i < half; i++) {
		timeline->points[i] = timeline->points[2 * i];
		merge(&timeline->points[i], &timeline->points[2 * i + 1]);
	}
	if (timeline->count % 2)
		timeline->points[half++] = timeline->points[timeline->count - 1];
	timeline->count = half;
	timeline->step_ns *= 2;
}

void sp_monitor_timeline_add(struct sp_monitor_timeline *timeline, const struct sp_monitor_point *seen)
{
	size_t count = timeline->count;
	uint64_t before = count > 1 ? timeline->points[count - 2].at_ns : 0;

	if (count && seen->at_ns - before <= timeline->step_ns) {
		merge(&timeline->points[count - 1], seen);
		return;
	}
	if (count == SP_MONITOR_POINTS) {
		thin(timeline);
		sp_monitor_timeline_add(timeline, seen);
		return;
	}
	sp_grow(&timeline->points, &timeline->capacity, count + 1, sizeof(*timeline->points));
	timeline->points[timeline->count++] = *seen;
}

/* One of [at_ns, cpu_ns, rss_bytes, processes]; false: it is none, or is not later than the one before. */
static bool read_point(const json_t *row, const struct sp_monitor_point *before, struct sp_monitor_point *point)
{
	json_int_t n[4];

	for (size_t i = 0; i < 4; i++) {
		n[i] = json_integer_value(json_array_get(row, i));
		if (n[i] < 0)
			return false;
	}
	*point = (struct sp_monitor_point){(uint64_t)n[0], (uint64_t)n[1], (uint64_t)n[2], (uint32_t)n[3]};
	return point->at_ns && (!before || (point->at_ns > before->at_ns && point->cpu_ns >= before->cpu_ns));
}

bool sp_monitor_timeline_read(struct sp_monitor_timeline *timeline, const char *text, size_t bytes)
{
	json_t *all = json_loadb(text, bytes, 0, NULL), *points = json_object_get(all, "points"), *row;
	struct sp_monitor_point *before = NULL, point;
	bool fine = json_is_array(points) && json_array_size(points) <= SP_MONITOR_POINTS;
	size_t i;

	json_array_foreach(points, i, row)
	{
		fine = fine && read_point(row, before, &point);
		if (!fine)
			break;
		sp_grow(&timeline->points, &timeline->capacity, timeline->count + 1, sizeof(*timeline->points));
		before = &timeline->points[timeline->count++];
		*before = point;
	}
	json_decref(all);
	return fine && timeline->count;
}
