/* The live set: a two-choice hash table of 8-slot buckets, one cache line of keys each. A key is the
 * pointer with the number of its entry in the upper bits. The first page's buckets come before all others: a small process
 * has no more keys, and each page that is touched costs more than a sample. */
#include "sampler/heap/live.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "sampler/heap/arena.h"
#include "sampler/heap/filter.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"

#define SLOTS 8u
#define BUCKETS (SP_LIVE_MAX / SLOTS)
#define FIRST_BUCKETS 64u
#define CHOICES 4u /* two of the first, two of the others */
/* Samples so far apart never come close enough for the fine filter, of which each would touch a page. */
#define FAR_BYTES 65536u

#define SWEEPING 1u /* low bit of a key: the sweep has it for an instant */
#define CLAIMED 2u  /* a slot being filled */
#define FLAGS 7u
#define POINTER_BITS 47
#define POINTER_MASK (((1ull << POINTER_BITS) - 1) & ~(uint64_t)FLAGS)
_Static_assert(SP_LIVE_MAX <= 1u << (64 - POINTER_BITS), "an entry's number fits above the pointer");

static struct {
	uint64_t (*keys)[SLOTS]; /* atomic */
	uint32_t *next_free;     /* of an entry not in use: the one below it on the stack of those, 0 none */
	char *fine;              /* the filter's fine table */
	bool ready;              /* sp_live_init has been called in this process */
	bool beyond;             /* atomic: buckets behind the first are in use */
	uint64_t free_head;      /* atomic: tag << 32 | entry; the tag defeats ABA */
	uint32_t used;           /* atomic */
} live;

