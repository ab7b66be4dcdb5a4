/* The slow spans of a node, and what they had. */
#include "sampler/spans/slow.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "sampler/spans/table.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"

/* Spans of a count before it is known what is slow. */
#define FIRST 32u

/* Between two looks at what other threads find slow. */
#define TOGETHER 64u

/* The kernel is asked of one span in so much time that they took: two pairs of system calls are less than a hundredth of it. */
#define ASK_NS 500000u

#define TAIL_BUCKETS 16384u

static uint32_t tail_buckets[TAIL_BUCKETS] SP_BIG;
static uint32_t used; /* atomic: something is in the table: a child of one where nothing is need not empty it */

static struct sp_span_tail *tail_at(uint32_t index)
{
	return (struct sp_span_tail *)sp_section(SP_SEC_SPAN_TAIL) + index;
}

static struct sp_span_node *node_of(const struct sp_span_count *c)
{
	return (struct sp_span_node *)sp_section(SP_SEC_SPAN_NODES) + c->node;
}

/* --- samples of what is open --------------------------------------------------------------------- */

enum { CPU, HEAP, WAIT, KINDS };
_Static_assert(KINDS *SP_SPAN_DEPTH < SP_SPAN_SAMPLES, "thinning out makes room, whatever they are of");

static int kind_of(uint32_t stack)
{
	uint32_t flags = ((struct sp_stack *)sp_section(SP_SEC_STACKS))[stack].flags;

	return flags & SP_STACK_IS_WAIT ? WAIT : flags & SP_STACK_IS_HEAP ? HEAP : CPU;
}

/* Two become one, which is either with the chance of its weight: sums stay unbiased, and their error grows. */
static void join(struct sp_thread *t, struct sp_span_sample *a, const struct sp_span_sample *b, bool heap)
{
	uint64_t sum = a->weight + b->weight, unit = heap ? 64 : 1000; /* of which the squares are in `sq` */

	a->sq += b->sq;
	if (a->stack == b->stack)
		a->samples += b->samples;
	else
		a->sq += 2 * (a->weight / unit) * (b->weight / unit);
	if (a->stack != b->stack && sum && sp_random(t) % sum >= a->weight) {
		a->stack = b->stack;
		a->samples = b->samples;
	}
	a->weight = sum;
}

/* Makes room: every second of a kind is joined to the one before it, unless a span begins in between. */
static void thin_out(struct sp_thread *t, struct sp_span_thread *s)
{
	uint32_t lone[KINDS] = {SP_SPAN_SAMPLES, SP_SPAN_SAMPLES, SP_SPAN_SAMPLES}, count = 0, depth = 0, i;

	for (i = 0; i < SP_SPAN_SAMPLES; i++) {
		int kind = kind_of(s->samples[i].stack);

		for (; depth < s->depth && s->open[depth].sampled == i; depth++) {
			s->open[depth].sampled = count;
			lone[CPU] = lone[HEAP] = lone[WAIT] = SP_SPAN_SAMPLES;
		}
		if (lone[kind] < SP_SPAN_SAMPLES) {
			join(t, &s->samples[lone[kind]], &s->samples[i], kind == HEAP);
			lone[kind] = SP_SPAN_SAMPLES;
		} else {
			lone[kind] = count;
			s->samples[count++] = s->samples[i];
		}
	}
	for (; depth < s->depth; depth++)
		s->open[depth].sampled = count;
	s->sampled = count;
}

/* Neither when nothing is open, nor in the midst of a begin or an end. */
static bool is_in_span(const struct sp_thread *t)
{
	return t->spans && t->spans->depth && !t->span_busy_at;
}

void sp_span_sampled(struct sp_thread *t, uint32_t stack, uint64_t weight, uint64_t sq)
{
	struct sp_span_thread *s = t->spans;
	struct sp_span_sample *last;

	if (sp_likely(!is_in_span(t)))
		return;
	if (s->sampled == SP_SPAN_SAMPLES)
		thin_out(t, s);
	last = &s->samples[s->sampled - 1];
	if (s->sampled > s->open[s->depth - 1].sampled && last->stack == stack) {
		last->samples++;
		last->weight += weight;
		last->sq += sq;
		return;
	}
	s->samples[s->sampled] = (struct sp_span_sample){stack, 1, weight, sq};
	__atomic_store_n(&s->sampled, s->sampled + 1, __ATOMIC_RELEASE);
}

void sp_span_disturbed(struct sp_thread *t, uint64_t ns)
{
	struct sp_span_thread *s = t->spans;
	uint32_t depth = s ? sp_load(&s->depth) : 0;

	if (sp_unlikely(depth && !t->span_busy_at))
		s->open[depth - 1].inner_cost_ns += ns;
}

/* --- what the kernel counts ---------------------------------------------------------------------- */

