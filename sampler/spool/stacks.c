/* The table of unique stacks: open addressing, insert-only, lock-free. */
#include "sampler/spool/stacks.h"

#include "sampler/spool/frames.h"
#include "sampler/spool/modules.h"
#include "sampler/spool/write.h"

#define MAX_PROBES 64u

/* The bucket section holds a table of n buckets from bucket n on for every power of two: the one that has twice as many
 * as there are stacks is in use. So a program with few stacks touches few pages, each of which takes 4 us. A stack that
 * was entered when a smaller table was in use is found in that one, and then entered into the one in use, too. */
#define BUCKETS_MIN 1024u

/* A bucket holds a stack's index, and above it bits of its hash: by these most stacks that have come to the same place are told
 * apart without a look at their records, each of which is a cache miss. */
#define INDEX_BITS 17u
_Static_assert(SP_STACKS_MAX <= 1u << INDEX_BITS, "room for an index");

static uint32_t bucket_word(uint32_t stack, uint64_t hash)
{
	return (uint32_t)(hash >> (32 + INDEX_BITS)) << INDEX_BITS | stack;
}

static uint32_t bucket_stack(uint32_t word)
{
	return word & ((1u << INDEX_BITS) - 1);
}

static uint32_t buckets_in_use(void)
{
	const struct sp_section_entry *sections = sp_agent.spool->sections;
	uint32_t stacks = __atomic_load_n(&sections[SP_SEC_STACKS].used, __ATOMIC_SEQ_CST), n = BUCKETS_MIN;

	while (n / 2 < stacks && n < sections[SP_SEC_BUCKETS].capacity / 2)
		n *= 2;
	return n;
}

static uint64_t hash_stack(const struct sp_thread *t, const struct sp_walk *walk)
{
	uint64_t h = 0x9e3779b97f4a7c15ULL ^ walk->depth ^ (uint64_t)walk->flags << 32 ^ (uint64_t)t->span_node << 16;
	uint32_t i;

	for (i = 0; i < walk->depth; i++)
		h = (h ^ walk->frames[i]) * 0xff51afd7ed558ccdULL, h ^= h >> 32;
	return h;
}

static struct sp_stack *stack_at(uint32_t index)
{
	return (struct sp_stack *)sp_section(SP_SEC_STACKS) + index;
}

/* True when entry `s` is this stack. After an unload its addresses are looked up once more: they
 * may mean another object's code by now. */
static bool is_match(struct sp_stack *s, const struct sp_walk *walk, uint64_t hash)
{
	uint32_t generation = (uint32_t)sp_load(&sp_agent.unload_gen);

	/* The hash of 64 bits is its name: that two of 100,000 stacks share one is as likely as 3e-10. Comparing
	 * frames would cost cache misses at every sample. */
	if (s->hash != hash || s->depth != walk->depth || s->flags != walk->flags)
		return false;
	if (sp_likely(sp_load(&s->checked) == generation))
		return true;
	if (!sp_modules_same(walk->frames, walk->depth, s->epoch))
		return false;
	sp_store(&s->checked, generation);
	return true;
}

/* Fills a new entry; 0 when a table is full. */
static uint32_t make_entry(struct sp_thread *t, const struct sp_walk *walk, uint64_t hash)
{
	uint32_t index, frame;
	struct sp_stack *s;

	frame = walk->depth ? sp_frames_put(walk->frames, walk->depth) : 1;
	if (!frame) {
		sp_drop(SP_DROP_FRAMES);
		return 0;
	}
	index = sp_spool_allot(SP_SEC_STACKS, 1);
	if (!index) {
		sp_drop(SP_DROP_STACKS);
		return 0;
	}
	s = stack_at(index);
	s->checked = (uint32_t)sp_load(&sp_agent.unload_gen);
	s->epoch = sp_modules_note(t, walk->frames, walk->depth);
	s->frame = frame;
	s->flags = (uint16_t)walk->flags;
	s->span = t->span_node;
	s->hash = hash;
	__atomic_store_n(&s->depth, (uint16_t)walk->depth, __ATOMIC_RELEASE);
	return index;
}

