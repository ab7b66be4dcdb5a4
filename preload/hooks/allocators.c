/* What jemalloc, tcmalloc and mimalloc have beside malloc: counted and sampled like it, then handed on. A
 * process that has none of them in its lookup order and uses no such name pays for none of it.
 *
 * The next definition is looked for once for all callers where the process started with the allocator's
 * library, else for each module that calls: two plugins may have brought an allocator each. Where a caller
 * has found our name by dlsym and there is none behind it, the standard functions serve. */
#include "preload/hooks/allocators.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "preload/export.h"
#include "preload/hooks/counted.h"
#include "preload/hooks/emulate.h"
#include "preload/real.h"

enum family { JEMALLOC, TCMALLOC, MIMALLOC, FAMILIES };

/* X(family, name, parameters, arguments, bytes, without one behind us) */
#define ALLOCATIONS(X) \
	X(JEMALLOC, mallocx, (size_t size, int flags), (size, flags), size, sp_emulate_mallocx(size, flags)) \
	X(TCMALLOC, tc_malloc, (size_t size), (size), size, malloc(size)) \
	X(TCMALLOC, tc_malloc_skip_new_handler, (size_t size), (size), size, malloc(size)) \
	X(TCMALLOC, tc_calloc, (size_t n, size_t size), (n, size), sp_emulate_product(n, size), calloc(n, size)) \
	X(TCMALLOC, tc_memalign, (size_t align, size_t size), (align, size), size, memalign(align, size)) \
	X(TCMALLOC, tc_valloc, (size_t size), (size), size, valloc(size)) \
	X(TCMALLOC, tc_pvalloc, (size_t size), (size), size, pvalloc(size)) \
	X(TCMALLOC, tc_new, (size_t size), (size), size, sp_emulate_new(size)) \
	X(TCMALLOC, tc_newarray, (size_t size), (size), size, sp_emulate_new(size)) \
	X(TCMALLOC, tc_new_nothrow, (size_t size, const void *tag), (size, tag), size, malloc(size)) \
	X(TCMALLOC, tc_newarray_nothrow, (size_t size, const void *tag), (size, tag), size, malloc(size)) \
	X(TCMALLOC, tc_new_aligned, (size_t size, size_t align), (size, align), size, \
		sp_emulate_new_aligned(size, align)) \
	X(TCMALLOC, tc_newarray_aligned, (size_t size, size_t align), (size, align), size, \
		sp_emulate_new_aligned(size, align)) \
	X(TCMALLOC, tc_new_aligned_nothrow, (size_t size, size_t align, const void *tag), (size, align, tag), size, \
		memalign(align, size)) \
	X(TCMALLOC, tc_newarray_aligned_nothrow, (size_t size, size_t align, const void *tag), (size, align, tag), \
		size, memalign(align, size)) \
	X(MIMALLOC, mi_malloc, (size_t size), (size), size, malloc(size)) \
	X(MIMALLOC, mi_malloc_small, (size_t size), (size), size, malloc(size)) \
	X(MIMALLOC, mi_zalloc, (size_t size), (size), size, calloc(1, size)) \
	X(MIMALLOC, mi_zalloc_small, (size_t size), (size), size, calloc(1, size)) \
	X(MIMALLOC, mi_mallocn, (size_t n, size_t size), (n, size), sp_emulate_product(n, size), \
		reallocarray(NULL, n, size)) \
	X(MIMALLOC, mi_calloc, (size_t n, size_t size), (n, size), sp_emulate_product(n, size), calloc(n, size)) \
	X(MIMALLOC, mi_malloc_aligned, (size_t size, size_t align), (size, align), size, memalign(align, size)) \
	X(MIMALLOC, mi_zalloc_aligned, (size_t size, size_t align), (size, align), size, \
		sp_emulate_zeroed(align, 1, size)) \
	X(MIMALLOC, mi_calloc_aligned, (size_t n, size_t size, size_t align), (n, size, align), \
		sp_emulate_product(n, size), sp_emulate_zeroed(align, n, size)) \
	X(MIMALLOC, mi_memalign, (size_t align, size_t size), (align, size), size, memalign(align, size)) \
	X(MIMALLOC, mi_aligned_alloc, (size_t align, size_t size), (align, size), size, aligned_alloc(align, size)) \
	X(MIMALLOC, mi_valloc, (size_t size), (size), size, valloc(size)) \
	X(MIMALLOC, mi_pvalloc, (size_t size), (size), size, pvalloc(size)) \
	X(MIMALLOC, mi_strdup, (const char *s), (s), strlen(s) + 1, sp_emulate_copy(s, strlen(s))) \
	X(MIMALLOC, mi_strndup, (const char *s, size_t n), (s, n), strnlen(s, n) + 1, \
		sp_emulate_copy(s, strnlen(s, n))) \
	X(MIMALLOC, mi_new, (size_t size), (size), size, sp_emulate_new(size)) \
	X(MIMALLOC, mi_new_n, (size_t n, size_t size), (n, size), sp_emulate_product(n, size), \
		sp_emulate_new(sp_emulate_product(n, size))) \
	X(MIMALLOC, mi_new_nothrow, (size_t size), (size), size, malloc(size)) \
	X(MIMALLOC, mi_new_aligned, (size_t size, size_t align), (size, align), size, \
		sp_emulate_new_aligned(size, align)) \
	X(MIMALLOC, mi_new_aligned_nothrow, (size_t size, size_t align), (size, align), size, memalign(align, size))

