/* Short calls. Whoever takes the CPU from a thread mostly keeps it for longer, so that none is asked whether it slept: each time
 * the kernel is, it divides the time since its last tick into user and system time by how all of it was divided, and CPU samples
 * would not tell any more whose the system time is. */
#include "sampler/waits/shorts.h"

#include "sampler/clock/governor.h"
#include "sampler/waits/look.h"
#include "sampler/waits/pick.h"
#include "sampler/waits/queue.h"

/* So much is handed on at once, where the longest calls are doubled that often too: adding up is nearly all that a call costs,
 * and the one that fills it has been drawn by its length. */
#define BATCH_NS 200000u

/* A call that is looked at is so before and after it. Until a thread has had a few, its calls are as those of others. */
#define PAIR_NS (2 * SP_LOOK_NS)
#define FEW_LOOKS 8u
#define FREE_GAP 2u
#define GAP_MAX 100000u

/* The oldest looks are forgotten: what a program reads changes. */
#define MEMORY 256u
#define MEMORY_ASKED 64u

/* Where so many looks have found less than this part of the calls' time waited, as in reads that the page cache answers, no more
 * than one call in QUIET_GAP is looked at: what that can miss is little. They are more than the part is taken from, for that one may
 * be found to be none by chance where few calls wait, and would then be taken for none for long. */
#define QUIET_LOOKS 2048u
#define QUIET_PART 64u
#define QUIET_GAP 64u

/* The call may be among others that are too short to be one of these: so many are looked at. */
#define TRIES 8u

/* Of those that are looked at, one in so many for its part in the run queue too: the rest of what may be asked is for longer waits.
 * Where the last looks have found next to no waiting, it is one in QUIET_ASK_PART. */
#define ASK_PART 4u
#define QUIET_ASK_PART 64u
#define FEW_ASKED 4u

static struct sp_short_part others[SP_WAIT_KINDS]; /* atomic: of all threads */

static const struct sp_short_part *part_of(const struct sp_thread *t, enum sp_wait_kind kind)
{
	const struct sp_short_part *mine = &t->wait.shorts[kind].looked;

	return mine->calls >= FEW_LOOKS ? mine : &others[kind];
}

static uint64_t off_in(const struct sp_short_part *part, uint64_t cycles)
{
	uint64_t ns = sp_load(&part->ns);

	return ns ? (uint64_t)((double)sp_tsc_ns(cycles) * (double)sp_load(&part->off_ns) / (double)ns) : 0;
}

/* How many of so many such calls were off the CPU. */
static double waits_in(const struct sp_short_part *part, double calls)
{
	uint64_t all = sp_load(&part->calls);

	return all ? calls * (double)sp_load(&part->waits) / (double)all : 0;
}

/* Of such calls: what part of the time that the thread was off the CPU it was blocked. */
static double blocked_part(const struct sp_thread *t, enum sp_wait_kind kind)
{
	const struct sp_short_part *mine = &t->wait.shorts[kind].looked,
				   *part = mine->asked >= FEW_ASKED ? mine : &others[kind];
	uint64_t off_ns = sp_load(&part->asked_off_ns), queue_ns = sp_load(&part->queue_ns);

	return !off_ns ? 1 : queue_ns < off_ns ? 1 - (double)queue_ns / (double)off_ns : 0;
}

void sp_wait_count(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns, uint64_t count, uint64_t longest_ns)
{
	struct sp_thread_record *r = t->record ? t->record : sp_section(SP_SEC_THREADS);

	sp_add(&r->waits[kind].ns, ns);
	sp_add(&r->waits[kind].count, count);
	sp_raise(&r->waits[kind].longest_ns, longest_ns);
}

/* `waits` calls were off the CPU for `off_ns`. Rounded by chance, so that many small numbers add up. */
static void count(struct sp_thread *t, enum sp_wait_kind kind, uint64_t off_ns, double waits)
{
	double part = blocked_part(t, kind);
	uint64_t ns = (uint64_t)((double)off_ns * part);

	t->wait.queue_off_ns += off_ns - ns;
	if (ns)
		sp_wait_count(t, kind, ns, (uint64_t)(waits * part + sp_uniform(t)), t->wait.shorts[kind].longest_ns);
}

static void settle(struct sp_thread *t, enum sp_wait_kind kind)
{
	struct sp_short_calls *s = &t->wait.shorts[kind];
	const struct sp_short_part *part = part_of(t, kind);
	uint64_t off_ns;

	if (!s->count || !sp_load(&part->calls))
		return;
	off_ns = off_in(part, s->cycles);
	t->wait.unlooked_ns += off_ns;
	count(t, kind, off_ns, waits_in(part, (double)s->count));
	s->cycles = s->count = 0;
}

void sp_short_settle(struct sp_thread *t)
{
	for (unsigned kind = 0; kind < SP_WAIT_KINDS; kind++)
		settle(t, kind);
}

static bool finds_little(const struct sp_short_part *looked)
{
	return looked->calls >= MEMORY / 2 && looked->off_ns * QUIET_PART < looked->ns;
}

void sp_short_look(struct sp_thread *t)
{
	struct sp_thread_waits *w = &t->wait;
	const struct sp_short_part *looked = &w->shorts[sp_wait_kind_of((enum sp_wait_call)w->look_call)].looked;
	unsigned part = finds_little(looked) ? QUIET_ASK_PART : ASK_PART;

	sp_short_settle(t);
	w->short_queue_known = sp_random(t) % part == 0 && sp_wait_queue_ask(t, &w->short_queue_ns);
	w->queue_off_ns += sp_wait_look(t);
	w->short_looks++;
	sp_pick_cost(PAIR_NS);
}

