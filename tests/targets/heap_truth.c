/* Allocations of known size at known sites, from 16 B to 1 MB, more than 64 MB of them alive at
 * exit. Prints the truth as "site<TAB>in use bytes<TAB>count<TAB>allocated bytes<TAB>count" and a
 * line "total"; the program itself never lets libc allocate. A realloc counts as an allocation of
 * the new size and a free of the old. Usage: heap_truth [TIMES]: so often as much is given back at once. */
#include <malloc.h>
#include <unistd.h>

#include "tests/targets/common.h"

struct truth {
	const char *site;
	uint64_t inuse_bytes, inuse_count, alloc_bytes, alloc_count;
};
static struct truth truths[16];
static int used;

/* Pointers stay reachable: this is memory in use, not a leak. */
static void *kept[1 << 20];
static size_t kept_count;

static void allocated(struct truth *t, void *p, size_t size)
{
	check(p != NULL, t->site);
	*(volatile char *)p = 1;
	t->alloc_bytes += size;
	t->alloc_count++;
	t->inuse_bytes += size;
	t->inuse_count++;
}

static void freed(struct truth *t, size_t size)
{
	t->inuse_bytes -= size;
	t->inuse_count--;
}

static struct truth *begin(const char *site)
{
	struct truth *t = &truths[used++];

	t->site = site;
	return t;
}

static NOINLINE void site_malloc_small(int n)
{
	struct truth *t = begin(__func__);

	for (int i = 0; i < n; i++) {
		size_t size = 16 + (size_t)(i % 15) * 16;
		void *p = malloc(size);

		allocated(t, p, size);
		kept[kept_count++] = p;
	}
}

static NOINLINE void site_malloc_medium(int n)
{
	struct truth *t = begin(__func__);

	for (int i = 0; i < n; i++) {
		void *p = malloc(3000);

		allocated(t, p, 3000);
		kept[kept_count++] = p;
	}
}

static NOINLINE void site_calloc(int n)
{
	struct truth *t = begin(__func__);

	for (int i = 0; i < n; i++) {
		void *p = calloc(25, 40);

		allocated(t, p, 1000);
		kept[kept_count++] = p;
	}
}

static NOINLINE void site_realloc(int n)
{
	struct truth *t = begin(__func__);

	for (int i = 0; i < n; i++) {
		void *p = NULL;
		size_t old = 0;

		for (size_t size = 64; size <= 8192; size *= 4) {
			p = realloc(p, size);
			if (old)
				freed(t, old);
			allocated(t, p, size);
			old = size;
		}
		kept[kept_count++] = p;
	}
}

static NOINLINE void site_aligned_alloc(int n)
{
	struct truth *t = begin(__func__);

	for (int i = 0; i < n; i++) {
		void *p = aligned_alloc(256, 4096);

		check(((uintptr_t)p & 255) == 0, "alignment");
		allocated(t, p, 4096);
		kept[kept_count++] = p;
	}
}

static NOINLINE void site_posix_memalign(int n)
{
	struct truth *t = begin(__func__);

	for (int i = 0; i < n; i++) {
		void *p;

		check(posix_memalign(&p, 4096, 20000) == 0, "posix_memalign");
		allocated(t, p, 20000);
		kept[kept_count++] = p;
	}
}

static NOINLINE void site_large(int n)
{
	struct truth *t = begin(__func__);

	for (int i = 0; i < n; i++) {
		void *p = malloc(1 << 20);

		allocated(t, p, 1 << 20);
		kept[kept_count++] = p;
	}
}

/* Everything here is given back: allocated, never in use at the end. */
static NOINLINE void site_churn(int n)
{
	struct truth *t = begin(__func__);

	for (int i = 0; i < n; i++) {
		size_t size = 32 + (size_t)(i % 64) * 8;
		void *p = malloc(size);

		allocated(t, p, size);
		free(p);
		freed(t, size);
	}
}

static void print(const struct truth *t)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s\t%lu\t%lu\t%lu\t%lu\n", t->site, t->inuse_bytes, t->inuse_count,
		t->alloc_bytes, t->alloc_count);

	check(write(STDOUT_FILENO, line, (size_t)n) == n, "write");
}

int main(int argc, char **argv)
{
	struct truth total = {.site = "total"};
	int times = (int)argument(argc, argv, 1, 1);

	site_malloc_small(150000);
	site_malloc_medium(5000);
	site_calloc(12000);
	site_realloc(2500);
	site_aligned_alloc(3000);
	site_posix_memalign(600);
	site_large(12);
	site_churn(200000 * times);
	for (int i = 0; i < used; i++) {
		total.inuse_bytes += truths[i].inuse_bytes;
		total.inuse_count += truths[i].inuse_count;
		total.alloc_bytes += truths[i].alloc_bytes;
		total.alloc_count += truths[i].alloc_count;
		print(&truths[i]);
	}
	print(&total);
	return 0;
}
