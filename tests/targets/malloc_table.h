/* Every function that allocates, from C and C++17, and what it answers: result, errno, alignment, usable
 * size, at sizes 0, odd and impossible. One line each on standard output, the same for the same allocator. */
#ifndef SP_TARGETS_MALLOC_TABLE_H
#define SP_TARGETS_MALLOC_TABLE_H

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <new>
#include <unistd.h>

#ifndef __clang__
#pragma GCC diagnostic ignored "-Walloc-size-larger-than="
#pragma GCC diagnostic ignored "-Wunused-result"
#pragma GCC diagnostic ignored "-Wuse-after-free" /* of blocks a failed realloc has left */
#endif

namespace malloc_table
{
static void *volatile sink;
static const char *where;

static void *hide(void *p)
{
	sink = p;
	return sink;
}

static size_t hide(size_t size)
{
	volatile size_t v = size;

	return v;
}

/* True for the C library's malloc: what it has cut off the top or found among its free chunks differs from
 * run to run. */
static bool is_system()
{
	return !dlsym(RTLD_DEFAULT, "mallctl") && !dlsym(RTLD_DEFAULT, "tc_version") &&
		!dlsym(RTLD_DEFAULT, "mi_version");
}

/* The alignment shown is at most what was asked for: what comes by chance may differ. */
static void show(const char *what, void *p, size_t align)
{
	char line[200];
	int error = errno, n;
	size_t size = p ? malloc_usable_size(p) : 0;

	n = snprintf(line, sizeof(line), "%s\t%s\t%s\terrno %d\taligned %d\tusable %zu\n", where, what,
		p ? "block" : "NULL", error, p && (uintptr_t)p % align == 0, is_system() ? size > 0 : size);
	if (p)
		memset(p, 0x5a, size < 4096 ? size : 4096);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(4);
	errno = 0;
}

static void show_number(const char *what, long number)
{
	char line[200];
	int n = snprintf(line, sizeof(line), "%s\t%s\t%ld\terrno %d\n", where, what, number, errno);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(4);
	errno = 0;
}

static void standard()
{
	const size_t half = hide((size_t)-1 / 2 + 1), huge = hide((size_t)-1);
	void *p = malloc(hide(100));

	show("malloc 100", p, 16);
	p = hide(realloc(p, 5000));
	show("realloc 5000", p, 16);
	p = hide(realloc(p, 10));
	show("realloc 10", p, 16);
	errno = EBADF;
	void *q = realloc(p, huge);
	show("realloc huge", q, 16);
	show("kept", p, 16);
	q = reallocarray(p, half, 4);
	show("reallocarray overflow", q, 16);
	p = hide(reallocarray(p, 30, 30));
	show("reallocarray 900", p, 16);
	show("realloc to 0", q = realloc(hide(p), 0), 16);
	free(q);
	show("realloc NULL 0", q = realloc(NULL, hide((size_t)0)), 16);
	free(q);
	show("malloc 0", q = malloc(hide((size_t)0)), 16);
	free(q);
	show("malloc huge", malloc(huge), 16);
	show("malloc half", malloc(half), 16);
	show("calloc 0", q = calloc(0, hide(8)), 16);
	free(q);
	show("calloc overflow", calloc(half, 2), 16);
	show("calloc overflow to small", calloc(half + 8, 2), 16);
	q = calloc(hide(1000), 3);
	int zeroes = 0;
	for (int i = 0; i < 3000; i++)
		zeroes += !((char *)q)[i];
	show_number("calloc zeroes", zeroes);
	free(q);
	errno = EINTR;
	free(hide(malloc(hide(30))));
	free(NULL);
	show_number("free keeps errno", 0);
	show_number("usable of NULL", (long)malloc_usable_size(NULL));
}

static void aligned()
{
	void *p = (void *)1;
	const size_t huge = hide((size_t)-1 / 2);

	errno = EBADF;
	show_number("posix_memalign 24", posix_memalign(&p, hide(24), 10));
	show_number("leaves the pointer", (long)p);
	show_number("posix_memalign 4", posix_memalign(&p, hide(4), 10));
	show_number("posix_memalign huge", posix_memalign(&p, 4096, huge));
	show_number("posix_memalign 4096", posix_memalign(&p, 4096, 10));
	show("posix_memalign 4096", p, 4096);
	p = hide(realloc(p, 100000));
	show("realloc of aligned", p, 16);
	free(p);
	show_number("posix_memalign 64, 0", posix_memalign(&p, 64, 0));
	free(p);
	for (size_t align = 16; align <= 1 << 20; align *= 16) {
		show("aligned_alloc", p = aligned_alloc(hide(align), align * 2), align);
		free(p);
		show("memalign", p = memalign(hide(align), 33), align);
		free(p);
	}
	show("aligned_alloc huge", aligned_alloc(64, huge), 64);
	show("memalign huge", memalign(64, huge), 64);
	show("valloc", p = valloc(hide(10)), 4096);
	free(p);
	if (!dlsym(RTLD_DEFAULT, "mallctl")) { /* jemalloc has none: it would be the C library's */
		show("pvalloc", p = pvalloc(hide(10)), 4096);
		free(p);
	}
}

/* Where the C library has none of these, free serves. */
static void other_frees()
{
	using free_t = void (*)(void *);
	using sized_t = void (*)(void *, size_t);
	using aligned_t = void (*)(void *, size_t, size_t);
	void *cfree = dlsym(RTLD_DEFAULT, "cfree"), *sized = dlsym(RTLD_DEFAULT, "free_sized");
	void *aligned = dlsym(RTLD_DEFAULT, "free_aligned_sized");

	((free_t)(cfree ? cfree : (void *)free))(hide(malloc(40)));
	((sized_t)(sized ? sized : (void *)free))(hide(malloc(40)), 40);
	((aligned_t)(aligned ? aligned : (void *)free))(hide(aligned_alloc(64, 128)), 64, 128);
	((free_t)(cfree ? cfree : (void *)free))(NULL);
	show_number("other frees", 0);
}

static void operators()
{
	using std::align_val_t;
	using std::nothrow;
	const size_t huge = hide((size_t)-1 / 2);
	void *p;

	show("new", p = ::operator new(hide(100)), 16), ::operator delete(p);
	show("new 0", p = ::operator new(hide((size_t)0)), 16), ::operator delete(p, (size_t)0);
	show("new[]", p = ::operator new[](hide(100)), 16), ::operator delete[](p);
	show("new[] sized delete", p = ::operator new[](hide(100)), 16), ::operator delete[](p, (size_t)100);
	show("new nothrow", p = ::operator new(hide(100), nothrow), 16), ::operator delete(p, nothrow);
	show("new[] nothrow", p = ::operator new[](hide(100), nothrow), 16), ::operator delete[](p, nothrow);
	show("new aligned", p = ::operator new(hide(100), align_val_t(256)), 256);
	::operator delete(p, align_val_t(256));
	show("new[] aligned", p = ::operator new[](hide(100), align_val_t(256)), 256);
	::operator delete[](p, align_val_t(256));
	show("new aligned, sized delete", p = ::operator new(hide(100), align_val_t(256)), 256);
	::operator delete(p, (size_t)100, align_val_t(256));
	show("new[] aligned, sized delete", p = ::operator new[](hide(100), align_val_t(256)), 256);
	::operator delete[](p, (size_t)100, align_val_t(256));
	show("new aligned nothrow", p = ::operator new(hide(100), align_val_t(64), nothrow), 64);
	::operator delete(p, align_val_t(64), nothrow);
	show("new[] aligned nothrow", p = ::operator new[](hide(100), align_val_t(64), nothrow), 64);
	::operator delete[](p, align_val_t(64), nothrow);
	::operator delete(nullptr);
	errno = 0;
	show("new nothrow huge", ::operator new(huge, nothrow), 16);
	show("new[] aligned nothrow huge", ::operator new[](huge, align_val_t(64), nothrow), 64);
	if (dlsym(RTLD_DEFAULT, "mi_version")) /* which aborts */
		return;
	try {
		sink = ::operator new(huge);
		show_number("new huge", 1);
	} catch (const std::bad_alloc &) {
		show_number("new huge throws", 0);
	}
	try {
		sink = ::operator new[](huge, align_val_t(64));
		show_number("new[] aligned huge", 1);
	} catch (const std::bad_alloc &) {
		show_number("new[] aligned huge throws", 0);
	}
}

/* Where the process runs on jemalloc. */
static void jemalloc()
{
	auto mallocx = (void *(*)(size_t, int))dlsym(RTLD_DEFAULT, "mallocx");
	auto rallocx = (void *(*)(void *, size_t, int))dlsym(RTLD_DEFAULT, "rallocx");
	auto xallocx = (size_t(*)(void *, size_t, size_t, int))dlsym(RTLD_DEFAULT, "xallocx");
	auto sallocx = (size_t(*)(void *, int))dlsym(RTLD_DEFAULT, "sallocx");
	auto nallocx = (size_t(*)(size_t, int))dlsym(RTLD_DEFAULT, "nallocx");
	auto dallocx = (void (*)(void *, int))dlsym(RTLD_DEFAULT, "dallocx");
	auto sdallocx = (void (*)(void *, size_t, int))dlsym(RTLD_DEFAULT, "sdallocx");
	void *p;

	if (!dlsym(RTLD_DEFAULT, "mallctl"))
		return;
	show("mallocx 100", p = mallocx(100, 0), 16);
	show_number("sallocx", (long)sallocx(p, 0));
	show_number("xallocx", (long)xallocx(p, 1 << 20, 0, 0));
	show("rallocx", p = rallocx(p, 3000, 12), 4096);
	sdallocx(p, 3000, 12);
	show("mallocx zeroed, aligned", p = mallocx(100, 0x40 | 8), 256);
	dallocx(p, 8);
	show_number("nallocx", (long)nallocx(100, 10));
	show("mallocx huge", mallocx((size_t)-1 / 2, 0), 16);
	show("mallocx, free", p = mallocx(100, 0), 16);
	free(p);
}

[[maybe_unused]] static void all(const char *from)
{
	where = from;
	errno = 0;
	standard();
	aligned();
	other_frees();
	operators();
	jemalloc();
}
} // namespace malloc_table

#endif
