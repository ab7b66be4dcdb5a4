/* Walks that go where the last one went. The frames that are remembered stand from the outermost on, so that those which are
 * still there stay where they are; those of the walk that is under way stand behind them from the leaf on, until its end. */
#include "sampler/walk/trail.h"

/* Of a step: what it rests on, and what becomes of the frame pointer. */
enum {
	STEP_UNKNOWN,
	STEP_KEEPS_BP,
	STEP_BY_BP, /* the caller's is read, and this frame's matters */
	STEP_BY_SP, /* the caller's is read, and this frame's does not matter */
};

void sp_trail_begin(struct sp_walker *w, struct sp_thread *t)
{
	uint64_t generation = sp_load(&sp_agent.unload_gen);

	w->trail.last = &t->last_walk;
	if (t->last_walk.unload_gen != generation)
		t->last_walk.count = 0;
	t->last_walk.unload_gen = generation;
	sp_trail_restart(w);
}

void sp_trail_restart(struct sp_walker *w)
{
	w->trail.ahead = w->trail.last->count;
	w->trail.added = w->trail.kept = 0;
	w->trail.here = NULL;
}

static struct sp_walked *add(struct sp_trail *a, struct sp_walked frame)
{
	struct sp_walked *to = &a->last->frames[a->last->count + a->added++];

	*to = frame;
	return to;
}

/* Those from number `from` - 1 down to `to`, which the walk has gone along. */
static void add_known(struct sp_trail *a, uint32_t from, uint32_t to)
{
	while (from > to)
		add(a, a->last->frames[--from]);
}

static bool is_same_bp(const struct sp_walked *frame, uint64_t bp)
{
	return frame->bp == bp || frame->step == STEP_BY_SP;
}

static bool is_at(const struct sp_walker *w, const struct sp_walked *frame)
{
	return frame->ip == IP(w) && frame->sp == SP(w) && is_same_bp(frame, BP(w));
}

/* Goes along the frames from `at` on outwards; returns the one where that ends. */
static struct sp_walked *go_along(struct sp_walker *w, struct sp_walked *at, uint64_t *frames)
{
	const struct sp_walked *outermost = w->trail.last->frames;
	uint64_t bp = BP(w), caller_bp, word;

	for (; at > outermost && at->step != STEP_UNKNOWN && w->now.kept < SP_MAX_FRAMES; at--, bp = caller_bp) {
		const struct sp_walked *caller = at - 1;

		caller_bp = bp;
		if (!sp_stack_read_mapped(&w->stack, at->sp + at->return_at, &word) ||
			sp_plain_address(word) != caller->ip ||
			(at->step != STEP_KEEPS_BP &&
				!sp_stack_read_mapped(&w->stack, at->sp + (uint64_t)(int64_t)at->bp_at, &caller_bp)) ||
			!is_same_bp(caller, caller_bp))
			break;
		frames[w->now.kept++] = caller->ip;
		w->now.steps++;
	}
	IP(w) = at->ip;
	SP(w) = at->sp;
	BP(w) = bp;
	return at;
}

void sp_trail_follow(struct sp_walker *w, uint64_t *frames)
{
	struct sp_trail *a = &w->trail;
	struct sp_walked *known = a->last->frames;
	uint32_t from, at;

	a->here = NULL;
	if (w->now.exact || w->now.distrust || w->now.guessed || w->now.off || w->now.steps < w->full_before)
		return;
	while (a->ahead && known[a->ahead - 1].sp < SP(w))
		a->ahead--;
	from = a->ahead;
	if (from && is_at(w, &known[from - 1])) {
		at = (uint32_t)(go_along(w, &known[from - 1], frames) - known);
		if (!at) { /* beyond the outermost one nothing is known */
			a->ahead = 0;
			a->kept = from;
			return;
		}
		a->ahead = at + 1;
		add_known(a, from, at + 1);
	}
	add_known(a, a->kept, 0);
	a->kept = 0;
	a->here = add(a, (struct sp_walked){.ip = IP(w), .sp = SP(w), .bp = BP(w), .step = STEP_UNKNOWN});
}

void sp_trail_remember(struct sp_walker *w, struct sp_cfi_rule rule, uint64_t sp, uint64_t bp_at)
{
	struct sp_walked *here = w->trail.here;

	if (!here || w->now.distrust || rule.flags & SP_CFI_LOADED || SP(w) - sp >= SP_FRAME_BYTES_MAX ||
		(rule.flags & SP_CFI_BP_SAVED && bp_at - sp != (uint64_t)(int64_t)(int32_t)(bp_at - sp)))
		return;
	here->return_at = (SP(w) + (uint64_t)sp_cfi_return_at(rule) - sp) & 0xffffff;
	here->bp_at = (int32_t)(bp_at - sp);
	here->step = !(rule.flags & SP_CFI_BP_SAVED)              ? STEP_KEEPS_BP
		: rule.flags & (SP_CFI_FROM_BP | SP_CFI_BP_AT_BP) ? STEP_BY_BP
								  : STEP_BY_SP;
}

void sp_trail_end(struct sp_walker *w)
{
	struct sp_trail *a = &w->trail;
	struct sp_walked *added = &a->last->frames[a->last->count], swap;
	uint32_t n = a->added;

	/* A child that is forked meanwhile by another thread must not believe it. */
	sp_store(&a->last->count, 0);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < n / 2; i++) {
		swap = added[i];
		added[i] = added[n - 1 - i];
		added[n - 1 - i] = swap;
	}
	memmove(&a->last->frames[a->kept], added, n * sizeof *added);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	sp_store(&a->last->count, a->kept + n);
}
