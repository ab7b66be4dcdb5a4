/* Heap samples before there is a spool. */
#include "sampler/heap/pre_activation.h"

#include <string.h>

#include "sampler/heap/estimate.h"
#include "sampler/heap/filter.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/walk/stack_read.h"
#include "sampler/walk/unwind.h"

#define SAMPLES 40u /* 16 on average */

static struct {
	bool armed; /* the bytes to skip are behind */
	bool due;   /* the countdown in force ends in a sample */
	uint32_t count;
	uint32_t frames; /* of all samples */
	uint64_t before_bytes, before_count;
	struct sp_tls *owner;
} dormant;
/* One stack behind the other, and all behind the samples: most are short, and a page for each would be most of what a small
 * process pays. */
static struct {
	struct sp_pre_activation_sample samples[SAMPLES];
	uint64_t frames[SAMPLES * SP_MAX_DEPTH];
} taken SP_BIG __attribute__((aligned(4096)));

static uint64_t random_bits(uint64_t tsc)
{
	uint64_t x = tsc * 0x9e3779b97f4a7c15ULL;

	return (x ^ x >> 31) * 0xbf58476d1ce4e5b9ULL;
}

/* Runs on the private stack. */
static void walk(void *arg)
{
	struct sp_pre_activation_sample *s = arg;
	struct sp_walk found;

	sp_unwind(sp_tls.thread, NULL, &found);
	s->depth = found.depth;
	s->flags = found.flags;
	s->frames = &taken.frames[dormant.frames];
	memcpy(s->frames, found.frames, found.depth * sizeof *found.frames);
	sp_filter_add_pre_activation(s->p);
	dormant.frames += found.depth;
	dormant.count++;
}

static void share(void *unused)
{
	(void)unused;
	sp_agent.share();
}

/* The calling thread's block, from its first sample on. */
static struct sp_thread *own_block(void)
{
	struct sp_thread *t = sp_tls.thread;

	if (t || !(t = sp_block_take()))
		return t;
	sp_thread_adopt(t, 0, 0, 0);
	if (sp_is_single_threaded()) /* another thread's activation may be at the same */
		sp_on_stack(share, NULL, sp_thread_stack(t));
	return t;
}

static void take(const void *p, size_t size)
{
	struct sp_thread *t = sp_tls.thread;
	uint64_t mask;

	/* A vfork child allocates in its parent's memory. */
	if (dormant.count == SAMPLES || (int)sp_sys(SYS_getpid) != sp_agent.pid)
		return;
	mask = sp_block_others(t && sp_stack_is_own(t));
	t = own_block();
	if (t && dormant.count < SAMPLES) {
		struct sp_pre_activation_sample *s = &taken.samples[dormant.count];

		s->p = p;
		s->size = size;
		s->born_tsc = dormant.count % 16 ? sp_tsc() : sp_tsc_first(); /* as often as later: tsc_at in heap.c */
		s->thread_allocs = (uint32_t)sp_tls.heap.allocs;
		sp_on_stack(walk, s, sp_thread_stack(t));
	}
	sp_restore_signals(mask);
}

int64_t sp_pre_activation_allocated(const void *p, size_t size, uint64_t before)
{
	uint64_t now = before + size, room = sp_agent.dormant_bytes - now;
	int64_t next = (int64_t)size;

	if (!sp_agent.pre_activation_heap || (dormant.owner && dormant.owner != &sp_tls))
		return (int64_t)room;
	if (!dormant.armed && now <= sp_pre_activation_skip_bytes())
		return (int64_t)(sp_pre_activation_skip_bytes() - now);
	if (!dormant.armed) {
		dormant.armed = true;
		dormant.owner = &sp_tls;
		dormant.before_bytes = before;
		dormant.before_count = sp_tls.heap.allocs - 1;
		next = sp_next_pick(random_bits(sp_tsc_first()), sp_pre_activation_interval());
	}
	if (size && next <= (int64_t)size) {
		take(p, size);
		next = sp_next_pick(random_bits(sp_tsc()), sp_pre_activation_interval()) + (int64_t)size;
	}
	next -= (int64_t)size;
	dormant.due = next < (int64_t)room;
	return dormant.due ? next : (int64_t)room;
}

bool sp_pre_activation_due(void)
{
	bool due = dormant.armed && dormant.due;

	dormant.due = false;
	return due;
}

uint32_t sp_pre_activation_forget(const void *p)
{
	uint32_t i;

	for (i = 0; i < dormant.count; i++) {
		if (taken.samples[i].p == p) {
			taken.samples[i].p = NULL;
			sp_filter_remove_pre_activation(p);
			return i + 1;
		}
	}
	return 0;
}

void sp_pre_activation_restore(uint32_t number, const void *p)
{
	if (number) {
		taken.samples[number - 1].p = p;
		sp_filter_add_pre_activation(p);
	}
}

bool sp_pre_activation_before(uint64_t *bytes, uint64_t *count)
{
	*bytes = dormant.before_bytes;
	*count = dormant.before_count;
	return dormant.armed;
}

void sp_pre_activation_replay(void (*fn)(const struct sp_pre_activation_sample *, void *), void *arg)
{
	uint32_t i;

	for (i = 0; i < dormant.count; i++) {
		if (taken.samples[i].p)
			sp_filter_remove_pre_activation(taken.samples[i].p);
		fn(&taken.samples[i], arg);
	}
	dormant.count = dormant.frames = 0;
}

SP_AT_FORK void sp_pre_activation_forked(void)
{
	dormant.armed = dormant.due = false;
	dormant.count = dormant.frames = 0;
	dormant.owner = NULL;
}