/* The stack in the table of `size` buckets; 0 none. *empty: the bucket for it then; 0: there is none. */
static uint32_t look_up(const struct sp_walk *walk, uint64_t hash, uint32_t size, uint32_t *empty)
{
	const uint32_t *buckets = sp_section(SP_SEC_BUCKETS);
	uint32_t probe, found;

	*empty = 0;
	for (probe = 0; probe < MAX_PROBES; probe++) {
		uint32_t b = size + (((uint32_t)hash + probe) & (size - 1));

		if (!sp_spool_back_bucket(b))
			return 0;
		found = __atomic_load_n(&buckets[b], __ATOMIC_ACQUIRE);
		if (!found) {
			*empty = b;
			return 0;
		}
		if (found == bucket_word(bucket_stack(found), hash) &&
			is_match(stack_at(bucket_stack(found)), walk, hash))
			return bucket_stack(found);
	}
	return 0;
}

/* Enters a stack into the table in use, which does not have it. */
static uint32_t enter(uint32_t stack, const struct sp_walk *walk, uint64_t hash, uint32_t size, uint32_t empty)
{
	uint32_t *buckets = sp_section(SP_SEC_BUCKETS), none = 0, found;

	while (empty &&
		!__atomic_compare_exchange_n(&buckets[empty], &none, bucket_word(stack, hash), false, __ATOMIC_SEQ_CST,
			__ATOMIC_ACQUIRE)) {
		/* An entry made in vain because another thread was first stays empty and unseen. */
		found = look_up(walk, hash, size, &empty);
		if (found)
			return found;
		none = 0;
	}
	return stack;
}

uint32_t sp_stacks_intern(struct sp_thread *t, const struct sp_walk *walk)
{
	uint32_t in_use = buckets_in_use(), size, empty, unused, found;
	uint64_t hash = hash_stack(t, walk);

	found = look_up(walk, hash, in_use, &empty);
	if (sp_likely(found))
		return found;
	for (size = in_use / 2; !found && size >= BUCKETS_MIN; size /= 2)
		found = look_up(walk, hash, size, &unused);
	if (!found && !empty)
		sp_drop(SP_DROP_STACKS);
	else if (found || (found = make_entry(t, walk, hash)))
		found = enter(found, walk, hash, in_use, empty);
	/* Another thread may have looked here too early and then have entered the stack into a table that is in use
	 * by now. */
	return found && empty && buckets_in_use() != in_use ? sp_stacks_intern(t, walk) : found;
}

static void append_log(uint32_t stack, uint32_t thread, uint64_t weight_ns)
{
	uint64_t units = (weight_ns + SP_LOG_UNIT_NS / 2) / SP_LOG_UNIT_NS;
	uint32_t at = sp_spool_allot(SP_SEC_LOG, 1);
	struct sp_log_entry *e = (struct sp_log_entry *)sp_section(SP_SEC_LOG) + at;

	if (!at)
		return; /* full: the reader knows by the number of samples */
	e->stack = stack & 0xfffff;
	e->thread = thread & 0xfff;
	__atomic_store_n(&e->weight, units < UINT32_MAX ? (uint32_t)units : UINT32_MAX, __ATOMIC_RELEASE);
}

uint32_t sp_stacks_add_cpu(uint32_t stack, uint32_t thread, uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_stack *s = stack_at(stack);
	uint64_t us = (user_ns + sys_ns) / 1000;

	sp_add(user_ns ? &s->user_samples : &s->sys_samples, 1);
	if (user_ns)
		sp_add(&s->user_ns, user_ns);
	if (sys_ns)
		sp_add(&s->sys_ns, sys_ns);
	sp_add(&s->weight_sq_us2, us * us);
	append_log(stack, thread, user_ns + sys_ns);
	return sp_load(&s->user_samples) + sp_load(&s->sys_samples);
}

uint32_t sp_stacks_site(uint32_t stack)
{
	struct sp_stack *s = stack_at(stack);
	uint32_t site = __atomic_load_n(&s->site, __ATOMIC_ACQUIRE), made;
	struct sp_site *record;

	if (site || !stack)
		return site;
	made = sp_spool_allot(SP_SEC_SITES, 1);
	if (!made) {
		sp_drop(SP_DROP_SITES);
		return 0;
	}
	record = (struct sp_site *)sp_section(SP_SEC_SITES) + made;
	record->stack = stack;
	record->peak_seq = sp_load(&sp_agent.spool->heap.peak_seq);
	record->mark_seq = record->born_mark_seq = sp_load(&sp_agent.spool->mark_seq);
	__atomic_store_n(&record->ready, 1, __ATOMIC_RELEASE);
	if (__atomic_compare_exchange_n(&s->site, &site, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return made;
	return site;
}
