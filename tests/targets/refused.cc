/* Asks for memory until the limit on the address space refuses it, and on, by every way there is: prints "bytes
 * allocations" of what it got. The limit is set after the start, or, with "inherited", was there before.
 * Usage: refused [inherited] */
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <sys/resource.h>

static void *volatile sink;
static volatile size_t most = SIZE_MAX; /* the compiler does not know */
static size_t bytes, count;

static bool got(void *p, size_t size)
{
	sink = p;
	if (!p)
		return false;
	bytes += size;
	count++;
	return true;
}

static void *aligned(size_t size)
{
	void *p = nullptr;

	return posix_memalign(&p, 64, size) == 0 ? p : nullptr;
}

static void *thrown(size_t size)
{
	try {
		return ::operator new(size);
	} catch (const std::bad_alloc &) {
		return nullptr;
	}
}

/* Of each of these nearly all are refused. */
static void ask_in_vain(size_t size)
{
	got(malloc(size), size);
	got(calloc(size / 8, 8), size);
	got(calloc(most / 2, 3), 0);
	got(malloc(most / 4), 0);
	got(realloc(nullptr, size), size);
	got(reallocarray(nullptr, size / 4, 4), size);
	got(reallocarray(nullptr, most / 2, 3), 0);
	got(aligned(size), size);
	got(aligned_alloc(64, size), size);
	got(memalign(64, size), size);
	got(::operator new(size, std::nothrow), size);
	got(::operator new(size, std::align_val_t(64), std::nothrow), size);
	got(thrown(size), size);
}

int main(int argc, char **)
{
	struct rlimit limit;

	got(malloc(4000000), 4000000);
	getrlimit(RLIMIT_AS, &limit);
	if (argc < 2)
		limit.rlim_cur = 1 << 20;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		return 1;
	while (got(malloc(3000), 3000))
		;
	while (got(malloc(24), 24))
		;
	for (int i = 0; i < 3000; i++)
		ask_in_vain(i % 2 ? 24 : 5000);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_AS, &limit);
	printf("%zu %zu\n", bytes, count);
	return 0;
}
