/* The peak of what is in use: see peak.h. */
#include "sampler/heap/peak.h"

#include "sampler/heap/estimate.h"

static uint32_t busy;
static uint32_t stops; /* of sampling, as far as they are looked at */

/* Over the window: what was in use by exact counts, times the intervals that it was so. */
static struct {
	double count, bytes;
} sums;

static double natural_log(double x)
{
	return x < 9e15 ? 53 * 0.6931471805599453 - sp_minus_log((uint64_t)x) : 36.7;
}

static double positive(int64_t x)
{
	return x > 0 ? (double)x : 0;
}

static void look(const struct sp_heap_totals *h, struct sp_peak_totals *now)
{
	now->bytes = (double)sp_load(&h->flushed_bytes) - (double)sp_load(&h->exact_allocated_bytes) -
		(double)sp_load(&h->stopped_bytes);
	now->allocs = (double)sp_load(&h->flushed_allocs) - (double)sp_load(&h->exact_allocs) -
		(double)sp_load(&h->stopped_count);
	now->count = positive((int64_t)(sp_load(&h->flushed_allocs) - sp_load(&h->flushed_frees) -
		sp_load(&h->exact_count)));
	now->small = positive((int64_t)(sp_load(&h->inuse_bytes) - sp_load(&h->exact_bytes)));
	now->entries = positive((int64_t)(sp_load(&h->live_entries) - sp_load(&h->exact_count)));
}

static void forget_window(struct sp_heap_peak *k)
{
	k->window = k->sampled_sum = k->counted_sum = k->lives = k->freed = k->freed_sq = 0;
	sums.count = sums.bytes = 0;
}

/* Sampling was stopped: what is there by now beside what samples stand for is in neither estimate. */
static void begin_again(const struct sp_heap_totals *h, struct sp_heap_peak *k, const struct sp_peak_totals *now)
{
	double sampled = positive((int64_t)(sp_load(&h->inuse_count) - sp_load(&h->exact_count)));

	k->older = now->count > sampled ? now->count - sampled : 0;
	forget_window(k);
	k->counted = now->small;
	k->last.set = 0;
}

static void shorten_window(struct sp_heap_peak *k)
{
	double keep;

	if (k->window <= SP_PEAK_WINDOW)
		return;
	keep = SP_PEAK_WINDOW / k->window;
	k->window *= keep, k->sampled_sum *= keep, k->counted_sum *= keep;
	k->lives *= keep, k->freed *= keep, k->freed_sq *= keep;
	sums.count *= keep, sums.bytes *= keep;
}

/* Brings everything up to date with what has been counted since the last time. */
static void step(const struct sp_heap_totals *h, struct sp_heap_peak *k)
{
	struct sp_peak_totals now, *last = &k->last;
	double interval = (double)sp_load(&h->interval_bytes), bytes, passed, keep;

	look(h, &now);
	if (!k->began) { /* what was there before sampling is not in either estimate */
		k->began = 1;
		forget_window(k);
		k->older = now.count - now.entries;
		stops = sp_load(&sp_agent.stops);
	} else if (sp_unlikely(stops != sp_load(&sp_agent.stops))) {
		stops = sp_load(&sp_agent.stops);
		begin_again(h, k, &now);
	}
	now.count = now.count > k->older ? now.count - k->older : 0;
	bytes = now.bytes - last->bytes;
	keep = last->count + now.allocs - last->allocs;
	k->counted = (k->counted + (last->set ? bytes : 0)) * (keep > now.count ? now.count / keep : 1);
	if (k->counted < 0 || now.count <= 0)
		k->counted = 0;
	passed = last->set && bytes > 0 ? bytes / interval : 0;
	k->clock += passed;
	k->window += passed;
	k->sampled_sum += last->small / interval * passed;
	k->counted_sum += k->counted / interval * passed;
	sums.count += last->count * passed;
	sums.bytes += k->counted * passed;
	k->lives += last->entries * passed;
	k->all_lives += last->entries * passed;
	shorten_window(k);
	*last = now;
	last->set = 1;
}

/* How many samples alive at one moment tell as much as those of the window, which are there for many moments each. */
static double independent(const struct sp_heap_peak *k)
{
	double n = k->last.entries, alive = n >= 1 && k->lives > k->freed ? k->lives - k->freed : 0;
	double squares = k->freed_sq + (n >= 1 ? alive * alive / n : 0),
	       many = squares > 0 ? k->lives * k->lives / squares : n;

	return many > n ? many : n;
}

/* Whether `estimate` is unlikely to be true, given that the samples, each of weight `each`, say `sampled`. The
 * chance of a mistake in the whole run is the same for long runs and short ones. */
