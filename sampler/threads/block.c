/* The pool of thread blocks. */
#include "sampler/threads/block.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "sampler/spans/spans.h"
#include "sampler/spool/write.h"
#include "sampler/race_tools.h"
#include "sampler/sys.h"
#include "sampler/threads/registry.h"

#define BLOCKS_PER_CHUNK 16u
#define MAX_CHUNKS (SP_BLOCKS / BLOCKS_PER_CHUNK)

#define AWAIT_LOOKS 2000u
#define AWAIT_LOOK_NS 50000

/* Atomic; BLOCKS_PER_CHUNK blocks each. Few processes have more than the first, and they touch no page for it. */
static char *first_chunk, *more_chunks[MAX_CHUNKS - 1] SP_BIG;
static struct {
	uint64_t free_head; /* atomic: tag << 32 | index + 1; the tag defeats ABA */
	uint32_t taken;     /* atomic: blocks carved */
} pool SP_WRITTEN_AT_FORK;
static int refused; /* atomic: why there was no chunk, the last time */

static char **chunk_at(uint32_t c)
{
	return c ? &more_chunks[c - 1] : &first_chunk;
}

struct sp_thread *sp_block_at(uint32_t index)
{
	char *chunk = index / BLOCKS_PER_CHUNK >= MAX_CHUNKS
		? NULL
		: __atomic_load_n(chunk_at(index / BLOCKS_PER_CHUNK), __ATOMIC_ACQUIRE);
	return chunk ? (struct sp_thread *)(chunk + (size_t)(index % BLOCKS_PER_CHUNK) * SP_BLOCK_BYTES) : NULL;
}

int sp_block_error(void)
{
	return sp_load(&refused);
}

bool sp_block_holds(const void *p)
{
	const size_t bytes = (size_t)BLOCKS_PER_CHUNK * SP_BLOCK_BYTES;
	uint32_t c, n = (sp_load(&pool.taken) + BLOCKS_PER_CHUNK - 1) / BLOCKS_PER_CHUNK;

	for (c = 0; c < n; c++) {
		const char *chunk = sp_load(chunk_at(c));

		if ((const char *)p >= chunk && (const char *)p < chunk + bytes)
			return true;
	}
	return false;
}

static struct sp_thread *pop_free(void)
{
	uint64_t head = __atomic_load_n(&pool.free_head, __ATOMIC_ACQUIRE);

	while (head & 0xffffffffu) {
		struct sp_thread *t = sp_block_at((uint32_t)head - 1);
		/* Another thread may have taken the block meanwhile, and give it back now: then the head has changed. */
		uint64_t next = ((head >> 32) + 1) << 32 | sp_load(&t->next_free);
		if (__atomic_compare_exchange_n(&pool.free_head, &head, next, false, __ATOMIC_ACQ_REL,
			    __ATOMIC_ACQUIRE))
			return t;
	}
	return NULL;
}

