/* When a guardian acts. */
#include "tools/guard/rules.h"

#include <math.h>
#include <stdlib.h>

#define MEGABYTE 1000000u
#define SLEPT_NS 1000000000u /* more than a busy machine makes a look late: the guardian was stopped */
#define NEVER_SOONER_NS 100000000u
/* No program gets more memory in a nanosecond: the kernel clears pages at some gigabytes a second for each core. */
#define BYTES_A_NS 8u

const char *const sp_guard_rule_names[SP_GUARD_NAMES] = {"warning", "critical", "profiling", "cpu", "response"};

uint64_t sp_guard_threshold_bytes(const struct sp_guard_threshold *wanted, enum sp_guard_rule_id id,
	uint64_t limit_bytes)
{
	static const unsigned most_percent[SP_GUARD_MEMORY_RULES] = {50, 75, 90};
	uint64_t bytes = wanted->megabytes * MEGABYTE, most = limit_bytes / 100 * most_percent[id];

	if (wanted->percent)
		return limit_bytes / 100 * wanted->percent;
	return !wanted->given && most && most < bytes ? most : bytes;
}

uint64_t sp_guard_rule_needs(const struct sp_guard_rule *rule)
{
	uint64_t grown = rule->high + rule->high / 4;

	return grown > rule->threshold ? grown : rule->threshold;
}

static bool is_above(const struct sp_guard_rule *r)
{
	return r->since_ns && r->last >= r->threshold;
}

unsigned sp_guard_above(const struct sp_guard_rules *rules)
{
	unsigned above = 0;

	for (unsigned i = 0; i < SP_GUARD_RULES; i++)
		above |= (unsigned)is_above(&rules->rule[i]) << i;
	return above;
}

static bool look(struct sp_guard_rule *r, uint64_t now_ns, uint64_t value, uint64_t window_ns)
{
	if (!r->since_ns || is_above(r) != (value >= r->threshold))
		r->since_ns = now_ns;
	r->last = value;
	if (value < r->threshold - r->threshold / 10)
		r->high = 0;
	if (value < sp_guard_rule_needs(r))
		r->above_ns = 0;
	else if (!r->above_ns)
		r->above_ns = now_ns;
	return r->above_ns && now_ns - r->above_ns >= window_ns;
}

static bool is_memory(unsigned id)
{
	return id < SP_GUARD_MEMORY_RULES;
}

/* While the next threshold is near, or a higher one is being or has been crossed, growth is that one's to tell. */
static bool is_for_a_higher_one(const struct sp_guard_rules *rules, unsigned id)
{
	const struct sp_guard_rule *r = &rules->rule[id];

	for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++) {
		const struct sp_guard_rule *other = &rules->rule[i];

		if (other->threshold > r->threshold &&
			(other->high || other->above_ns ||
				sp_guard_rule_needs(r) > other->threshold - other->threshold / 5))
			return true;
	}
	return false;
}

unsigned sp_guard_rules_look(struct sp_guard_rules *rules, uint64_t now_ns, uint64_t memory, uint64_t cpu)
{
	unsigned due = 0;
	bool slept = now_ns - rules->looked_ns > rules->window_ns + SLEPT_NS;

	rules->looked_ns = now_ns;
	for (unsigned i = 0; i < SP_GUARD_RULES; i++) {
		struct sp_guard_rule *r = &rules->rule[i];
		uint64_t value = is_memory(i) ? memory : cpu;

		if (slept)
			r->above_ns = 0;
		if (r->threshold && value != SP_GUARD_UNKNOWN && look(r, now_ns, value, rules->window_ns))
			due |= 1u << i;
	}
	for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++)
		if (rules->rule[i].high && is_for_a_higher_one(rules, i))
			due &= ~(1u << i);
	return due;
}

void sp_guard_rules_fired(struct sp_guard_rules *rules, unsigned which, uint64_t memory, uint64_t cpu)
{
	for (unsigned i = 0; i < SP_GUARD_RULES; i++) {
		struct sp_guard_rule *r = &rules->rule[i];

		if (!(which & 1u << i))
			continue;
		r->high = is_memory(i) ? memory : cpu;
		r->above_ns = 0;
		r->fired++;
	}
}

void sp_guard_rules_not(struct sp_guard_rules *rules, unsigned which)
{
	for (unsigned i = 0; i < SP_GUARD_RULES; i++) {
		if (!(which & 1u << i))
			continue;
		rules->rule[i].above_ns = 0;
		rules->rule[i].unconfirmed++;
	}
}

/* Of the kind, how many have a threshold and stand like this. */
static unsigned count(const struct sp_guard_rules *rules, bool memory, bool fired)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SP_GUARD_RULES; i++)
		n += is_memory(i) == memory && rules->rule[i].threshold && (rules->rule[i].high != 0) == fired;
	return n;
}

