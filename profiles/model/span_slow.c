/* What slow spans have more than others.
 *
 * Both groups' samples are Poisson draws with weights: the variance of a sum is the sum of the squared weights, and one sample
 * more for what few samples leave open. Means of two groups differ by d, with the sum of the variances of both. A function
 * is named when d is beyond what chance gives to any of the functions that are looked at in one of 40 spans (Bonferroni). What is counted exactly in each span differs from span to span, and that is its variance. */
#include <math.h>
#include <string.h>

#include "profiles/model/span_parts.h"

#define Z95 1.959964
#define CHANCE 0.025       /* that any function is named without a reason */
#define LEAST_SAMPLES 10.0 /* of both groups together */
#define LEAST_SPANS 5u     /* of each */
#define LEAST_SHARE 0.05   /* of what others take */

struct group {
	double n, sum, variance; /* of the sum */
};

/* Sets *e to the difference of the groups' means. Returns its standard deviation. */
static double set_apart(const struct group *slow, const struct group *others, double unit, struct sp_span_extra *e)
{
	double a = slow->sum / slow->n, b = others->sum / others->n;
	double va = slow->variance / (slow->n * slow->n), vb = others->variance / (others->n * others->n);
	double deviation = sqrt(va + vb);

	if (!isfinite(a - b) || !isfinite(deviation))
		return 0;
	e->amount = (a - b) * unit;
	e->error = Z95 * deviation * unit;
	if (b > 0 && others->variance > 0 && b > Z95 * sqrt(vb)) {
		e->share = (a - b) / b;
		e->share_error = Z95 * sqrt(va + vb * (a / b) * (a / b)) / b;
	}
	return deviation;
}

/* --- samples ------------------------------------------------------------------------------------- */

static struct sp_sum rest_of(const struct sp_sum *all, const struct sp_sum *slow)
{
	return (struct sp_sum){fmax(all->weight - slow->weight, 0), fmax(all->sq - slow->sq, 0),
		fmax(all->samples - slow->samples, 0)};
}

static struct group group_of(const struct sp_sum *sum, double n, double one)
{
	return (struct group){n, sum->weight, sum->sq + one};
}

/* waited_in: NULL where sums are by function. */
static bool is_looked_at(const struct sp_profile *p, const struct sp_span_sums *sums,
	const struct sp_span_wait *waited_in, uint32_t what)
{
	uint32_t function = waited_in ? waited_in[what].function : what;

	return sums->all[what].samples >= LEAST_SAMPLES && !(p->functions[function].flags & SP_FUNCTION_PSEUDO);
}

/* The standard deviations that one of so many functions is beyond with CHANCE (Abramowitz & Stegun 26.2.23). */
static double sure_of(const struct sp_profile *p, const struct sp_span_sums *sums, const struct sp_span_wait *waited_in)
{
	double t, many = 0;

	for (size_t i = 0; i < sums->touched_count; i++)
		many += is_looked_at(p, sums, waited_in, sums->touched[i]);
	t = sqrt(-2 * log(CHANCE / fmax(many, 1)));
	return t -
		(2.515517 + 0.802853 * t + 0.010328 * t * t) /
		(1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t);
}

static bool judge_function(const struct sp_slow_spans *s, const struct sp_span_sums *sums, uint32_t function,
	double unit, double sure, struct sp_span_extra *e)
{
	struct sp_sum slow = sums->slow[function], rest = rest_of(&sums->all[function], &slow);
	double one = (slow.sq + rest.sq) / fmax(slow.samples + rest.samples, 1);
	struct group a = group_of(&slow, (double)s->count, one), b = group_of(&rest, (double)s->others, one);
	double deviation;

	*e = (struct sp_span_extra){.function = function};
	deviation = set_apart(&a, &b, unit, e);
	return deviation > 0 && e->amount > sure * deviation * unit;
}

static void insert(struct sp_span_extra *extras, unsigned *count, const struct sp_span_extra *e)
{
	unsigned i = *count;

	while (i && e->amount > extras[i - 1].amount)
		i--;
	if (i == SP_SPAN_EXTRAS_MOST)
		return;
	*count += *count < SP_SPAN_EXTRAS_MOST;
	memmove(&extras[i + 1], &extras[i], (*count - 1 - i) * sizeof(*extras));
	extras[i] = *e;
}