static void read_usage(struct sp_span_usage *usage)
{
	struct rusage ru = {0};

	sp_sys(SYS_getrusage, RUSAGE_THREAD, &ru);
	usage->faults = (uint64_t)(ru.ru_minflt + ru.ru_majflt);
	usage->waits = (uint64_t)ru.ru_nvcsw;
	usage->cpu_ns = sp_clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void sp_span_used(const struct sp_span_usage *before, uint64_t cost_ns, struct sp_span_usage *used)
{
	read_usage(used);
	used->faults -= before->faults;
	used->waits -= before->waits;
	used->cpu_ns -= before->cpu_ns;
	used->cpu_ns -= used->cpu_ns < cost_ns ? used->cpu_ns : cost_ns;
}

void sp_span_ask(const struct sp_span_count *c, struct sp_span_open *o)
{
	o->measured = c->unmeasured_ns >= ASK_NS || c->sum_ns >= c->count * ASK_NS;
	if (sp_unlikely(o->measured))
		read_usage(&o->usage);
}

/* What a span would have taken if its thread could have had a CPU all the time. Where the thread has waited by itself, too, it
 * is not known which of the time that was. */
static uint64_t own_ns(const struct sp_span_open *o, const struct sp_span_had *had)
{
	return o->measured && !had->usage.waits && had->usage.cpu_ns < had->ns ? had->usage.cpu_ns : had->ns;
}

/* --- the longest of a node ----------------------------------------------------------------------- */

static struct sp_span_slowest *slowest_at(uint32_t index)
{
	return (struct sp_span_slowest *)sp_section(SP_SEC_SPAN_SLOWEST) + index;
}

/* Those of a node; NULL when the table is full. */
static struct sp_span_slowest *kept_of(struct sp_span_node *node)
{
	uint32_t first = __atomic_load_n(&node->slowest, __ATOMIC_ACQUIRE), made;

	if (first)
		return slowest_at(first);
	made = sp_spool_allot(SP_SEC_SPAN_SLOWEST, SP_SPAN_KEPT);
	if (!made) {
		sp_store(&node->kept_ns, UINT64_MAX);
		return NULL;
	}
	if (!__atomic_compare_exchange_n(&node->slowest, &first, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		made = first;
	return slowest_at(made);
}

static void add_part(struct sp_span_slowest *to, const struct sp_span_sample *sample)
{
	uint32_t stack = sample->stack, i;

	for (i = 0; i < to->parts && i < SP_SPAN_PARTS - 1 && to->part[i].stack != stack; i++)
		;
	if (i == to->parts) {
		to->part[i] = (struct sp_span_sample){.stack = i < SP_SPAN_PARTS - 1 ? stack : 0};
		to->parts++;
	}
	to->part[i].samples += sample->samples;
	to->part[i].weight += sample->weight;
	to->part[i].sq += sample->sq;
}

static void fill(struct sp_thread *t, const struct sp_span_thread *s, struct sp_span_slowest *to,
	const struct sp_span_open *o, const struct sp_span_had *had)
{
	uint32_t i;

	to->ns = had->ns;
	to->end_tsc = sp_tsc();
	to->tid = t->tid;
	to->measured = o->measured;
	to->cpu_ns = had->usage.cpu_ns;
	to->faults = had->usage.faults;
	to->bytes = had->bytes;
	to->parts = 0;
	for (i = o->sampled; i < s->sampled; i++)
		add_part(to, &s->samples[i]);
}

/* Takes the place of the shortest. One that another thread is writing to is left to it: whichever is longer might be lost, and
 * with it nothing that is counted. */
static void keep(struct sp_thread *t, const struct sp_span_thread *s, const struct sp_span_count *c,
	const struct sp_span_open *o, const struct sp_span_had *had)
{
	struct sp_span_node *node = node_of(c);
	struct sp_span_slowest *kept = kept_of(node), *to = kept;
	uint64_t least = UINT64_MAX;
	uint32_t seq, i;

	for (i = 0; kept && i < SP_SPAN_KEPT; i++)
		if (sp_load(&kept[i].ns) < sp_load(&to->ns))
			to = &kept[i];
	if (!kept || (seq = sp_load(&to->seq)) % 2 || to->ns >= had->ns ||
		!__atomic_compare_exchange_n(&to->seq, &seq, seq + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&to->seq_again, seq + 1, __ATOMIC_SEQ_CST);
	to->node = c->node;
	fill(t, s, to, o, had);
	__atomic_store_n(&to->seq_again, seq + 2, __ATOMIC_RELEASE);
	__atomic_store_n(&to->seq, seq + 2, __ATOMIC_RELEASE);
	for (i = 0; i < SP_SPAN_KEPT; i++)
		least = sp_load(&kept[i].ns) < least ? sp_load(&kept[i].ns) : least;
	sp_store(&node->kept_ns, least);
}

/* --- slow ones, all together --------------------------------------------------------------------- */

static uint64_t tail_key(uint32_t index)
{
	return (uint64_t)tail_at(index)->node << 32 | tail_at(index)->stack;
}

static const struct sp_span_table tail_table = {tail_buckets, TAIL_BUCKETS, tail_key};

/* The record of a stack in slow spans of a node; NULL when the table is full. */
static struct sp_span_tail *tail_of(uint32_t node, uint32_t stack)
{
	uint64_t key = (uint64_t)node << 32 | stack;
	uint32_t index, *empty = NULL, found = sp_span_table_find(&tail_table, key, &empty);

	if (found)
		return tail_at(found);
	index = empty ? sp_spool_allot(SP_SEC_SPAN_TAIL, 1) : 0;
	if (!index)
		return NULL;
	tail_at(index)->node = node;
	tail_at(index)->stack = stack;
	__atomic_store_n(&tail_at(index)->ready, 1, __ATOMIC_RELEASE);
	sp_store(&used, 1);
	found = sp_span_table_enter(&tail_table, key, index, empty);
	return found ? tail_at(found) : NULL;
}

static void add_samples(const struct sp_span_thread *s, const struct sp_span_open *o, uint32_t node)
{
	uint32_t i;

	for (i = o->sampled; i < s->sampled; i++) {
		const struct sp_span_sample *sample = &s->samples[i];
		struct sp_span_tail *to = tail_of(node, sample->stack);

		if (!to) {
			sp_add(&sp_agent.spool->spans.tail_lost, sample->samples);
			continue;
		}
		sp_add(&to->samples, sample->samples);
		sp_add(&to->weight, sample->weight);
		sp_add(&to->sq, sample->sq);
	}
}

static void add_usage(struct sp_span_spread *to, const struct sp_span_usage *usage, uint64_t own)
{
	uint64_t wait_ns = own > usage->cpu_ns ? own - usage->cpu_ns : 0;
	double cpu = (double)usage->cpu_ns / 1e3, wait = (double)wait_ns / 1e3, faults = (double)usage->faults;

	to->measured++;
	to->cpu_ns += usage->cpu_ns;
	to->wait_ns += wait_ns;
	to->faults += usage->faults;
	to->cpu_us_sq += cpu * cpu;
	to->wait_us_sq += wait * wait;
	to->faults_sq += faults * faults;
}

static void add_spread(struct sp_span_spread *to, const struct sp_span_open *o, const struct sp_span_had *had,
	uint64_t own)
{
	double us = (double)own * 1e-3;

	to->own_ns += own;
	to->us_sq += us * us;
	if (had->bytes)
		to->kb_sq += (double)had->bytes / 1024 * ((double)had->bytes / 1024);
	if (sp_unlikely(o->measured))
		add_usage(to, &had->usage, own);
}

/* --- what is slow -------------------------------------------------------------------------------- */

/* Follows what 58 of 64 are shorter than (Robbins & Monro, 1951), in steps that become smaller: in the end a seventieth up and
 * a seven hundredth down. */
static void follow_tail(struct sp_span_count *c, uint64_t ns)
{
	uint64_t tail = c->tail_ns_x256;
	unsigned shift = 12;

	if (sp_unlikely(c->count < 32 * FIRST))
		shift = c->count < 2 * FIRST ? 6 : c->count < 8 * FIRST ? 8 : 10;
	if (sp_unlikely(!tail)) {
		tail = sp_load(&node_of(c)->tail_ns_x256);
		c->tail_ns_x256 = tail ? tail : ns * 256;
		return;
	}
	tail = ns > tail / 256 ? tail + (tail * 58 >> shift) : tail - (tail * 6 >> shift);
	c->tail_ns_x256 = tail;
	if (sp_likely(c->count % TOGETHER != TOGETHER - 1))
		return;
	if (shift == 12)
		c->tail_ns_x256 = tail / 2 + sp_load(&node_of(c)->tail_ns_x256) / 2;
	sp_store(&node_of(c)->tail_ns_x256, c->tail_ns_x256);
}

/* What a sample takes is known on the average only: a span that is longer by that may just have been sampled. */
static uint64_t doubt_ns(void)
{
	const struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;

	return cpu->clock == SP_CLOCK_OFF ? 0 : 2 * cpu->signal_gap_ns;
}

void sp_span_compare(struct sp_thread *t, const struct sp_span_thread *s, struct sp_span_count *c,
	const struct sp_span_open *o, const struct sp_span_had *had)
{
	uint64_t own = own_ns(o, had);
	/* The last part is more than the steps that the estimate goes in. */
	bool slow = c->count >= FIRST && own > c->tail_ns_x256 / 256 + doubt_ns() + c->tail_ns_x256 / 8192;

	follow_tail(c, own);
	add_spread(&c->spread, o, had, own);
	c->unmeasured_ns = o->measured ? 0 : c->unmeasured_ns + had->ns;
	if (sp_unlikely(slow)) {
		c->tail.count++;
		c->tail.bytes += had->bytes;
		add_spread(&c->tail.spread, o, had, own);
		add_samples(s, o, c->node);
	}
	if (sp_unlikely(had->ns > sp_load(&node_of(c)->kept_ns)))
		keep(t, s, c, o, had);
}

SP_AT_FORK void sp_span_slow_forget(void)
{
	if (!used)
		return;
	sp_clear_pages(tail_buckets, sizeof(tail_buckets));
	used = 0;
}
