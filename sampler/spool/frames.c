/* Runs of addresses that share their outer ends.
 *
 * Most of a new stack is known: 32,537 stacks of a compiler, 59 frames deep on average, had 1.9 million frames, but
 * a tree of them 402,471 nodes. A small table remembers for outer ends of STEP, 2 * STEP, ... frames where they
 * stand; it forgets, and costs nothing but room when it has. With it they took 496,000 words. */
#include "sampler/spool/frames.h"

#include "sampler/spool/write.h"

#define STEP 4u
#define LOG_KNOWN 13u
#define ENDS (SP_MAX_DEPTH / STEP + 1)

/* Upper half: of the end's hash; lower half: where it stands. 0: nothing. */
static uint64_t known[1u << LOG_KNOWN] SP_BIG __attribute__((aligned(4096))); /* atomic */

_Static_assert(sizeof known == SP_FRAMES_TABLE_BYTES, "as its header says");

/* Of the table's 16 pages only as many are in use as have been worth it, see rules.c. What stands elsewhere after a doubling
 * is forgotten. */
#define LOG_FIRST 9u
static uint32_t log_used = LOG_FIRST, kept; /* atomic */

static uint64_t *slot_of(uint64_t hash)
{
	return &known[hash & ((1u << sp_load(&log_used)) - 1)];
}

static void keep(uint64_t hash, uint64_t at)
{
	uint32_t log = sp_load(&log_used);

	if (sp_add(&kept, 1) >= 1u << (log - 1) && log < LOG_KNOWN) {
		sp_store(&log_used, log + 2 < LOG_KNOWN ? log + 2 : LOG_KNOWN);
		sp_store(&kept, 0);
	}
	__atomic_store_n(slot_of(hash), hash >> 32 << 32 | at, __ATOMIC_RELEASE);
}

/* hash[n] is that of the outermost n * STEP frames in this spool. */
static void hash_ends(const uint64_t *frames, uint32_t depth, uint64_t hash[ENDS])
{
	uint64_t h = 0x9e3779b97f4a7c15ULL * (1 + sp_spool_generation());
	uint32_t i;

	for (i = 0; i < depth; i++) {
		h = (h ^ frames[depth - 1 - i]) * 0xff51afd7ed558ccdULL, h ^= h >> 32;
		if ((i + 1) % STEP == 0)
			hash[(i + 1) / STEP] = h;
	}
}

/* Whether the run from `at` on begins with these. */
static bool is_same(uint32_t at, const uint64_t *frames, uint32_t n)
{
	const uint64_t *pool = sp_section(SP_SEC_FRAMES);
	uint32_t count = sp_spool_count(SP_SEC_FRAMES), i = 0, jumps = 0;

	while (i < n) {
		if (at >= count)
			return false;
		if (sp_frame_is_jump(pool[at])) {
			if (jumps++ == n)
				return false;
			at = (uint32_t)pool[at];
		} else if (pool[at++] != frames[i++]) {
			return false;
		}
	}
	return true;
}

/* Frames at the outer end that stand in the spool already, from *at on. */
static uint32_t find_end(const uint64_t *frames, uint32_t depth, const uint64_t hash[ENDS], uint32_t *at)
{
	uint32_t n;

	for (n = depth / STEP; n; n--) {
		uint64_t entry = __atomic_load_n(slot_of(hash[n]), __ATOMIC_ACQUIRE);

		*at = (uint32_t)entry;
		if (*at && entry >> 32 == hash[n] >> 32 && is_same(*at, frames + depth - n * STEP, n * STEP))
			return n * STEP;
	}
	return 0;
}

uint32_t sp_frames_put(const uint64_t *frames, uint32_t depth)
{
	uint64_t hash[ENDS], *pool = sp_section(SP_SEC_FRAMES);
	uint32_t at, end_at = 0, shared, own, n;

	hash_ends(frames, depth, hash);
	shared = find_end(frames, depth, hash, &end_at);
	own = depth - shared;
	if (!own)
		return end_at;
	at = sp_spool_allot(SP_SEC_FRAMES, own + (shared != 0));
	if (!at)
		return 0;
	for (n = 0; n < own; n++) /* a word of a damaged stack may be anything */
		pool[at + n] = sp_frame_is_jump(frames[n]) ? 0 : frames[n];
	if (shared)
		pool[at + own] = SP_FRAME_JUMP | end_at;
	for (n = shared / STEP + 1; n <= depth / STEP; n++)
		keep(hash[n], at + depth - n * STEP);
	return at;
}