static bool is_contradicted(double estimate, double sampled, double variance, double each, double interval, double z)
{
	if (estimate < sampled)
		return each <= 0 || sp_root(sampled / each) - sp_root(estimate / each) > z / 2;
	return estimate - sampled > z * sp_root(variance) + interval * z * z / 4;
}

/* The samples' own error says nothing of blocks without one: so many are known to be there, none larger than those sampled. */
static double unseen(const struct sp_heap_totals *h, const struct sp_heap_peak *k)
{
	double interval = (double)sp_load(&h->interval_bytes),
	       most = (k->last.count - k->last.entries) * (double)sp_load(&h->missable_bytes);

	if (most < 0)
		return 0;
	return most < interval ? most : interval;
}

#define CHANCE 2.0 /* standard errors */

#define EXCEPTIONS 4.0 /* that are supposed beside what was seen */

/* How far two numbers are apart, as a share of the smaller one. */
static double apart(double a, double b)
{
	double smaller = a < b ? a : b;

	return smaller > 0 ? (a + b - 2 * smaller) / smaller : 1;
}

/* The estimate by exact counts has held while what is in use was renewed so many times in the window. The more often, the less
 * likely is this moment to be an exception (the rule of succession). But of what is more or less now than it was in the window
 * nothing was renewed. */
static double exception(const struct sp_heap_peak *k, double many)
{
	double part = EXCEPTIONS * (k->last.entries + 1) / (many > 0 ? many : 1), count, bytes;

	if (k->window <= 0)
		return 1;
	count = apart(k->last.count, sums.count / k->window);
	bytes = apart(k->counted, sums.bytes / k->window);
	part += count > bytes ? count : bytes;
	return part < 1 ? part : 1;
}

static double in_use(const struct sp_heap_totals *h, struct sp_heap_peak *k, double *variance)
{
	double interval = (double)sp_load(&h->interval_bytes), sampled = k->last.small;
	double var = positive((int64_t)sp_load(&h->inuse_variance)) * SP_VARIANCE_UNIT;
	double each = sampled > 0 ? var / sampled : 0, many = independent(k), estimate = k->counted, off, corrected;
	double z = sp_root(2 * natural_log(1 + (double)sp_load(&h->sampled_frees) / (k->last.entries + 1)) + 9);
	double spread, missed = unseen(h, k);

	corrected = k->counted_sum > 0 ? estimate * k->sampled_sum / k->counted_sum : estimate;
	off = estimate > corrected ? estimate - corrected : corrected - estimate;
	if (many > 4 && off > CHANCE * corrected / sp_root(many))
		estimate = corrected;
	spread = var + each * each;
	if (is_contradicted(estimate, sampled, var, each, interval, z)) {
		forget_window(k);
		*variance = spread + missed * missed;
		return sampled;
	}
	if (estimate > sampled)
		spread += interval * (estimate - sampled);
	*variance = estimate * estimate / (many > 0.5 ? many : 0.5) +
		exception(k, many) * (spread / 4 + missed * missed + (estimate - sampled) * (estimate - sampled) / 2);
	return estimate;
}

static void note_largest(const struct sp_heap_totals *h, struct sp_heap_peak *k)
{
	double now = positive((int64_t)sp_load(&h->inuse_bytes));

	if (now <= k->largest)
		return;
	k->largest = now;
	k->largest_exact = positive((int64_t)sp_load(&h->exact_bytes));
	k->largest_variance = positive((int64_t)sp_load(&h->inuse_variance)) * SP_VARIANCE_UNIT;
	k->largest_interval = (double)sp_load(&h->interval_bytes);
	k->largest_unseen = unseen(h, k);
}

bool sp_peak_allocated(void)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	struct sp_heap_peak *k = &h->peak;
	double variance, now, possible;
	bool higher;

	if (!sp_try_lock(&busy))
		return false;
	step(h, k);
	note_largest(h, k);
	now = in_use(h, k, &variance) + positive((int64_t)sp_load(&h->exact_bytes));
	possible = now + unseen(h, k);
	if (possible > k->possible)
		k->possible = possible;
	higher = now > k->smooth;
	if (higher) {
		k->smooth = now;
		k->smooth_variance = variance;
	}
	sp_unlock(&busy);
	return higher;
}

void sp_peak_freed(double born, bool exact)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;
	struct sp_heap_peak *k = &h->peak;
	double lived;

	if (!sp_try_lock(&busy))
		return;
	step(h, k);
	lived = k->clock - born;
	if (!exact && lived > 0) {
		k->freed += lived;
		k->freed_sq += lived * lived;
		k->all_freed += lived;
		k->all_freed_sq += lived * lived;
	}
	sp_unlock(&busy);
}

double sp_peak_clock(void)
{
	return sp_agent.spool->heap.peak.clock;
}
