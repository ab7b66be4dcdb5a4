/* The heap's totals with their errors: what the sums over samples say, brought together with what is known exactly. */
#include "profiles/model/model.h"

#include <math.h>

#include "profiles/model/build.h"

#define Z95 1.96
#define AT_MOST_INTERVALS \
	3.0           /* -ln 0.05: more bytes than so many intervals are missed by all samples in 5 % of cases */
#define FEW_TURNS 2.5 /* up to so many renewals of what is in use the largest of the estimates is hardly biased */

static double positive(double x)
{
	return isfinite(x) && x > 0 ? x : 0;
}

/* How often in the whole run the samples that are alive were replaced by others. */
static double turns(const struct sp_heap_peak *k)
{
	double n = positive(k->last.entries), alive = n >= 1 ? positive(k->all_lives - k->all_freed) : 0;
	double squares = positive(k->all_freed_sq) + (n >= 1 ? alive * alive / n : 0);

	return squares > 0 ? positive(k->all_lives * k->clock / squares) : 1;
}

struct estimate {
	double bytes, variance;
};

/* Samples of weight `each` that sum up to `bytes`, moved by so many standard errors; a square root of a count has one of 1/2. */
static double moved(double bytes, double each, double errors)
{
	double root = sqrt(bytes / each) + errors / 2;

	return root > 0 ? root * root * each : 0;
}

/* The more often what is in use was renewed, the more the largest estimate by samples is too high. The other
 * estimate may be lower than it by that much. */
static struct estimate peak_of(const struct sp_heap_peak *k)
{
	struct estimate peak = {positive(k->smooth), positive(k->smooth_variance)};
	double often = turns(k), sampled = positive(k->largest - k->largest_exact),
	       variance = positive(k->largest_variance);
	double each = sampled > 0 && variance > 0 ? variance / sampled : 0,
	       any = each > 0 ? each : positive(k->largest_interval);
	double least = k->largest_exact + sampled, most = least, unseen = positive(k->largest_unseen);

	if (often > FEW_TURNS) {
		if (each > 0)
			least = k->largest_exact + moved(sampled, each, -sqrt(2.9 * log(often)));
		if (any > 0)
			most = k->largest_exact + moved(sampled + 0.4 * any, any, 1);
	}
	if (peak.bytes < least)
		peak = (struct estimate){least, variance + each * each + unseen * unseen};
	if (peak.bytes > most)
		peak = (struct estimate){most, variance + any * any};
	return peak;
}

/* Few samples of large weight may sum up to many times what the process ever had in memory. Programs touch most of what
 * they allocate: that more than this many times the memory was in use is believed only where samples exclude less. */
#define UNTOUCHED_TIMES 4

static struct estimate believable(struct estimate peak, double max_rss_bytes)
{
	double error = Z95 * sqrt(peak.variance), most = UNTOUCHED_TIMES * max_rss_bytes, rest;

	if (most <= 0 || peak.bytes <= most || peak.bytes - error > most)
		return peak;
	rest = fmin(peak.bytes + error - most, most) / Z95;
	return (struct estimate){most, rest * rest};
}

static uint64_t in_use_of(const struct sp_site *s)
{
	int64_t bytes = (int64_t)(s->alloc_bytes - s->free_bytes);

	return bytes > 0 ? (uint64_t)bytes : 0;
}

/* At-peak values as struct sp_site describes, brought up to date. */
static void settle_sites(struct sp_snapshot *s)
{
	for (size_t i = 0; i < s->site_count; i++) {
		struct sp_site *site = &s->sites[i];

		if (site->peak_seq >= s->header.heap.peak_seq)
			continue;
		site->peak_seq = s->header.heap.peak_seq;
		site->peak_bytes = in_use_of(site);
		site->peak_count = site->alloc_count - site->free_count;
	}
}

static double in_use_variance(const struct sp_site *s)
{
	return (int64_t)s->variance_inuse > 0 ? (double)s->variance_inuse : 0;
}

static double peak_variance(const struct sp_site *s)
{
	uint64_t inuse = in_use_of(s);

	if (inuse && in_use_variance(s) > 0)
		return in_use_variance(s) * (double)s->peak_bytes / (double)inuse;
	return s->alloc_bytes ? (double)s->variance_alloc * (double)s->peak_bytes / (double)s->alloc_bytes : 0;
}

