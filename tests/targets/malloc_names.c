/* Allocations by the names an allocator has beside malloc, its own free among them and the standard one.
 * Usage: malloc_names jemalloc|tcmalloc|mimalloc [ROUNDS]. The functions are looked up as a program would
 * that was not linked with them; prints "allocations frees bytes in-use" (the truth), or "absent". */
#include <dlfcn.h>
#include <unistd.h>

#include "tests/targets/common.h"

static uint64_t allocs, frees, bytes, inuse;

static void *got(void *p, size_t size)
{
	check(p != NULL, "allocation");
	memset(p, 1, size);
	allocs++;
	bytes += size;
	inuse += size;
	return p;
}

static void gone(size_t size)
{
	frees++;
	inuse -= size;
}

static void *name(const char *function)
{
	void *p = dlsym(RTLD_DEFAULT, function);

	check(p != NULL, function);
	return p;
}

#define NAME(ret, function, ...) ret (*function)(__VA_ARGS__) = (ret(*)(__VA_ARGS__))name(#function)

static void run_jemalloc(int rounds)
{
	NAME(void *, mallocx, size_t, int);
	NAME(void *, rallocx, void *, size_t, int);
	NAME(size_t, xallocx, void *, size_t, size_t, int);
	NAME(size_t, sallocx, void *, int);
	NAME(size_t, nallocx, size_t, int);
	NAME(void, dallocx, void *, int);
	NAME(void, sdallocx, void *, size_t, int);
	unsigned char *p;

	for (int i = 0; i < rounds; i++) {
		p = got(mallocx(300, 12 | 0x40), 300); /* aligned by 4096, zeroed */
		check(((uintptr_t)p & 4095) == 0 && sallocx(p, 12) >= 300 && nallocx(300, 12) >= 300, "mallocx");
		dallocx(p, 12), gone(300);
		p = mallocx(200, 0x40);
		check(p && !p[0] && !p[199], "zeroed");
		got(p, 200);
		gone(200);
		p = got(rallocx(p, 5000, 0), 5000);
		check(xallocx(p, 1u << 30, 0, 0) == sallocx(p, 0), "xallocx");
		sdallocx(p, 5000, 0), gone(5000);
		p = got(mallocx(1000, 0), 1000);
		free(p), gone(1000);
		p = got(malloc(700), 700);
		dallocx(p, 0), gone(700);
		if (i % 4 == 0)
			got(mallocx(2000, 0), 2000);
	}
}

static void run_tcmalloc(int rounds)
{
	NAME(void *, tc_malloc, size_t);
	NAME(void *, tc_calloc, size_t, size_t);
	NAME(void *, tc_realloc, void *, size_t);
	NAME(void *, tc_memalign, size_t, size_t);
	NAME(int, tc_posix_memalign, void **, size_t, size_t);
	NAME(void *, tc_new, size_t);
	NAME(void, tc_delete, void *);
	NAME(void *, tc_newarray, size_t);
	NAME(void, tc_deletearray, void *);
	NAME(void, tc_free, void *);
	NAME(void, tc_cfree, void *);
	NAME(size_t, tc_malloc_size, void *);
	void *p;

	for (int i = 0; i < rounds; i++) {
		p = got(tc_malloc(500), 500);
		check(tc_malloc_size(p) >= 500, "tc_malloc_size");
		gone(500);
		p = got(tc_realloc(p, 9000), 9000);
		tc_free(p), gone(9000);
		p = got(tc_calloc(10, 30), 300);
		free(p), gone(300);
		p = got(tc_memalign(512, 100), 100);
		tc_cfree(p), gone(100);
		check(tc_posix_memalign(&p, 4096, 800) == 0 && ((uintptr_t)p & 4095) == 0, "tc_posix_memalign");
		got(p, 800);
		tc_free(p), gone(800);
		p = got(tc_new(60), 60);
		tc_delete(p), gone(60);
		p = got(tc_newarray(70), 70);
		tc_deletearray(p), gone(70);
		if (i % 4 == 0)
			got(tc_malloc(2000), 2000);
	}
}

static void run_mimalloc(int rounds)
{
	NAME(void *, mi_malloc, size_t);
	NAME(void *, mi_zalloc, size_t);
	NAME(void *, mi_calloc, size_t, size_t);
	NAME(void *, mi_realloc, void *, size_t);
	NAME(void *, mi_reallocf, void *, size_t);
	NAME(void *, mi_recalloc, void *, size_t, size_t);
	NAME(void *, mi_malloc_aligned, size_t, size_t);
	NAME(void *, mi_realloc_aligned, void *, size_t, size_t);
	NAME(void *, mi_expand, void *, size_t);
	NAME(char *, mi_strdup, const char *);
	NAME(void *, mi_new, size_t);
	NAME(void *, mi_new_n, size_t, size_t);
	NAME(int, mi_posix_memalign, void **, size_t, size_t);
	NAME(void, mi_free, void *);
	NAME(void, mi_free_size, void *, size_t);
	NAME(size_t, mi_usable_size, void *);
	void *p;

	for (int i = 0; i < rounds; i++) {
		p = got(mi_malloc(500), 500);
		check(mi_usable_size(p) >= 500, "mi_usable_size");
		gone(500);
		p = got(mi_realloc(p, 20000), 20000);
		check(mi_expand(p, 1u << 30) == NULL, "mi_expand");
		mi_free(p), gone(20000);
		p = got(mi_zalloc(90), 90);
		gone(90);
		p = got(mi_recalloc(p, 4, 500), 2000);
		free(p), gone(2000);
		p = got(mi_calloc(3, 40), 120);
		gone(120);
		p = got(mi_reallocf(p, 10000), 10000);
		mi_free_size(p, 10000), gone(10000);
		p = got(mi_malloc_aligned(600, 1024), 600);
		gone(600);
		p = got(mi_realloc_aligned(p, 7000, 1024), 7000);
		check(((uintptr_t)p & 1023) == 0, "mi_realloc_aligned");
		mi_free(p), gone(7000);
		p = mi_strdup("a string");
		check(strcmp(p, "a string") == 0, "mi_strdup");
		got(p, 9);
		mi_free(p), gone(9);
		p = got(mi_new(60), 60);
		mi_free(p), gone(60);
		p = got(mi_new_n(5, 16), 80);
		mi_free(p), gone(80);
		check(mi_posix_memalign(&p, 4096, 800) == 0, "mi_posix_memalign");
		got(p, 800);
		free(p), gone(800);
		if (i % 4 == 0)
			got(mi_malloc(2000), 2000);
	}
}

int main(int argc, char **argv)
{
	const char *family = argc > 1 ? argv[1] : "";
	int rounds = (int)argument(argc, argv, 2, 5000);
	char line[128];
	int n;

	if (!dlsym(RTLD_DEFAULT, *family == 'j' ? "mallocx" : *family == 't' ? "tc_malloc" : "mi_malloc"))
		n = snprintf(line, sizeof(line), "absent\n");
	else {
		(*family == 'j' ? run_jemalloc : *family == 't' ? run_tcmalloc : run_mimalloc)(rounds);
		n = snprintf(line, sizeof(line), "%lu %lu %lu %lu\n", allocs, frees, bytes, inuse);
	}
	check(write(STDOUT_FILENO, line, (size_t)n) == n, "write");
	return 0;
}
