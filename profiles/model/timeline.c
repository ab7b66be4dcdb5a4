/* The timeline of the run, cut into slices. */
#include "profiles/model/timeline.h"

#include "profiles/base/figures.h"

static uint64_t cpu_ns(const struct sp_timepoint *t)
{
	return t->user_ns + t->sys_ns;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* No interval has more CPU time than its cores could give. The kernel brings what a thread on another processor has
 * used up to date at ticks alone, and the thread that takes a point may be preempted between the clock and the
 * count. What is too much for an interval was used in the intervals before it. */
static void spread(struct sp_slice *slices, size_t n, double cores)
{
	for (size_t i = n; i-- > 1;) {
		uint64_t span = later(slices[i].end_ns, slices[i - 1].end_ns), most = sp_whole(cores * (double)span);
		uint64_t excess = later(slices[i].cpu_ns, most);

		slices[i].cpu_ns -= excess;
		slices[i - 1].cpu_ns += excess;
	}
	for (size_t i = 0; i + 1 < n; i++) { /* what even the first interval cannot have had was counted too early */
		uint64_t span = i ? later(slices[i].end_ns, slices[i - 1].end_ns) : slices[i].end_ns;
		uint64_t excess = later(slices[i].cpu_ns, sp_whole(cores * (double)span));

		slices[i].cpu_ns -= excess;
		slices[i + 1].cpu_ns += excess;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t span = i ? later(slices[i].end_ns, slices[i - 1].end_ns) : slices[i].end_ns;

		slices[i].cores = span ? (double)slices[i].cpu_ns / (double)span : 0;
	}
}

/* Cores that the process can have had at any moment: a quota, which is seldom a whole number, lets it have all for a
 * while. */
static double most_cores(const struct sp_snapshot *s)
{
	const struct sp_spool_header *h = &s->header;
	uint64_t threads = 0;
	double cores = h->host_cores ? h->host_cores : 1e6;

	for (size_t i = 0; i < s->thread_count; i++)
		threads += i ? s->threads[i].state != 0 : s->threads[i].merged;
	if (h->usable_millicores && h->usable_millicores % 1000 == 0)
		cores = (double)h->usable_millicores / 1e3;
	return threads && (double)threads < cores ? (double)threads : cores;
}

size_t sp_timeline_cut(const struct sp_snapshot *s, struct sp_slice *slices, size_t most)
{
	size_t n = s->timeline_count < most ? s->timeline_count : most, from = 0;
	struct sp_timepoint last = {0};

	for (size_t i = 0; i < n; i++) {
		size_t to = (i + 1) * s->timeline_count / n;
		struct sp_slice *out = &slices[i];

		*out = (struct sp_slice){.end_ns = s->timeline[to - 1].t_ns,
			.cpu_interval_ns = s->timeline[to - 1].cpu_interval_ns,
			.heap_interval_bytes = s->timeline[to - 1].heap_interval_bytes,
			.logged = s->timeline[to - 1].logged};
		for (; from < to; from++) {
			const struct sp_timepoint *t = &s->timeline[from];

			out->rss_bytes = t->rss_bytes > out->rss_bytes ? t->rss_bytes : out->rss_bytes;
			out->heap_bytes = t->heap_inuse_bytes > out->heap_bytes ? t->heap_inuse_bytes : out->heap_bytes;
		}
		out->cpu_ns = later(cpu_ns(&s->timeline[to - 1]), cpu_ns(&last));
		last = s->timeline[to - 1];
	}
	spread(slices, n, most_cores(s));
	return n;
}