/* X(family, name, parameters, arguments, bytes, without one behind us, gives p back even when it fails) */
#define REALLOCATIONS(X) \
	X(JEMALLOC, rallocx, (void *p, size_t size, int flags), (p, size, flags), size, \
		sp_emulate_rallocx(p, size, flags), false) \
	X(TCMALLOC, tc_realloc, (void *p, size_t size), (p, size), size, realloc(p, size), false) \
	X(MIMALLOC, mi_realloc, (void *p, size_t size), (p, size), size, realloc(p, size), false) \
	X(MIMALLOC, mi_reallocf, (void *p, size_t size), (p, size), size, sp_emulate_reallocf(p, size), true) \
	X(MIMALLOC, mi_reallocn, (void *p, size_t n, size_t size), (p, n, size), sp_emulate_product(n, size), \
		reallocarray(p, n, size), false) \
	X(MIMALLOC, mi_reallocarray, (void *p, size_t n, size_t size), (p, n, size), sp_emulate_product(n, size), \
		reallocarray(p, n, size), false) \
	X(MIMALLOC, mi_rezalloc, (void *p, size_t size), (p, size), size, \
		sp_emulate_rallocx(p, size, SP_MALLOCX_ZERO), false) \
	X(MIMALLOC, mi_recalloc, (void *p, size_t n, size_t size), (p, n, size), sp_emulate_product(n, size), \
		sp_emulate_rallocx(p, sp_emulate_product(n, size), SP_MALLOCX_ZERO), false) \
	X(MIMALLOC, mi_realloc_aligned, (void *p, size_t size, size_t align), (p, size, align), size, \
		sp_emulate_rallocx(p, size, sp_emulate_flags_of(align)), false) \
	X(MIMALLOC, mi_rezalloc_aligned, (void *p, size_t size, size_t align), (p, size, align), size, \
		sp_emulate_rallocx(p, size, sp_emulate_flags_of(align) | SP_MALLOCX_ZERO), false) \
	X(MIMALLOC, mi_new_realloc, (void *p, size_t size), (p, size), size, sp_emulate_realloc(p, size), false) \
	X(MIMALLOC, mi_new_reallocn, (void *p, size_t n, size_t size), (p, n, size), sp_emulate_product(n, size), \
		sp_emulate_realloc(p, sp_emulate_product(n, size)), false) \
	X(MIMALLOC, mi_expand, (void *p, size_t size), (p, size), size, p &&size <= malloc_usable_size(p) ? p : NULL, \
		false)

