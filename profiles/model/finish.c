/* Between stages 1 and 2 of the model: stacks that broke off in the target and of which some samples were copied are
 * walked to their ends. The snapshot's table of stacks then holds them as if they had never broken off. */
#include "profiles/model/build.h"

#include <stdlib.h>
#include <string.h>

/* So many copies must agree on what called a place before other stacks are finished in the same way. */
#define WITNESSES 4u

/* How stacks that broke off are alike. */
enum {
	SAME_CALLS, /* all but where in its innermost function the thread was */
	SAME_PLACE, /* the outermost of them */
	KINDS
};

/* A copy, walked. */
struct walked {
	const struct sp_copy *copy;
	uint64_t *frames;
	uint32_t count;   /* 0: it did not lead to the thread's start */
	uint64_t share;   /* samples that it stands for */
	uint32_t result;  /* the stack that those are counted for */
	uint32_t callers; /* index of the first frame that the target did not come to; 0: none, or it is not known */
	uint32_t next[KINDS];
};

/* Copies of stacks that are alike. */
struct kin {
	uint32_t first, last; /* 1 + index into walked[]; they are linked */
	uint32_t count;
	uint32_t turn; /* the one that the next stack is finished like */
	bool disagree; /* on the callers */
};

struct finisher {
	struct sp_profile *profile;
	struct sp_snapshot *snapshot;
	struct sp_symbolizer *symbolizer;
	struct sp_pool pool;
	struct walked *walked;
	size_t count;
	size_t *first;  /* of a stack's, in walked[] ... */
	uint32_t *runs; /* ... how many ... */
	uint32_t *seen; /* ... and how many of its samples the log has told of so far */
	size_t stack_count;
	struct sp_map kin_of[KINDS]; /* (what they have in common, epoch) -> 1 + index into kin */
	struct kin *kin;
	size_t kin_count, kin_capacity, stack_capacity, frame_capacity;
	uint64_t epoch; /* of the copy that is being walked */
};

static bool is_broken(const struct sp_stack *stack)
{
	return (stack->flags & SP_STACK_BROKEN) && !(stack->flags & SP_STACK_IS_HEAP);
}

/* Frames that the target found by walking. */
static uint32_t kept_frames(const struct sp_stack *stack)
{
	return stack->depth - ((stack->flags & SP_STACK_ENTRY) && stack->depth);
}

static int by_stack(const void *left, const void *right)
{
	const struct sp_copy *a = left, *b = right;

	if (a->stack != b->stack)
		return a->stack < b->stack ? -1 : 1;
	return a->sample < b->sample ? -1 : a->sample > b->sample;
}

/* --- walking ------------------------------------------------------------------------------------ */

static int module_at(void *context, uint64_t address)
{
	const struct finisher *f = context;

	return f->profile->modules[sp_modules_find(f->profile, address, f->epoch)].handle;
}

static void walk(struct finisher *f, struct walked *w)
{
	const struct sp_snapshot *s = f->snapshot;
	const struct sp_stack *stack = &s->stacks[w->copy->stack];
	uint64_t known[SP_MAX_DEPTH], frames[SP_MAX_FRAMES];
	struct sp_copied_stack copied = {.words = s->copied + w->copy->word,
		.count = w->copy->words,
		.low = w->copy->low,
		.known = known,
		.known_count = kept_frames(stack),
		.code_address_bits = s->header.code_address_bits,
		.module_at = module_at,
		.context = f};
	enum sp_copied_end end;
	size_t n;

	if (!is_broken(stack))
		return;
	sp_snapshot_stack(s, w->copy->stack, known);
	memcpy(copied.registers, w->copy->registers, sizeof(copied.registers));
	f->epoch = w->copy->epoch;
	n = sp_symbolizer_walk(f->symbolizer, &copied, frames, SP_MAX_FRAMES, &end);
	/* Tables are believed before what the target guessed where it had none. A walk that relied on guesses is
	 * believed if it found all of the target's. A walk that ends anywhere else may have gone astray before. */
	if (end == SP_COPIED_LOST ||
		(end != SP_COPIED_RULED &&
			(n < copied.known_count || memcmp(frames, known, copied.known_count * sizeof(*known)) != 0)))
		return;
	w->frames = sp_pool_alloc(&f->pool, n * sizeof(*frames));
	memcpy(w->frames, frames, n * sizeof(*frames));
	w->count = (uint32_t)n;
}

