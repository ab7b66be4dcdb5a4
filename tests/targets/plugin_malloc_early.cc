/* Preloaded: the resolver of an indirect function allocates, before a library in front of this one has been
 * relocated. What it got is looked at, grown and given back by the constructor. */
#include "tests/targets/malloc_table.h"

static char *early[3];

extern "C" {
static void serve()
{
}

static void (*resolve())()
{
	char *p = (char *)calloc(10, 10);

	early[0] = (char *)malloc(50);
	early[1] = (char *)realloc(p, 5000);
	early[2] = (char *)aligned_alloc(64, 64);
	memset(early[0], 'x', 50);
	free(malloc(20));
	free(NULL);
	return serve;
}

static void indirect() __attribute__((ifunc("resolve")));
}

extern void (*volatile plugin_indirect)();
void (*volatile plugin_indirect)() = indirect;

__attribute__((constructor)) static void construct()
{
	plugin_indirect();
	malloc_table::where = "resolver";
	errno = 0;
	malloc_table::show_number("zeroed", early[1][0] == 0 && early[1][99] == 0);
	malloc_table::show_number("aligned", (uintptr_t)early[2] % 64 == 0);
	for (char *&p : early) {
		p = (char *)realloc(p, 200);
		malloc_table::show_number("grown", p != nullptr && malloc_usable_size(p) >= 200);
	}
	malloc_table::show_number("kept", early[0][0] == 'x' && early[0][49] == 'x');
	for (char *p : early)
		free(p);
}