/* `bytes` less or more of a site, not below nothing; its count goes with it. */
static uint64_t corrected(uint64_t bytes, double by)
{
	return (double)bytes + by > 0 ? (uint64_t)((double)bytes + by + 0.5) : 0;
}

/* What the sites say and what the total is known to be differ by chance alone: each takes its part of that, as
 * uncertain as it is. */
static void reconcile_peak(struct sp_snapshot *s, double total)
{
	double sum = 0, variance = 0, gap;

	for (size_t i = 0; i < s->site_count; i++) {
		sum += (double)s->sites[i].peak_bytes;
		variance += peak_variance(&s->sites[i]);
	}
	gap = total - sum;
	for (size_t i = 0; i < s->site_count && variance > 0; i++) {
		struct sp_site *site = &s->sites[i];
		uint64_t before = site->peak_bytes;

		site->peak_bytes = corrected(before, gap * peak_variance(site) / variance);
		if (before)
			site->peak_count =
				(uint64_t)((double)site->peak_count * (double)site->peak_bytes / (double)before + 0.5);
	}
}

/* Parts are never more than the whole. */
static void cap_peak(struct sp_snapshot *s, double total)
{
	double sum = 0;

	for (size_t i = 0; i < s->site_count; i++)
		sum += (double)s->sites[i].peak_bytes;
	for (size_t i = 0; i < s->site_count && sum > total; i++) {
		s->sites[i].peak_bytes = (uint64_t)((double)s->sites[i].peak_bytes * total / sum);
		s->sites[i].peak_count = (uint64_t)((double)s->sites[i].peak_count * total / sum + 0.5);
	}
}

static void reconcile_in_use(struct sp_snapshot *s, double total)
{
	double variance = 0, gap = total - (double)s->header.heap.inuse_bytes;

	for (size_t i = 0; i < s->site_count; i++)
		variance += in_use_variance(&s->sites[i]);
	for (size_t i = 0; i < s->site_count && variance > 0; i++) {
		struct sp_site *site = &s->sites[i];
		uint64_t before = in_use_of(site);

		site->free_bytes = site->alloc_bytes - corrected(before, gap * in_use_variance(site) / variance);
	}
}

/* Of what is in use at the end. Blocks that no sample stands for may be there as long as exact counts leave any. */
static double in_use_error(const struct sp_profile *p)
{
	const struct sp_heap_totals *h = &p->snapshot->header.heap;
	double interval = (double)h->interval_bytes, variance = 0, unseen,
	       missable = positive(h->peak.last.count - h->peak.last.entries) * (double)h->missable_bytes;

	if (p->heap_allocations > p->heap_frees && !h->inuse_bytes)
		return fmin(AT_MOST_INTERVALS * interval, (double)p->heap_allocated_bytes);
	for (size_t i = 0; i < p->snapshot->site_count; i++)
		variance += in_use_variance(&p->snapshot->sites[i]) * SP_VARIANCE_UNIT;
	unseen = fmin(interval, fmax(2 * positive(h->peak.counted), missable));
	return Z95 * sqrt(variance + unseen * unseen);
}

void sp_heap_settle(struct sp_profile *profile)
{
	struct sp_snapshot *s = profile->snapshot;
	struct sp_heap_totals *h = &s->header.heap;
	struct estimate peak = believable(peak_of(&h->peak), (double)s->header.max_rss_bytes);

	if (!profile->heap_on)
		return;
	if (peak.bytes > (double)profile->heap_allocated_bytes && profile->heap_allocated_bytes)
		peak.bytes = (double)profile->heap_allocated_bytes;
	settle_sites(s);
	profile->heap_inuse_error = in_use_error(profile);
	if (!(h->peak.clock > 0) || !(peak.bytes > 0))
		return;
	reconcile_peak(s, peak.bytes);
	cap_peak(s, peak.bytes);
	h->peak_bytes = (uint64_t)(peak.bytes + 0.5);
	profile->heap_peak_error = fmax(Z95 * sqrt(peak.variance), positive(h->peak.possible - peak.bytes));
	/* What is there at the end cannot be more than at the peak. */
	if (h->inuse_bytes > h->peak_bytes) {
		reconcile_in_use(s, peak.bytes);
		h->inuse_bytes = h->peak_bytes;
	}
}