/* A random choice of the stack's samples: each stands for as many. */
static void share_out(struct finisher *f, size_t first, uint32_t runs)
{
	const struct sp_stack *stack = &f->snapshot->stacks[f->walked[first].copy->stack];
	uint64_t samples = (uint64_t)stack->user_samples + stack->sys_samples;

	for (uint64_t i = 0; i < runs; i++)
		f->walked[first + i].share = samples * (i + 1) / runs - samples * i / runs;
}

static void walk_all(struct finisher *f)
{
	struct sp_snapshot *s = f->snapshot;

	qsort(s->copies, s->copy_count, sizeof(*s->copies), by_stack);
	for (size_t i = 0; i < s->copy_count; i++) {
		uint32_t stack = s->copies[i].stack;

		f->walked[i] = (struct walked){.copy = &s->copies[i], .result = stack};
		walk(f, &f->walked[i]);
		if (!f->runs[stack]++)
			f->first[stack] = i;
	}
	f->count = s->copy_count;
	for (size_t i = 0; i < f->count; i += f->runs[s->copies[i].stack])
		share_out(f, i, f->runs[s->copies[i].stack]);
}

/* --- the stacks found --------------------------------------------------------------------------- */

static uint32_t put_frames(struct finisher *f, const uint64_t *frames, uint32_t count)
{
	struct sp_snapshot *s = f->snapshot;
	size_t at = s->frame_count;

	if (!f->frame_capacity)
		f->frame_capacity = s->frame_count;
	sp_grow(&s->frames, &f->frame_capacity, at + count, sizeof(*s->frames));
	memcpy(s->frames + at, frames, count * sizeof(*frames));
	s->frame_count += count;
	return (uint32_t)at;
}

/* Gives a stack its frames. */
static void set_frames(struct finisher *f, uint32_t index, const struct walked *w)
{
	struct sp_snapshot *s = f->snapshot;
	struct sp_stack *stack = &s->stacks[index];

	stack->flags &= (uint16_t) ~(SP_STACK_CUT | SP_STACK_ENTRY);
	s->depth_sum += w->count;
	s->depth_sum -= stack->depth;
	stack->frame = put_frames(f, w->frames, w->count);
	stack->depth = (uint16_t)w->count;
	stack->epoch = w->copy->epoch;
}

static uint64_t part(uint64_t value, uint64_t share, uint64_t of)
{
	return (uint64_t)((unsigned __int128)value * share / of);
}

/* A stack of its own for `share` samples of `of` that `index` has. */
static uint32_t split_off(struct finisher *f, uint32_t index, uint64_t share, uint64_t of)
{
	struct sp_snapshot *s = f->snapshot;
	struct sp_stack *from, *to;

	if (!f->stack_capacity)
		f->stack_capacity = s->stack_count;
	sp_grow(&s->stacks, &f->stack_capacity, s->stack_count + 1, sizeof(*s->stacks));
	from = &s->stacks[index];
	to = &s->stacks[s->stack_count];
	*to = *from;
	s->depth_sum += to->depth;
	to->site = 0;
	to->user_ns = part(from->user_ns, share, of);
	to->sys_ns = part(from->sys_ns, share, of);
	to->user_samples = (uint32_t)part(from->user_samples, share, of);
	to->sys_samples = (uint32_t)part(from->sys_samples, share, of);
	to->weight_sq_us2 = part(from->weight_sq_us2, share, of);
	from->user_ns -= to->user_ns;
	from->sys_ns -= to->sys_ns;
	from->user_samples -= to->user_samples;
	from->sys_samples -= to->sys_samples;
	from->weight_sq_us2 -= to->weight_sq_us2;
	return (uint32_t)s->stack_count++;
}

static bool is_same(const struct walked *a, const struct walked *b)
{
	return a->count == b->count && a->copy->epoch == b->copy->epoch &&
		(!a->count || memcmp(a->frames, b->frames, a->count * sizeof(*a->frames)) == 0);
}

/* Of walked[first .. first + runs), what the ones like `one` stand for, and from now on count as. */
static uint64_t gather(struct finisher *f, size_t first, uint32_t runs, const struct walked *one, uint32_t result)
{
	uint64_t share = 0;

	for (size_t i = first; i < first + runs; i++) {
		if (!is_same(&f->walked[i], one))
			continue;
		share += f->walked[i].share;
		f->walked[i].result = result;
	}
	return share;
}

static bool is_first_of_its_like(const struct finisher *f, size_t first, size_t i)
{
	for (size_t k = first; k < i; k++)
		if (is_same(&f->walked[k], &f->walked[i]))
			return false;
	return true;
}

