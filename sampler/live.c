/* The live set: a two-choice hash table of 8-slot buckets, one cache line of keys each. */
#include "sampler/live.h"

#include <errno.h>
#include <sys/mman.h>

#include "sampler/arena.h"
#include "sampler/sys.h"

#define SLOTS 8u
#define BUCKETS 16384u /* 131,072 entries */
#define FILTER_BYTES 262144u
#define SWEEPING 1u /* low bit of a key: the sweep has it for an instant */
#define CLAIMED 2u  /* a slot being filled */
#define STICKY 255u

/* The filter's byte is set until the real free is known, and again once the arena is in use. */
static struct {
	uint64_t mask;
	uint8_t bytes[8];
} boot_filter = {0, {1}};
static bool arena_used;
struct sp_live_filter *sp_live_filter = (struct sp_live_filter *)&boot_filter;

static struct {
	uint64_t (*keys)[SLOTS]; /* atomic */
	struct sp_live (*entries)[SLOTS];
	struct sp_live_filter *filter; /* in force from sp_live_init on */
	uint32_t used;                 /* atomic */
} live;

static void mark(const void *p)
{
	sp_store(&live.filter->bytes[sp_live_hash(p) & (FILTER_BYTES - 1)], STICKY);
}

void sp_live_mark_arena(const void *p)
{
	arena_used = true;
	boot_filter.bytes[0] = 1;
	if (live.filter)
		mark(p);
}

void sp_live_boot_done(void)
{
	boot_filter.bytes[0] = arena_used;
}

int sp_live_init(void)
{
	size_t keys = sizeof(uint64_t[SLOTS]) * BUCKETS, entries = sizeof(struct sp_live[SLOTS]) * BUCKETS;
	size_t filter = sizeof(struct sp_live_filter) + FILTER_BYTES;
	long p;

	live.used = 0;
	if (!live.keys) {
		p = sp_sys(SYS_mmap, NULL, keys + entries + filter, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p < 0 && p > -4096)
			return (int)p;
		/* A forked child counts its own allocations, not copies of its parent's. */
		sp_sys(SYS_madvise, p, keys + entries, MADV_WIPEONFORK);
		live.keys = (uint64_t(*)[SLOTS])p;
		live.entries = (struct sp_live(*)[SLOTS])((char *)p + keys);
		live.filter = (struct sp_live_filter *)((char *)p + keys + entries);
	}
	sp_sys(SYS_madvise, live.filter, filter, MADV_DONTNEED);
	live.filter->mask = FILTER_BYTES - 1;
	sp_arena_each(mark);
	__atomic_store_n(&sp_live_filter, live.filter, __ATOMIC_RELEASE);
	return 0;
}

void sp_live_reset(void)
{
	sp_store(&sp_live_filter, (struct sp_live_filter *)&boot_filter);
}

static void filter_add(uint64_t hash, int delta)
{
	uint8_t *at = &live.filter->bytes[hash & (FILTER_BYTES - 1)];
	uint8_t old = sp_load(at);

	while (old != STICKY &&
		!__atomic_compare_exchange_n(at, &old, (uint8_t)(old + delta), true, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED))
		;
}

static void choose(uint64_t hash, uint32_t out[2])
{
	out[0] = (uint32_t)hash % BUCKETS;
	out[1] = (uint32_t)(hash * 0xc2b2ae3d27d4eb4fULL >> 33) % BUCKETS;
}

/* Finds p and makes its slot ours (0 in `key` words of others never matches). */
static bool take_slot(const void *p, uint32_t *bucket, uint32_t *slot)
{
	uint64_t want = (uint64_t)(uintptr_t)p;
	uint32_t two[2], b, s, spins = 0;

	choose(sp_live_hash(p), two);
	for (b = 0; b < 2; b++) {
		for (s = 0; s < SLOTS; s++) {
			uint64_t *key = &live.keys[two[b]][s], found = __atomic_load_n(key, __ATOMIC_ACQUIRE);

			while (found == (want | SWEEPING) && spins++ < 100000)
				found = __atomic_load_n(key, __ATOMIC_ACQUIRE);
			if (found != want)
				continue;
			if (__atomic_compare_exchange_n(key, &found, CLAIMED, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_RELAXED)) {
				*bucket = two[b];
				*slot = s;
				return true;
			}
			s--; /* the sweep took it this very moment: look again */
		}
	}
	return false;
}

bool sp_live_remove(const void *p, struct sp_live *entry)
{
	uint32_t bucket, slot;

	if (!live.keys || sp_live_filter != live.filter || !take_slot(p, &bucket, &slot))
		return false;
	*entry = live.entries[bucket][slot];
	__atomic_store_n(&live.keys[bucket][slot], 0, __ATOMIC_RELEASE);
	filter_add(sp_live_hash(p), -1);
	__atomic_fetch_sub(&live.used, 1, __ATOMIC_RELAXED);
	return true;
}

int sp_live_insert(const void *p, const struct sp_live *entry)
{
	uint64_t hash = sp_live_hash(p);
	uint32_t two[2], b, s;

	choose(hash, two);
	for (s = 0; s < SLOTS; s++) {
		for (b = 0; b < 2; b++) {
			uint64_t *key = &live.keys[two[b]][s], empty = 0;
			if (!__atomic_compare_exchange_n(key, &empty, CLAIMED, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_RELAXED))
				continue;
			live.entries[two[b]][s] = *entry;
			filter_add(hash, 1);
			sp_add(&live.used, 1);
			__atomic_store_n(key, (uint64_t)(uintptr_t)p, __ATOMIC_RELEASE);
			return 0;
		}
	}
	return -ENOSPC;
}

void sp_live_sweep(bool (*fn)(struct sp_live *, void *), void *arg)
{
	uint32_t b, s;

	for (b = 0; b < BUCKETS; b++) {
		for (s = 0; s < SLOTS; s++) {
			uint64_t *key = &live.keys[b][s], found = __atomic_load_n(key, __ATOMIC_RELAXED);

			if (found < 4096 ||
				!__atomic_compare_exchange_n(key, &found, found | SWEEPING, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
				continue;
			if (fn(&live.entries[b][s], arg)) {
				__atomic_store_n(key, found, __ATOMIC_RELEASE);
				continue;
			}
			filter_add(sp_live_hash((void *)found), -1);
			__atomic_fetch_sub(&live.used, 1, __ATOMIC_RELAXED);
			__atomic_store_n(key, 0, __ATOMIC_RELEASE);
		}
	}
}

uint32_t sp_live_permille(void)
{
	return (uint32_t)((uint64_t)sp_load(&live.used) * 1000 / (SLOTS * BUCKETS));
}
