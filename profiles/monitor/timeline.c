/* The timeline of a run, of any length in the same room. */
#include "profiles/monitor/run.h"

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