/* The stack itself stays what no copy has finished, else becomes the first of those that were found. */
static void replace(struct finisher *f, size_t first, uint32_t runs)
{
	uint32_t stack = f->walked[first].copy->stack, result;
	uint64_t left = 0, share;
	size_t own = first;

	for (size_t i = first; i < first + runs; i++) {
		left += f->walked[i].share;
		if (!f->walked[i].count)
			own = i;
	}
	for (size_t i = first; i < first + runs; i++) {
		if (is_same(&f->walked[i], &f->walked[own]) || !is_first_of_its_like(f, first, i))
			continue;
		share = gather(f, first, runs, &f->walked[i], stack);
		if (!share)
			continue;
		result = split_off(f, stack, share, left);
		left -= share;
		gather(f, first, runs, &f->walked[i], result);
		set_frames(f, result, &f->walked[i]);
	}
	if (f->walked[own].count)
		set_frames(f, stack, &f->walked[own]);
}

/* The log's samples go to the stacks that the copies standing for them went to. */
static void follow_log(struct finisher *f)
{
	struct sp_snapshot *s = f->snapshot;

	for (size_t i = 0; i < s->log_count; i++) {
		uint32_t stack = s->log[i].stack, run = 0;
		const struct walked *w;

		if (stack >= f->stack_count || !f->runs[stack])
			continue;
		w = &f->walked[f->first[stack]];
		for (uint64_t stood = f->seen[stack]++; run + 1 < f->runs[stack] && stood >= w[run].share; run++)
			stood -= w[run].share;
		s->log[i].stack = w[run].result;
	}
}

/* --- stacks that were not copied ---------------------------------------------------------------- */

/* The function, as far as tables know of it. */
static uint64_t function_at(struct finisher *f, uint64_t address, uint32_t epoch)
{
	uint64_t start;

	f->epoch = epoch;
	start = sp_symbolizer_frame_start(f->symbolizer, module_at(f, address), address);
	return start ? start : address;
}

static uint64_t in_common(struct finisher *f, int kind, const struct sp_stack *stack, const uint64_t *frames)
{
	uint32_t kept = kept_frames(stack);
	uint64_t functions[SP_MAX_DEPTH] = {function_at(f, frames[kept - 1] - (kept > 1), stack->epoch)};

	if (kind == SAME_PLACE)
		return functions[0];
	for (uint32_t i = 1; i < kept; i++)
		functions[i] = function_at(f, frames[i - 1] - (i > 1), stack->epoch);
	return sp_hash_bytes(functions, kept * sizeof(*functions));
}

static bool have_same_callers(const struct walked *a, const struct walked *b)
{
	return a->callers && b->callers && a->copy->epoch == b->copy->epoch &&
		a->count - a->callers == b->count - b->callers &&
		!memcmp(a->frames + a->callers, b->frames + b->callers, (a->count - a->callers) * sizeof(*a->frames));
}

static void join(struct finisher *f, int kind, uint32_t index, uint64_t key, uint32_t epoch)
{
	int found;
	uint32_t *cell = sp_map_at(&f->kin_of[kind], key, epoch, &found);
	struct kin *kin;

	if (!found) {
		sp_grow(&f->kin, &f->kin_capacity, f->kin_count + 1, sizeof(*f->kin));
		f->kin[f->kin_count] = (struct kin){.first = index + 1, .turn = index + 1};
		*cell = (uint32_t)++f->kin_count;
	}
	kin = &f->kin[*cell - 1];
	if (kin->count++)
		f->walked[kin->last - 1].next[kind] = index + 1;
	kin->last = index + 1;
	kin->disagree = kin->disagree || !have_same_callers(&f->walked[kin->first - 1], &f->walked[index]);
}

static void join_all(struct finisher *f)
{
	uint64_t frames[SP_MAX_DEPTH];

	for (uint32_t i = 0; i < f->count; i++) {
		struct walked *w = &f->walked[i];
		const struct sp_stack *stack = &f->snapshot->stacks[w->copy->stack];
		uint32_t kept = kept_frames(stack), outermost = 0;

		if (!is_broken(stack) || !kept)
			continue;
		sp_snapshot_stack(f->snapshot, w->copy->stack, frames);
		while (outermost < w->count && w->frames[outermost] != frames[kept - 1])
			outermost++;
		w->callers = outermost + 1 < w->count ? outermost + 1 : 0;
		for (int kind = 0; kind < KINDS; kind++)
			join(f, kind, i, in_common(f, kind, stack, frames), stack->epoch);
	}
}

/* A copy whose callers this stack may have: of those with the same calls each in turn, so that they stand for them as for
 * their own; else any of the place, where all agree. */
