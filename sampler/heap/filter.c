/* The filter of free(). */
#include "sampler/heap/filter.h"

#include "sampler/sys.h"

#define TABLE_BYTES (1u << SP_FILTER_PLACE_BITS)
#define STICKY 255u

/* 2^64 / golden ratio, as fractions of a place for each byte of address space. */
#define FINE_FACTOR (0x9e3779b97f4a7c15ULL >> 21)
#define COARSE_FACTOR (0x9e3779b97f4a7c15ULL >> 25)
/* Bytes in use for each live sample: with more of them the coarse table is in force, with less than a half of it
 * the fine one. */
#define SPARSE_BYTES 32768u

/* Until the real free is known every pointer is looked up; from then on none, until one is sampled. */
static const struct {
	uint64_t factor;
	uint8_t bytes[8];
} boot_filter = {0, {1}}, quiet_filter;
/* The coarse table needs no activation; of its pages a small process touches two, and one that samples nothing none. */
static uint8_t coarse_room[SP_FILTER_COARSE_BYTES] SP_BIG;
struct sp_free_filter *sp_free_filter = (struct sp_free_filter *)&boot_filter;
static struct sp_free_filter *fine;
static bool coarse_is_used; /* atomic */
static bool coarse_is_left; /* atomic: what a forked child's parent had in it is in it still */
static bool has_arenas;     /* some pointer of the arena's is in it */

/* Its bytes begin a page. An aligned variable would align all of ours, and take the small ones one page more. */
static struct sp_free_filter *coarse_filter(void)
{
	uintptr_t bytes = ((uintptr_t)coarse_room + sizeof(struct sp_free_filter) + 4095) & ~(uintptr_t)4095;

	return (struct sp_free_filter *)(bytes - offsetof(struct sp_free_filter, bytes));
}

bool sp_filter_fine_has(const void *p)
{
	return !fine || fine->bytes[sp_filter_place(fine, p)];
}

static struct sp_free_filter *quiet(void)
{
	return (struct sp_free_filter *)(uintptr_t)&quiet_filter;
}

/* Not in a forked child's first instants: most end without having used it. */
static void wipe_left(void)
{
	if (sp_unlikely(sp_load(&coarse_is_left)) && __atomic_exchange_n(&coarse_is_left, false, __ATOMIC_ACQ_REL))
		sp_clear_pages(coarse_filter()->bytes, TABLE_BYTES);
}

/* Before a pointer is put into the coarse table. */
static void use_coarse(void)
{
	if (sp_unlikely(!__atomic_load_n(&coarse_is_used, __ATOMIC_ACQUIRE))) {
		wipe_left();
		coarse_filter()->factor = COARSE_FACTOR;
		__atomic_store_n(&coarse_is_used, true, __ATOMIC_RELEASE);
	}
	if (sp_load(&sp_free_filter) == quiet())
		__atomic_store_n(&sp_free_filter, coarse_filter(), __ATOMIC_RELEASE);
}

void sp_filter_boot_done(void)
{
	sp_store(&sp_free_filter, sp_load(&coarse_is_used) ? coarse_filter() : quiet());
}

void sp_filter_set_fine(void *memory)
{
	wipe_left();
	fine = memory;
	if (fine)
		fine->factor = FINE_FACTOR;
}

static void add(struct sp_free_filter *f, const void *p, int delta)
{
	uint8_t *at = &f->bytes[sp_filter_place(f, p)], old = 0; /* guessed: a page is then touched once, by a write */

	while (old != STICKY &&
		!__atomic_compare_exchange_n(at, &old, (uint8_t)(old + delta), true, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED))
		;
}

void sp_filter_add(const void *p)
{
	use_coarse();
	add(coarse_filter(), p, 1);
	if (fine)
		add(fine, p, 1);
}

void sp_filter_remove(const void *p)
{
	add(coarse_filter(), p, -1);
	if (fine)
		add(fine, p, -1);
}

void sp_filter_add_pre_activation(const void *p)
{
	use_coarse();
	add(coarse_filter(), p, 1);
}

void sp_filter_remove_pre_activation(const void *p)
{
	add(coarse_filter(), p, -1);
}

void sp_filter_mark_arena(const void *p)
{
	use_coarse();
	has_arenas = true;
	sp_store(&coarse_filter()->bytes[sp_filter_place(coarse_filter(), p)], STICKY);
	if (fine)
		sp_store(&fine->bytes[sp_filter_place(fine, p)], STICKY);
}

void sp_filter_choose(uint64_t inuse_bytes, uint64_t samples)
{
	uint64_t sparse = samples * SPARSE_BYTES;
	struct sp_free_filter *now = sp_load(&sp_free_filter), *other = NULL;

	if (now == fine && inuse_bytes > sparse)
		other = coarse_filter();
	else if (fine && now != fine && inuse_bytes < sparse / 2)
		other = fine;
	if (other)
		sp_store(&sp_free_filter, other);
}

SP_AT_FORK bool sp_filter_reset(void)
{
	if (coarse_is_used) {
		coarse_is_used = false;
		coarse_is_left = true;
		sp_store(&sp_free_filter, quiet());
	}
	return has_arenas;
}

bool sp_filter_has_arenas(void)
{
	return has_arenas;
}
