/* Looking up the functions behind the interposed ones. */
#include "preload/real.h"

#include <dlfcn.h>

struct sp_real sp_real;

void *sp_real_find(const char *name)
{
	void *found;

	sp_tls.resolving++;
	found = dlsym(RTLD_NEXT, name);
	sp_tls.resolving--;
	return found;
}

void sp_real_find_all(void)
{
#define X(ret, name, args) (void)SP_REAL(name);
	SP_REAL_FUNCTIONS(X)
#undef X
}