static const struct walked *relative_of(struct finisher *f, const struct sp_stack *stack, const uint64_t *frames)
{
	for (int kind = 0; kind < KINDS; kind++) {
		int found;
		uint32_t *cell = sp_map_at(&f->kin_of[kind], in_common(f, kind, stack, frames), stack->epoch, &found);
		struct kin *kin = *cell ? &f->kin[*cell - 1] : NULL;
		const struct walked *w;

		if (!kin || (kind == SAME_PLACE && (kin->disagree || kin->count < WITNESSES)))
			continue;
		w = &f->walked[kin->turn - 1];
		kin->turn = w->next[kind] ? w->next[kind] : kin->first;
		return w;
	}
	return NULL;
}

static void finish_alike(struct finisher *f, uint32_t index)
{
	const struct sp_stack *stack = &f->snapshot->stacks[index];
	uint32_t kept = kept_frames(stack), callers;
	uint64_t frames[SP_MAX_DEPTH];
	const struct walked *w;

	if (!is_broken(stack) || f->runs[index] || !kept)
		return;
	sp_snapshot_stack(f->snapshot, index, frames);
	w = relative_of(f, stack, frames);
	if (!w || !w->callers)
		return;
	callers = w->count - w->callers;
	if (kept + callers > SP_MAX_FRAMES)
		return;
	memcpy(frames + kept, w->frames + w->callers, callers * sizeof(*frames));
	set_frames(f, index, &(struct walked){.copy = w->copy, .frames = frames, .count = kept + callers});
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void count_finished(struct finisher *f, const uint16_t *flags)
{
	struct sp_profile *p = f->profile;

	for (size_t i = 0; i < f->snapshot->stack_count; i++) {
		const struct sp_stack *stack = &f->snapshot->stacks[i];

		if ((i < f->stack_count && !(flags[i] & SP_STACK_BROKEN)) || (stack->flags & SP_STACK_BROKEN))
			continue;
		p->finished_ns += stack->user_ns + stack->sys_ns;
		p->finished_samples += (uint64_t)stack->user_samples + stack->sys_samples;
	}
	for (size_t i = 0; i < f->count; i++)
		p->copies_walked += f->walked[i].count != 0;
}

static void finish_all(struct finisher *f)
{
	uint16_t *flags = sp_alloc(f->stack_count, sizeof(*flags));

	for (size_t i = 0; i < f->stack_count; i++)
		flags[i] = f->snapshot->stacks[i].flags;
	walk_all(f);
	join_all(f);
	for (size_t i = 0; i < f->count; i += f->runs[f->walked[i].copy->stack])
		replace(f, i, f->runs[f->walked[i].copy->stack]);
	follow_log(f);
	for (uint32_t i = 1; i < f->stack_count; i++)
		finish_alike(f, i);
	count_finished(f, flags);
	free(flags);
}

static void finish(struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	struct sp_snapshot *s = profile->snapshot;
	struct finisher f = {.profile = profile, .snapshot = s, .symbolizer = symbolizer};

	f.stack_count = s->stack_count;
	f.walked = sp_alloc(s->copy_count, sizeof(*f.walked));
	f.first = sp_alloc(f.stack_count, sizeof(*f.first));
	f.runs = sp_alloc(f.stack_count, sizeof(*f.runs));
	f.seen = sp_alloc(f.stack_count, sizeof(*f.seen));
	finish_all(&f);
	sp_pool_free(&f.pool);
	for (int kind = 0; kind < KINDS; kind++)
		sp_map_free(&f.kin_of[kind]);
	free(f.walked);
	free(f.first);
	free(f.runs);
	free(f.seen);
	free(f.kin);
}

/* The part of the time in stacks still broken whose walk broke off in generated code. */
static void count_generated(struct sp_profile *p)
{
	uint64_t frames[SP_MAX_DEPTH];

	for (size_t i = 0; i < p->snapshot->stack_count; i++) {
		const struct sp_stack *stack = &p->snapshot->stacks[i];
		uint32_t kept = kept_frames(stack);

		if (!is_broken(stack) || !kept)
			continue;
		sp_snapshot_stack(p->snapshot, i, frames);
		if (sp_modules_find(p, frames[kept - 1] - (kept > 1), stack->epoch) == p->unknown_module)
			p->broken_generated_ns += stack->user_ns + stack->sys_ns;
	}
}

void sp_stacks_finish(struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	if (profile->snapshot->copy_count && symbolizer && profile->snapshot->header.machine == SP_MACHINE)
		finish(profile, symbolizer);
	count_generated(profile);
}