bool sp_guard_may_capture(struct sp_guard_rules *rules, enum sp_guard_rule_id id, bool again, uint64_t now_ns)
{
	bool memory = is_memory(id);
	struct sp_guard_sequence *s = memory ? &rules->memory : &rules->cpu;
	unsigned kept = again ? count(rules, memory, false) : 0;

	/* That all were armed again shows in that this one, the first since, has not fired again. */
	if (!s->began_ns || (!again && count(rules, memory, true) == 1 && now_ns - s->began_ns >= SP_GUARD_SEQUENCE_NS))
		*s = (struct sp_guard_sequence){.began_ns = now_ns, .suppressed = s->suppressed};
	if (s->captures + kept >= SP_GUARD_SEQUENCE_CAPTURES) {
		s->suppressed++;
		return false;
	}
	s->captures++;
	return true;
}

enum sp_guard_rule_id sp_guard_next_rule(const struct sp_guard_rules *rules, uint64_t memory)
{
	unsigned next = SP_GUARD_RULES;

	for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++)
		if (rules->rule[i].threshold > memory &&
			(next == SP_GUARD_RULES || rules->rule[i].threshold < rules->rule[next].threshold))
			next = i;
	return next;
}

uint64_t sp_guard_pause_ns(const struct sp_guard_rules *rules, uint64_t memory)
{
	uint64_t most = rules->window_ns, least = rules->window_ns / 5;

	if (least > NEVER_SOONER_NS)
		least = NEVER_SOONER_NS;
	for (unsigned i = 0; i < SP_GUARD_MEMORY_RULES; i++) {
		const struct sp_guard_rule *r = &rules->rule[i];
		uint64_t needs = sp_guard_rule_needs(r), pause;

		if (!r->threshold)
			continue;
		pause = needs > memory ? (needs - memory) / BYTES_A_NS : 0;
		most = pause < most ? pause : most;
	}
	if (rules->rule[SP_GUARD_CPU].threshold && most > rules->window_ns / 5)
		most = rules->window_ns / 5;
	return most > least ? most : least;
}

/* --- where it leads ----------------------------------------------------------------------------- */

static int ascending(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

#define TREND_LEAST 8u

bool sp_guard_trend(struct sp_guard_trend *trend, const struct sp_guard_point *points, size_t count)
{
	static double slopes[SP_GUARD_TREND_POINTS * (SP_GUARD_TREND_POINTS - 1) / 2];
	size_t n = 0, middle;
	double reach;

	if (count > SP_GUARD_TREND_POINTS) {
		points += count - SP_GUARD_TREND_POINTS;
		count = SP_GUARD_TREND_POINTS;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			if (points[k].t_ns > points[i].t_ns)
				slopes[n++] = ((double)points[k].memory - (double)points[i].memory) /
					((double)(points[k].t_ns - points[i].t_ns) / 1e9);
	if (count < TREND_LEAST || n < count)
		return false;
	qsort(slopes, n, sizeof(*slopes), ascending);
	middle = n / 2;
	/* P. K. Sen, 1968: ranks of the median's bounds, from the variance of Kendall's statistic. */
	reach = 1.96 * sqrt((double)count * (double)(count - 1) * (double)(2 * count + 5) / 18) / 2;
	trend->slope = n % 2 ? slopes[middle] : (slopes[middle - 1] + slopes[middle]) / 2;
	trend->low = slopes[reach >= (double)n / 2 ? 0 : (size_t)((double)n / 2 - reach)];
	trend->high = slopes[reach >= (double)n / 2 - 1 ? n - 1 : (size_t)((double)n / 2 + reach)];
	return true;
}

bool sp_guard_forecast(const struct sp_guard_trend *trend, uint64_t memory, uint64_t threshold, double *sooner,
	double *later)
{
	double left = (double)threshold - (double)memory;

	if (trend->slope <= 0 || trend->high <= 0 || left <= 0)
		return false;
	*sooner = left / trend->high;
	*later = trend->low > 0 ? left / trend->low : (double)INFINITY;
	return true;
}

static void thin_out(struct sp_guard_timeline *t)
{
	for (size_t i = 0; i < t->count / 2; i++) {
		const struct sp_guard_point *a = &t->points[2 * i], *b = a + 1;

		t->points[i] = a->memory > b->memory ? *a : *b;
	}
	t->count /= 2;
	t->period_ns *= 2;
}

void sp_guard_timeline_add(struct sp_guard_timeline *t, const struct sp_guard_point *point)
{
	struct sp_guard_point *last = t->count ? &t->points[t->count - 1] : NULL;

	if (last && point->t_ns - last->t_ns < t->period_ns) {
		if (point->memory > last->memory)
			last->memory = point->memory;
		if (point->rss > last->rss)
			last->rss = point->rss;
		return;
	}
	if (t->count == SP_GUARD_POINTS)
		thin_out(t);
	t->points[t->count++] = *point;
}
