/* Looking up the functions behind the interposed ones. */
#include "preload/real.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "preload/libc.h"

struct sp_real sp_real;

void *sp_real_find(const char *name)
{
	void *found;

	sp_tls.resolving++;
	found = sp_libc_next(name);
	sp_tls.resolving--;
	return found;
}

static bool is_ours(void *p)
{
	struct dl_find_object its, ours;

	return _dl_find_object(p, &its) == 0 && _dl_find_object((void *)&sp_real, &ours) == 0 &&
		its.dlfo_map_start == ours.dlfo_map_start;
}

void *sp_real_find_beside(const char *name, const void *caller, const char *loaded)
{
	struct dl_find_object object;
	void *module, *found = NULL;

	sp_tls.resolving++;
	if (_dl_find_object((void *)(uintptr_t)caller, &object) == 0 &&
		(module = dlopen(object.dlfo_link_map->l_name, RTLD_LAZY | RTLD_NOLOAD))) {
		found = dlsym(module, name);
		dlclose(module); /* the caller keeps its errno */
	}
	if ((!found || is_ours(found)) && loaded && (module = dlopen(loaded, RTLD_LAZY | RTLD_NOLOAD)))
		found = dlsym(module, name); /* and the library stays loaded */
	sp_tls.resolving--;
	return is_ours(found) ? NULL : found;
}

void sp_real_find_all(void)
{
#define X(ret, name, args) (void)SP_REAL(name);
	SP_REAL_FUNCTIONS(X)
#undef X
}

static const void *bypass;

const void *sp_real_malloc_bypass(void)
{
	return bypass;
}

/* The library's references are bound like the program's: to the first definition in the lookup order. But in an
 * executable that is not position-independent and takes malloc's address, that address is a stub of its own,
 * whose symbol is not defined there. */
void sp_real_find_malloc_bypass(void)
{
	struct dl_find_object first, ours;
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	if (_dl_find_object((void *)malloc, &first) != 0 || _dl_find_object((void *)&sp_real, &ours) != 0 ||
		first.dlfo_map_start == ours.dlfo_map_start)
		return;
	if (dladdr1((void *)malloc, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol && symbol->st_shndx != SHN_UNDEF)
		bypass = (const void *)malloc;
}
