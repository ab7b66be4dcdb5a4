/* The agent's own small memory: chunks, filled from the bottom, never given back. */
#include "sampler/heap/arena.h"

#include <sys/mman.h>

#include "sampler/heap/filter.h"
#include "sampler/sys.h"

#define FIRST_BYTES 65536u
#define CHUNK_BYTES (1u << 20)
#define MAX_CHUNKS 64u

/* Stands right before the memory handed out. */
struct block {
	uint64_t size; /* atomic: as asked for, at least 1; GAP; 0 being filled */
	uint64_t next; /* where the block after it starts, from the start of the chunk */
};

struct chunk {
	char *bytes;
	uint64_t capacity;
	uint64_t used; /* atomic */
};

static char SP_BIG first_bytes[FIRST_BYTES + 4095];

_Static_assert(sizeof(struct block) == 16, "keeps the memory behind it aligned");

static struct {
	struct chunk chunks[MAX_CHUNKS];
	uint32_t added;   /* atomic: chunks beyond the first */
	uint32_t growing; /* sp_try_lock */
} arena SP_BIG;

/* Those in use. */
static uint32_t count(void)
{
	return 1 + __atomic_load_n(&arena.added, __ATOMIC_ACQUIRE);
}

/* An alignment above 16 leaves a gap: a block of its own, so that the chunk can be walked. */
#define GAP UINT64_MAX

static void fill_block(struct block *b, uint64_t size, uint64_t next)
{
	b->next = next;
	__atomic_store_n(&b->size, size, __ATOMIC_RELEASE);
}

static void *allot(struct chunk *c, size_t bytes, size_t alignment)
{
	uint64_t at = sp_load(&c->used), block, end;

	do {
		block = alignment <= 16 ? at
					: ((at + 2 * sizeof(struct block) + alignment - 1) & ~(alignment - 1)) - 16;
		end = (block + sizeof(struct block) + bytes + 15) & ~15ull;
		if (end > c->capacity)
			return NULL;
	} while (!__atomic_compare_exchange_n(&c->used, &at, end, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	fill_block((struct block *)(c->bytes + block), bytes ? bytes : 1, end);
	if (block != at)
		fill_block((struct block *)(c->bytes + at), GAP, block);
	return c->bytes + block + sizeof(struct block);
}

#define PATIENCE 10000000u

/* A chunk beyond the first n; false when memory is refused. */
static bool grow(uint32_t n)
{
	uint32_t spins = 0;
	long p;

	if (n >= MAX_CHUNKS)
		return false;
	if (!sp_try_lock(&arena.growing)) {
		while (sp_load(&arena.growing) && spins++ < PATIENCE) /* for the time of an mmap */
			sp_pause();
		return count() > n;
	}
	if (count() > n) {
		sp_unlock(&arena.growing);
		return true;
	}
	p = sp_sys(SYS_mmap, NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p > 0 || p < -4095) {
		arena.chunks[n] = (struct chunk){(char *)p, CHUNK_BYTES, 0};
		__atomic_store_n(&arena.added, n, __ATOMIC_RELEASE);
	}
	sp_unlock(&arena.growing);
	return count() > n;
}

void *sp_arena_alloc(size_t bytes, size_t alignment)
{
	size_t align = alignment > 16 ? alignment : 16;
	void *p = NULL;
	uint32_t n;

	if (bytes > CHUNK_BYTES / 2 || align > 4096)
		return NULL;
	arena.chunks[0].bytes = (char *)(((uintptr_t)first_bytes + 4095) & ~(uintptr_t)4095);
	arena.chunks[0].capacity = FIRST_BYTES;
	do {
		n = count();
		p = allot(&arena.chunks[n - 1], bytes, align);
	} while (!p && grow(n));
	if (p)
		sp_filter_mark_arena(p);
	return p;
}

static const struct chunk *chunk_of(const void *p)
{
	uint32_t i, n = count();

	for (i = 0; i < n; i++)
		if ((uintptr_t)p - (uintptr_t)arena.chunks[i].bytes < arena.chunks[i].capacity)
			return &arena.chunks[i];
	return NULL;
}

bool sp_arena_owns(const void *p)
{
	return chunk_of(p) != NULL;
}

size_t sp_arena_size(const void *p)
{
	return ((const struct block *)p - 1)->size;
}

void sp_arena_mark_all(void)
{
	uint32_t i, n = count();

	for (i = 0; i < n; i++) {
		const struct chunk *c = &arena.chunks[i];
		uint64_t at = 0, used = sp_load(&c->used);

		while (at < used) {
			const struct block *b = (const struct block *)(c->bytes + at);
			uint64_t size = __atomic_load_n(&b->size, __ATOMIC_ACQUIRE);

			if (!size)
				break;
			if (size != GAP)
				sp_filter_mark_arena(b + 1);
			at = b->next;
		}
	}
}