/* X(family, name, parameters, arguments) */
#define FREES(X) \
	X(JEMALLOC, dallocx, (void *p, int flags), (p, flags)) \
	X(JEMALLOC, sdallocx, (void *p, size_t size, int flags), (p, size, flags)) \
	X(TCMALLOC, tc_free, (void *p), (p)) \
	X(TCMALLOC, tc_cfree, (void *p), (p)) \
	X(TCMALLOC, tc_free_sized, (void *p, size_t size), (p, size)) \
	X(TCMALLOC, tc_delete, (void *p), (p)) \
	X(TCMALLOC, tc_deletearray, (void *p), (p)) \
	X(TCMALLOC, tc_delete_sized, (void *p, size_t size), (p, size)) \
	X(TCMALLOC, tc_deletearray_sized, (void *p, size_t size), (p, size)) \
	X(TCMALLOC, tc_delete_nothrow, (void *p, const void *tag), (p, tag)) \
	X(TCMALLOC, tc_deletearray_nothrow, (void *p, const void *tag), (p, tag)) \
	X(TCMALLOC, tc_delete_aligned, (void *p, size_t align), (p, align)) \
	X(TCMALLOC, tc_deletearray_aligned, (void *p, size_t align), (p, align)) \
	X(TCMALLOC, tc_delete_sized_aligned, (void *p, size_t size, size_t align), (p, size, align)) \
	X(TCMALLOC, tc_deletearray_sized_aligned, (void *p, size_t size, size_t align), (p, size, align)) \
	X(TCMALLOC, tc_delete_aligned_nothrow, (void *p, size_t align, const void *tag), (p, align, tag)) \
	X(TCMALLOC, tc_deletearray_aligned_nothrow, (void *p, size_t align, const void *tag), (p, align, tag)) \
	X(MIMALLOC, mi_free, (void *p), (p)) \
	X(MIMALLOC, mi_cfree, (void *p), (p)) \
	X(MIMALLOC, mi_free_size, (void *p, size_t size), (p, size)) \
	X(MIMALLOC, mi_free_aligned, (void *p, size_t align), (p, align)) \
	X(MIMALLOC, mi_free_size_aligned, (void *p, size_t size, size_t align), (p, size, align))

/* Functions that only ask; there may be none behind us either: X(family, name, parameters, arguments, without one
 * behind us) */
#define QUESTIONS(X) \
	X(JEMALLOC, sallocx, (void *p, int flags), (p, flags), malloc_usable_size(p)) \
	X(JEMALLOC, nallocx, (size_t size, int flags), (size, flags), size) \
	X(TCMALLOC, tc_malloc_size, (void *p), (p), malloc_usable_size(p)) \
	X(TCMALLOC, tc_nallocx, (size_t size, int flags), (size, flags), size) \
	X(MIMALLOC, mi_usable_size, (void *p), (p), malloc_usable_size(p)) \
	X(MIMALLOC, mi_malloc_size, (void *p), (p), malloc_usable_size(p)) \
	X(MIMALLOC, mi_malloc_usable_size, (void *p), (p), malloc_usable_size(p)) \
	X(MIMALLOC, mi_good_size, (size_t size), (size), size)

/* X(family, name) */
#define ALIGNMENTS(X) \
	X(TCMALLOC, tc_posix_memalign) \
	X(MIMALLOC, mi_posix_memalign)

#define EVERY_NAME(X) \
	ALLOCATIONS(X) \
	REALLOCATIONS(X) \
	FREES(X) \
	QUESTIONS(X) \
	ALIGNMENTS(X) \
	X(JEMALLOC, xallocx)

enum {
#define X(family, name, ...) ROW_##name,
	EVERY_NAME(X)
#undef X
		ROWS
};

/* --- the next definitions */

static const struct row {
	uint8_t family;
	char name[31];
} rows[ROWS] = {
#define X(family, name, ...) {family, #name},
	EVERY_NAME(X)
#undef X
};

/* Names of the allocators that are not ours too: bound by the loader, if they are in the global lookup
 * order when the process starts. */
extern char mallctl[] __attribute__((weak));
extern char tc_version[] __attribute__((weak));
extern char mi_version[] __attribute__((weak));

static bool is_global(enum family family)
{
	return (family == JEMALLOC ? mallctl : family == TCMALLOC ? tc_version : mi_version) != NULL;
}

static const char *soname(enum family family)
{
	return family == JEMALLOC ? "libjemalloc.so.2" : family == TCMALLOC ? NULL : "libmimalloc.so.2";
}

#define CALLERS 8u

/* The functions by caller: the first table is everybody's, for the families that are global. */
static struct table {
	const void *caller; /* start of the module; atomic */
	void *next[ROWS];
	bool known[FAMILIES]; /* atomic */
} tables[1 + CALLERS] SP_BIG;

/* Twice at the same time does no harm. */
static void fill(struct table *t, enum family family, const void *caller)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].family == family)
			t->next[i] = caller ? sp_real_find_beside(rows[i].name, caller, soname(family))
					    : sp_real_find(rows[i].name);
	__atomic_store_n(&t->known[family], true, __ATOMIC_RELEASE);
}

/* The table of the module that `caller` lies in; the last one where there are too many. */
static struct table *table_of(const void *caller)
{
	struct dl_find_object object;
	const void *start = &tables;
	size_t i;

