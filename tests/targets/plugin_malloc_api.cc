/* The table of tests/targets/malloc_table.h from a constructor, as a module or preloaded, and blocks to be
 * given across. */
#include "tests/targets/malloc_table.h"

extern "C" void *plugin_take(size_t size)
{
	return malloc(size);
}

extern "C" void plugin_give(void *p)
{
	free(p);
}

__attribute__((constructor)) static void construct()
{
	malloc_table::all("constructor");
}