static void push_free(struct sp_thread *t)
{
	uint64_t head = __atomic_load_n(&pool.free_head, __ATOMIC_ACQUIRE);
	uint64_t next;

	do {
		sp_store(&t->next_free, (uint32_t)head);
		next = ((head >> 32) + 1) << 32 | (t->index + 1);
	} while (!__atomic_compare_exchange_n(&pool.free_head, &head, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

/* Nothing of the parent's blocks is of use to a forked child: it finds them wiped, and neither of the two has them copied. */
static char *map_chunk(size_t bytes)
{
	long p = sp_sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		0);
	int err;

	if (sp_is_error(p)) {
		sp_store(&refused, (int)p);
		return NULL;
	}
	err = sp_advice_error(sp_sys(SYS_madvise, p, bytes, MADV_WIPEONFORK));
	if (!err)
		return (char *)p;
	sp_store(&refused, err);
	sp_sys(SYS_munmap, p, bytes);
	return NULL;
}

/* Maps the chunk that holds `index` unless another thread has. */
static bool ensure_chunk(uint32_t index)
{
	uint32_t c = index / BLOCKS_PER_CHUNK;
	size_t bytes = (size_t)BLOCKS_PER_CHUNK * SP_BLOCK_BYTES;
	char *expected = NULL, *p;

	if (c >= MAX_CHUNKS)
		return false;
	if (__atomic_load_n(chunk_at(c), __ATOMIC_ACQUIRE))
		return true;
	p = map_chunk(bytes);
	if (!p)
		return false;
	sp_memory_is_agents(p, bytes);
	if (!__atomic_compare_exchange_n(chunk_at(c), &expected, p, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		sp_sys(SYS_munmap, p, bytes);
	return true;
}

/* From here on every child made by fork, however it was made, knows that it is one. */
static void become_known(struct sp_thread *first)
{
	first->alive = SP_ALIVE;
	sp_agent.alive = &first->alive;
}

/* Carves a block that was not in use since all were forgotten. Its memory is there before its number is taken, so that a
 * refusal takes nothing. */
static struct sp_thread *carve(void)
{
	uint32_t index = __atomic_load_n(&pool.taken, __ATOMIC_ACQUIRE);
	struct sp_thread *t;

	do {
		if (!ensure_chunk(index))
			return NULL;
	} while (!__atomic_compare_exchange_n(&pool.taken, &index, index + 1, false, __ATOMIC_ACQ_REL,
		__ATOMIC_ACQUIRE));
	t = sp_block_at(index);
	t->index = index;
	t->clock_state = 0;
	if (!index)
		become_known(t);
	if (sp_agent.has_spool)
		sp_spool_take(SP_BLOCK_TOUCHED, SP_BLOCK_TOUCHED);
	return t;
}

struct sp_thread *sp_block_take(void)
{
	struct sp_thread *t = pop_free();

	if (!t && !(t = carve()))
		return NULL;
	t->tls = NULL;
	t->tid = 0;
	t->record = NULL;
	t->armed = t->listed = t->discovered = t->owned = t->met = t->foreign = t->inside = false;
	t->event_open = false;
	t->clocks = 0;
	t->event_fd = -1;
	t->event_page = NULL;
	t->heap_interval = 0;
	t->last_walk.count = 0; /* written to before it is read: the kernel makes a page that is read first twice */
	t->burst_began = t->burst_cycles = t->burst_samples = 0;
	t->sampled_tsc = 0;
	t->waits = SP_SIGNAL_COMES;
	t->unblocked_sleeps = 0;
	t->user_base_ns = t->user_seen_ns = t->sys_seen_ns = 0;
	t->user_tick_ns = t->sys_tick_ns = 0;
	t->user_assigned_ns = t->sys_assigned_ns = 0;
	t->root_pc = t->stack_high = t->stack_bytes = 0;
	t->start = NULL;
	t->made_ns = 0;
	t->user_drift_ns = 0;
	t->drawn_ns = t->window_switches = t->window_cpu_ns = t->counted_switches = t->counted_sys_ns =
		t->calibration_cycles = 0;
	t->calibrating = 0;
	memset(&t->wait, 0, sizeof t->wait);
	sp_span_forget(t);
	t->random = (sp_tsc_first() ^ (uint64_t)t->index << 32 ^ (uint64_t)(uintptr_t)t) * 0x9e3779b97f4a7c15ULL | 1;
	return t;
}

void sp_block_give_back(struct sp_thread *t)
{
	if (t->listed)
		sp_registry_remove(t);
	t->listed = false;
	t->tid = 0;
	t->tls = NULL;
	push_free(t);
}

void sp_block_each(void (*fn)(struct sp_thread *, void *), void *arg)
{
	uint32_t i, n = __atomic_load_n(&pool.taken, __ATOMIC_RELAXED);

	for (i = 0; i < n; i++) {
		struct sp_thread *t = sp_block_at(i);
		if (t && sp_load(&t->tid))
			fn(t, arg);
	}
}

bool sp_block_await(struct sp_thread *t, bool (*done)(struct sp_thread *t, void *arg), void *arg)
{
	const struct timespec moment = {0, AWAIT_LOOK_NS};

	for (uint32_t i = 0; i < AWAIT_LOOKS; i++) {
		if (done(t, arg))
			return true;
		sp_sys(SYS_nanosleep, &moment, NULL);
	}
	return false;
}

SP_AT_FORK void sp_block_forget(void)
{
	pool.free_head = 0;
	pool.taken = 0;
	sp_registry_forget();
}