static void add(struct sp_short_part *to, const struct sp_short_part *one)
{
	sp_add(&to->calls, one->calls);
	sp_add(&to->ns, one->ns);
	sp_add(&to->waits, one->waits);
	sp_add(&to->off_ns, one->off_ns);
	sp_add(&to->asked, one->asked);
	sp_add(&to->asked_off_ns, one->asked_off_ns);
	sp_add(&to->queue_ns, one->queue_ns);
}

static void forget_old(struct sp_short_calls *s)
{
	struct sp_short_part *p = &s->looked;

	if (p->calls >= MEMORY) {
		p->calls /= 2;
		p->ns /= 2;
		p->waits /= 2;
		p->off_ns /= 2;
	}
	if (p->asked >= MEMORY_ASKED) {
		p->asked /= 2;
		p->asked_off_ns /= 2;
		p->queue_ns /= 2;
	}
	if (s->long_calls >= 2 * QUIET_LOOKS) {
		s->long_calls /= 2;
		s->long_ns /= 2;
		s->long_off_ns /= 2;
	}
}

/* A call of `ns`, before which the thread was looked at. */
static void learn(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns)
{
	struct sp_short_calls *s = &t->wait.shorts[kind];
	uint64_t since_ns = sp_wait_look(t), off_ns = sp_wait_off(ns, since_ns), queue_ns = 0;
	struct sp_short_part one = {.calls = 1, .ns = ns, .waits = off_ns > 0, .off_ns = off_ns};

	if (t->wait.short_queue_known)
		one = (struct sp_short_part){0}; /* what it waits for may have come while the kernel was asked */
	if (t->wait.short_queue_known && off_ns && sp_wait_queue_ask(t, &queue_ns)) {
		queue_ns -= t->wait.short_queue_ns;
		one.asked = 1;
		one.asked_off_ns = off_ns;
		one.queue_ns = queue_ns < off_ns ? queue_ns : off_ns;
	}
	forget_old(s);
	add(&s->looked, &one);
	s->long_calls += one.calls;
	s->long_ns += one.ns;
	s->long_off_ns += one.off_ns;
	add(&others[kind], &one);
	if (off_ns > s->longest_ns)
		s->longest_ns = off_ns;
	t->wait.queue_off_ns += since_ns - off_ns;
	count(t, kind, off_ns, off_ns > 0);
}

static bool is_quiet(const struct sp_short_calls *s)
{
	return s->long_calls >= QUIET_LOOKS && s->long_off_ns * QUIET_PART < s->long_ns && finds_little(&s->looked);
}

/* How many calls pass until the next look: more and more on average while looks have taken more than they may, or find nothing. */
static uint32_t draw_gap(struct sp_thread *t, struct sp_short_calls *s)
{
	bool dear = t->wait.short_looks * PAIR_NS > sp_look_allowance_ns(&t->wait);
	bool wider = dear || (s->gap < QUIET_GAP && is_quiet(s));
	uint32_t gap = wider ? s->gap + s->gap / 4 + 1 : s->gap - s->gap / 4;

	s->gap = gap < FREE_GAP ? FREE_GAP : gap > GAP_MAX ? GAP_MAX : gap;
	return (uint32_t)(sp_random(t) % (2 * s->gap));
}

/* In the place of one that the thread has not called since: it may never again. */
static void ask_for_look(struct sp_thread *t, enum sp_wait_call call)
{
	t->wait.look_call = call;
	t->wait.look_tries = TRIES;
	sp_tls.waited |= SP_LOOK_FIRST;
}

/* The batch is full: it is a wait of the call that has filled it. */
static void hand_on(struct sp_thread *t, enum sp_wait_call call, uint64_t object, uint64_t batch, uint64_t cycles)
{
	enum sp_wait_kind kind = sp_wait_kind_of(call);
	const struct sp_short_part *part = part_of(t, kind);
	double blocked = blocked_part(t, kind);
	uint64_t ns = (uint64_t)((double)off_in(part, batch) * blocked);
	struct sp_waited waited = {.call = call,
		.object = object,
		.count = waits_in(part, (double)batch / (double)cycles) * blocked,
		.batch = true,
		.longest_ns = t->wait.shorts[kind].longest_ns,
		.ns = ns,
		.blocked_ns = ns};

	settle(t, kind);
	if (ns)
		sp_pick_wait(t, &waited, 0);
}

void sp_short_ended(struct sp_thread *t, enum sp_wait_call call, uint64_t object, uint64_t cycles, bool looked)
{
	enum sp_wait_kind kind = sp_wait_kind_of(call);
	struct sp_short_calls *s = &t->wait.shorts[kind];
	uint64_t batch;

	if (looked) {
		learn(t, kind, sp_tsc_ns(cycles));
	} else {
		s->cycles += cycles;
		s->count++;
	}
	if (s->until_look) {
		s->until_look--;
	} else {
		ask_for_look(t, call);
		s->until_look = draw_gap(t, s);
	}
	if (cycles < s->left) {
		s->left -= cycles;
		return;
	}
	batch = s->drawn - s->left + cycles;
	sp_look_relax(&t->wait); /* there may be no longer call at which that is judged */
	s->drawn = s->left = sp_tsc_cycles(BATCH_NS / 2 + sp_random(t) % BATCH_NS) << t->wait.look_doublings;
	hand_on(t, call, object, batch, cycles);
}