	if (_dl_find_object((void *)(uintptr_t)caller, &object) == 0)
		start = object.dlfo_map_start;
	for (i = 1; i < CALLERS; i++) {
		const void *none = NULL;

		if (__atomic_compare_exchange_n(&tables[i].caller, &none, start, false, __ATOMIC_ACQ_REL,
			    __ATOMIC_ACQUIRE) ||
			none == start)
			break;
	}
	return &tables[i];
}

static void *next(size_t row, const void *caller)
{
	enum family family = rows[row].family;
	struct table *t = &tables[0];

	if (sp_unlikely(!is_global(family))) {
		t = table_of(caller);
		if (!__atomic_load_n(&t->known[family], __ATOMIC_ACQUIRE))
			fill(t, family, caller);
	} else if (sp_unlikely(!__atomic_load_n(&t->known[family], __ATOMIC_ACQUIRE))) {
		fill(t, family, NULL);
	}
	return t->next[row];
}

void sp_allocators_find_all(void)
{
	for (enum family family = 0; family < FAMILIES; family++)
		if (is_global(family) && !tables[0].known[family])
			fill(&tables[0], family, NULL);
}

/* --- the functions */

#define NEXT(name) ((__typeof__(&name))next(ROW_##name, __builtin_return_address(0)))

#define X(family, name, params, args, bytes, otherwise) \
	SP_EXPORT void *name params; \
	void *name params \
	{ \
		__typeof__(&name) behind = NEXT(name); \
		uint64_t allocs = sp_tls.heap.allocs; \
\
		return sp_counted(behind ? behind args : otherwise, bytes, allocs); \
	}
ALLOCATIONS(X)
#undef X

#define X(family, name, params, args, bytes, otherwise, always_frees) \
	SP_EXPORT void *name params; \
	void *name params \
	{ \
		__typeof__(&name) behind = NEXT(name); \
		struct sp_counted_realloc counted; \
		void *q; \
\
		if (!behind) \
			return otherwise; \
		sp_counted_realloc_begin(&counted, p); \
		q = behind args; \
		if (!q && ((bytes) != 0 || !p) && !(always_frees)) \
			sp_counted_realloc_failed(&counted, p); \
		else \
			sp_counted_realloc_done(&counted, p, q, bytes); \
		return q; \
	}
REALLOCATIONS(X)
#undef X

#define X(family, name, params, args) \
	SP_EXPORT void name params; \
	void name params \
	{ \
		__typeof__(&name) behind = NEXT(name); \
		uint64_t frees; \
\
		if (!behind) { \
			free(p); \
			return; \
		} \
		frees = sp_counted_free(p); \
		behind args; \
		sp_counted_freed(p, frees); \
	}
FREES(X)
#undef X

#define X(family, name, params, args, otherwise) \
	SP_EXPORT size_t name params; \
	size_t name params \
	{ \
		__typeof__(&name) behind = NEXT(name); \
\
		return behind ? behind args : otherwise; \
	}
QUESTIONS(X)
#undef X

#define X(family, name) \
	SP_EXPORT int name(void **out, size_t align, size_t size); \
	int name(void **out, size_t align, size_t size) \
	{ \
		__typeof__(&name) behind = NEXT(name); \
		uint64_t allocs = sp_tls.heap.allocs; \
		int err = (behind ? behind : posix_memalign)(out, align, size); \
\
		if (!err) \
			sp_counted(*out, size, allocs); \
		return err; \
	}
ALIGNMENTS(X)
#undef X

/* Resizes in place or not at all. Returns the size that the block has afterwards. */
SP_EXPORT size_t xallocx(void *p, size_t size, size_t extra, int flags);
size_t xallocx(void *p, size_t size, size_t extra, int flags)
{
	__typeof__(&xallocx) behind = NEXT(xallocx);
	__typeof__(&sallocx) ask = NEXT(sallocx); /* the caller's too: called by name it would be ours */
	struct sp_counted_realloc counted;
	size_t before = ask ? ask(p, flags) : malloc_usable_size(p), now;

	if (!behind)
		return before;
	sp_counted_realloc_begin(&counted, p);
	now = behind(p, size, extra, flags);
	if (now == before)
		sp_counted_realloc_failed(&counted, p);
	else
		sp_counted_realloc_done(&counted, p, p, now < size ? now : size);
	return now;
}
