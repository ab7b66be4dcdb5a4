/* Limits under which the C library's allocator, or another, is refused memory by the kernel. Without a limit only a
 * request that is larger than the machine's memory fails, and no sampling interval misses that. */
#include "preload/hooks/limits.h"

#include <sys/resource.h>

#include "preload/export.h"
#include "preload/hooks/malloc.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/sys.h"

static bool is_limited(int resource)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	sp_sys(SYS_prlimit64, 0, resource, NULL, &limit);
	return limit.rlim_cur != RLIM_INFINITY;
}

void sp_limits_look(void)
{
	if (is_limited(RLIMIT_AS) || is_limited(RLIMIT_DATA))
		sp_malloc_may_be_refused();
}

/* A limit has been set. */
static void note(int resource)
{
	if ((resource == RLIMIT_AS || resource == RLIMIT_DATA) && !sp_is_vfork_child())
		sp_limits_look();
}

SP_EXPORT int sp_export_setrlimit(int resource, const struct rlimit *limit) __asm__("setrlimit");
int sp_export_setrlimit(int resource, const struct rlimit *limit)
{
	int result = SP_REAL(setrlimit)(resource, limit);

	if (!result)
		note(resource);
	return result;
}

SP_EXPORT int sp_export_prlimit(pid_t pid, int resource, const struct rlimit *set,
	struct rlimit *old) __asm__("prlimit");
int sp_export_prlimit(pid_t pid, int resource, const struct rlimit *set, struct rlimit *old)
{
	int result = SP_REAL(prlimit)(pid, resource, set, old);

	if (!result && set)
		note(resource);
	return result;
}

/* The same functions: all limits have 64 bits. */
extern int sp_export_setrlimit64(int, const struct rlimit *) __asm__("setrlimit64")
	__attribute__((alias("setrlimit"), visibility("default")));
extern int sp_export_prlimit64(pid_t, int, const struct rlimit *, struct rlimit *) __asm__("prlimit64")
	__attribute__((alias("prlimit"), visibility("default")));