int sp_live_init(void)
{
	size_t keys = sizeof(uint64_t[SLOTS]) * BUCKETS, tables = sp_page_end(keys + sizeof(uint32_t) * SP_LIVE_MAX);
	bool is_new = !live.keys;
	long p;

	live.used = 0;
	live.free_head = 0;
	live.beyond = false;
	if (is_new) {
		p = sp_sys(SYS_mmap, NULL, tables + SP_FILTER_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (sp_is_error(p))
			return (int)p;
		/* A forked child counts its own allocations, not copies of its parent's. */
		sp_sys(SYS_madvise, p, tables, MADV_WIPEONFORK);
		live.keys = (uint64_t(*)[SLOTS])p;
		live.next_free = (uint32_t *)((char *)p + keys);
		live.fine = (char *)p + tables;
	}
	if (sp_agent.config.heap_interval_bytes < FAR_BYTES) {
		if (!is_new)
			sp_sys(SYS_madvise, live.fine, SP_FILTER_BYTES, MADV_DONTNEED);
		sp_filter_set_fine(live.fine);
	} else {
		sp_filter_set_fine(NULL);
	}
	if (sp_filter_has_arenas())
		sp_arena_mark_all();
	sp_spool_take(tables + SP_FILTER_BYTES + SP_FILTER_COARSE_BYTES, 0);
	__atomic_store_n(&live.ready, true, __ATOMIC_RELEASE);
	return 0;
}

bool sp_live_holds(const void *p)
{
	const char *start = (const char *)live.keys, *end = live.fine + SP_FILTER_BYTES;

	return start && (const char *)p >= start && (const char *)p < end;
}

SP_AT_FORK void sp_live_forked(void)
{
	live.ready = false;
	if (sp_filter_reset())
		sp_arena_mark_all();
}

static void choose(uint64_t hash, uint32_t out[CHOICES])
{
	uint32_t one = (uint32_t)hash, other = (uint32_t)(hash * 0xc2b2ae3d27d4eb4fULL >> 33);

	out[0] = one % FIRST_BUCKETS;
	out[1] = other % FIRST_BUCKETS;
	out[2] = FIRST_BUCKETS + one / FIRST_BUCKETS % (BUCKETS - FIRST_BUCKETS);
	out[3] = FIRST_BUCKETS + other / FIRST_BUCKETS % (BUCKETS - FIRST_BUCKETS);
}

static struct sp_live *entry_at(uint32_t index)
{
	return (struct sp_live *)sp_section(SP_SEC_LIVE) + index;
}

static uint32_t take_entry(void)
{
	uint64_t head = __atomic_load_n(&live.free_head, __ATOMIC_ACQUIRE);

	while ((uint32_t)head) {
		uint64_t next = ((head >> 32) + 1) << 32 | sp_load(&live.next_free[(uint32_t)head]);
		if (__atomic_compare_exchange_n(&live.free_head, &head, next, false, __ATOMIC_ACQ_REL,
			    __ATOMIC_ACQUIRE))
			return (uint32_t)head;
	}
	return sp_spool_allot(SP_SEC_LIVE, 1);
}

static void give_back(uint32_t index)
{
	uint64_t head = __atomic_load_n(&live.free_head, __ATOMIC_ACQUIRE), next;

	do {
		sp_store(&live.next_free[index], (uint32_t)head);
		next = ((head >> 32) + 1) << 32 | index;
	} while (!__atomic_compare_exchange_n(&live.free_head, &head, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

/* Empties a slot that is ours. */
static void vacate(uint64_t *key, const void *p, uint32_t index)
{
	__atomic_store_n(&entry_at(index)->alive, 0, __ATOMIC_RELEASE);
	give_back(index);
	__atomic_store_n(key, 0, __ATOMIC_RELEASE);
	sp_filter_remove(p);
	__atomic_fetch_sub(&live.used, 1, __ATOMIC_RELAXED);
}

/* Finds p and makes its slot ours: the slot, or NULL. */
static uint64_t *take_slot(const void *p, uint32_t *index)
{
	uint64_t want = (uint64_t)(uintptr_t)p;
	uint32_t buckets[CHOICES], slots = (sp_load(&live.beyond) ? CHOICES : CHOICES / 2) * SLOTS, i, spins = 0;

	choose(sp_live_hash(p), buckets);
	for (i = 0; i < slots; i++) {
		uint64_t *key = &live.keys[buckets[i / SLOTS]][i % SLOTS],
			 found = __atomic_load_n(key, __ATOMIC_ACQUIRE);

		while ((found & POINTER_MASK) == want) {
			if (found & SWEEPING) {
				if (spins++ > 100000)
					break;
				found = __atomic_load_n(key, __ATOMIC_ACQUIRE);
			} else if (__atomic_compare_exchange_n(key, &found, CLAIMED, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE)) {
				*index = (uint32_t)(found >> POINTER_BITS);
				return key;
			}
		}
	}
	return NULL;
}

bool sp_live_may_have(const void *p)
{
	return live.ready && sp_filter_fine_has(p);
}

bool sp_live_remove(const void *p, struct sp_live *entry)
{
	uint64_t *key;
	uint32_t index;

	if (!p || !sp_live_may_have(p) || !(key = take_slot(p, &index)))
		return false;
	*entry = *entry_at(index);
	entry->alive = 0;
	vacate(key, p, index);
	return true;
}

/* An empty slot in one of two buckets, made ours; NULL when there is none. */
static uint64_t *claim_in(const uint32_t two[2])
{
	uint32_t i;

	for (i = 0; i < 2 * SLOTS; i++) {
		uint64_t *key = &live.keys[two[i % 2]][i / 2], empty = 0;
		if (__atomic_compare_exchange_n(key, &empty, CLAIMED, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return key;
	}
	return NULL;
}

static uint64_t *claim_slot(uint64_t hash)
{
	uint32_t buckets[CHOICES];
	uint64_t *key;

	choose(hash, buckets);
	key = claim_in(buckets);
	if (key)
		return key;
	sp_store(&live.beyond, true);
	return claim_in(buckets + CHOICES / 2);
}

int sp_live_insert(const void *p, const struct sp_live *entry)
{
	uint64_t *key = NULL;
	uint32_t index;

	if (!((uint64_t)(uintptr_t)p & ~POINTER_MASK))
		key = claim_slot(sp_live_hash(p));
	if (!key)
		return -ENOSPC;
	index = take_entry();
	if (!index) {
		__atomic_store_n(key, 0, __ATOMIC_RELEASE);
		return -ENOSPC;
	}
	*entry_at(index) = *entry;
	__atomic_store_n(&entry_at(index)->alive, 1, __ATOMIC_RELEASE);
	sp_filter_add(p);
	sp_add(&live.used, 1);
	__atomic_store_n(key, (uint64_t)(uintptr_t)p | (uint64_t)index << POINTER_BITS, __ATOMIC_RELEASE);
	sp_filter_choose(sp_load(&sp_agent.spool->heap.inuse_bytes), sp_load(&live.used));
	return 0;
}

static void sweep_slot(uint64_t *key, bool (*fn)(struct sp_live *, void *), void *arg)
{
	uint64_t found = __atomic_load_n(key, __ATOMIC_RELAXED);

	if (!(found & POINTER_MASK) ||
		!__atomic_compare_exchange_n(key, &found, found | SWEEPING, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	if (fn(entry_at((uint32_t)(found >> POINTER_BITS)), arg))
		__atomic_store_n(key, found, __ATOMIC_RELEASE);
	else
		vacate(key, (void *)(found & POINTER_MASK), (uint32_t)(found >> POINTER_BITS));
}

void sp_live_sweep(bool (*fn)(struct sp_live *, void *), void *arg)
{
	uint32_t i;

	for (i = 0; i < (sp_load(&live.beyond) ? BUCKETS : FIRST_BUCKETS) * SLOTS; i++)
		sweep_slot(&live.keys[i / SLOTS][i % SLOTS], fn, arg);
}

uint32_t sp_live_permille(void)
{
	return (uint32_t)((uint64_t)sp_load(&live.used) * 1000 / sp_agent.spool->sections[SP_SEC_LIVE].capacity);
}