static void judge_samples(const struct sp_profile *p, struct sp_slow_spans *s, const struct sp_span_sampled *had)
{
	const struct sp_span_sums *cpu = &had->cpu, *heap = &had->heap;
	double sure = sure_of(p, cpu, NULL);
	struct sp_span_extra e;

	for (size_t i = 0; i < cpu->touched_count; i++)
		if (is_looked_at(p, cpu, NULL, cpu->touched[i]) &&
			judge_function(s, cpu, cpu->touched[i], 1e3, sure, &e) &&
			e.amount >= LEAST_SHARE * s->others_ns)
			insert(s->functions, &s->function_count, &e);
	sure = sure_of(p, heap, NULL);
	for (size_t i = 0; i < heap->touched_count; i++)
		if (is_looked_at(p, heap, NULL, heap->touched[i]) &&
			judge_function(s, heap, heap->touched[i], 1, sure, &e))
			insert(s->sites, &s->site_count, &e);
}

static void judge_waits(const struct sp_profile *p, struct sp_slow_spans *s, const struct sp_span_sampled *had)
{
	const struct sp_span_sums *waits = &had->waits;
	double sure = sure_of(p, waits, had->waited_in);
	struct sp_span_extra e;

	for (size_t i = 0; i < waits->touched_count; i++) {
		uint32_t what = waits->touched[i];

		if (!is_looked_at(p, waits, had->waited_in, what) || !judge_function(s, waits, what, 1e3, sure, &e) ||
			e.amount < LEAST_SHARE * s->others_ns)
			continue;
		e.function = had->waited_in[what].function;
		e.call = had->waited_in[what].call;
		e.lock = had->waited_in[what].lock;
		insert(s->waits, &s->wait_count, &e);
	}
}

/* --- what is counted in each ---------------------------------------------------------------------- */

/* n values with that sum, and that sum of squares. */
static struct group counted(double n, double sum, double squares)
{
	double spread = n > 1 ? fmax(squares - sum * sum / n, 0) / (n - 1) : 0;

	return (struct group){n, sum, n * spread};
}

static void compare(const struct group *slow, const struct group *others, double unit, struct sp_span_extra *e)
{
	if (slow->n >= LEAST_SPANS && others->n >= LEAST_SPANS)
		set_apart(slow, others, unit, e);
}

/* all and slow: n, sum, sum of squares. */
static void compare_counts(const double all[3], const double slow[3], double unit, struct sp_span_extra *e)
{
	struct group a = counted(slow[0], slow[1], slow[2]),
		     b = counted(all[0] - slow[0], all[1] - slow[1], all[2] - slow[2]);

	compare(&a, &b, unit, e);
}

static void judge_counts(const struct sp_span_info *span, struct sp_slow_spans *s)
{
	const struct sp_span_spread *all = &span->spread, *slow = &span->tail.spread;
	double n = (double)span->count, k = (double)span->tail.count;
	double m = (double)all->measured, j = (double)slow->measured;

	compare_counts((double[]){n, (double)all->own_ns / 1e3, all->us_sq},
		(double[]){k, (double)slow->own_ns / 1e3, slow->us_sq}, 1e3, &s->time);
	compare_counts((double[]){n, (double)span->bytes / 1024, all->kb_sq},
		(double[]){k, (double)span->tail.bytes / 1024, slow->kb_sq}, 1024, &s->bytes);
	compare_counts((double[]){m, (double)all->cpu_ns / 1e3, all->cpu_us_sq},
		(double[]){j, (double)slow->cpu_ns / 1e3, slow->cpu_us_sq}, 1e3, &s->cpu);
	compare_counts((double[]){m, (double)all->wait_ns / 1e3, all->wait_us_sq},
		(double[]){j, (double)slow->wait_ns / 1e3, slow->wait_us_sq}, 1e3, &s->wait);
	compare_counts((double[]){m, (double)all->faults, all->faults_sq},
		(double[]){j, (double)slow->faults, slow->faults_sq}, 1, &s->faults);
}

void sp_span_slow_judge(struct sp_profile *profile, struct sp_span_info *span, const struct sp_span_sampled *had)
{
	struct sp_slow_spans *s = sp_pool_alloc(&profile->pool, sizeof(*s));

	s->count = span->tail.count;
	s->others = span->count - span->tail.count;
	s->ns = (double)span->tail.spread.own_ns / (double)s->count;
	s->others_ns = fmax((double)span->spread.own_ns - (double)span->tail.spread.own_ns, 0) / (double)s->others;
	s->samples = (uint64_t)had->cpu.slow_total.samples;
	s->lost = profile->snapshot->header.spans.tail_lost != 0;
	judge_counts(span, s);
	if (!s->lost) {
		judge_samples(profile, s, had);
		judge_waits(profile, s, had);
	}
	span->slow_ones = s;
}
