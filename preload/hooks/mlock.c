/* A program that locks all its memory does not mean ours to be locked: most of our tables may never be used. */
#include <errno.h>
#include <sys/mman.h>

#include "env/text.h"
#include "preload/export.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/digits.h"
#include "sampler/heap/live.h"
#include "sampler/spool/mapping.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/threads/block.h"

static bool is_ours(uint64_t start)
{
	const char *p = (const char *)start;

	return sp_is_own(start) ||
		(sp_agent.has_spool && start >= (uint64_t)sp_agent.spool_map &&
			start < (uint64_t)sp_agent.spool_map + sp_agent.spool->total_bytes) ||
		sp_live_holds(p) || sp_block_holds(p);
}

/* Locks what is mapped, as mlockall does, except what is ours, or undoes that up to the address where it failed. */
static int lock_others(int flags, uint64_t *failed)
{
	struct sp_lines lines;
	char line[256];
	long err = sp_lines_open(&lines, "", "/proc/self/maps");

	if (err < 0)
		return (int)err;
	for (err = 0; !err && sp_lines_next(&lines, line, sizeof line);) {
		const char *at = line;
		uint64_t start = sp_take_hexadecimal(&at), end;

		at++;
		end = sp_take_hexadecimal(&at);
		if (at[1] != 'r' || is_ours(start))
			continue;
		if (!flags) {
			if (start < *failed)
				sp_sys(SYS_munlock, start, end - start);
			continue;
		}
		err = sp_sys(SYS_mlock2, start, end - start, MLOCK_ONFAULT);
		if (err)
			*failed = start;
		else if (!(flags & MCL_ONFAULT)) /* fails where there are no pages to be had, as behind a file's end */
			sp_sys(SYS_mlock, start, end - start);
	}
	sp_lines_close(&lines);
	return (int)err;
}

/* The kernel compares the limit with all that is mapped, ours included. */
static int lock_without_us(int flags)
{
	uint64_t failed = 0;
	int err = lock_others(flags, &failed);

	if (!err && flags & MCL_FUTURE)
		err = (int)sp_sys(SYS_mlockall, flags & ~MCL_CURRENT);
	if (err && failed)
		lock_others(0, &failed);
	return err;
}

/* What is in the place of a parent's spool would be locked, all of it. */
static void drop_left(void)
{
	uint64_t mask = sp_block_signals();

	if (sp_agent_state() != SP_AGENT_ACTIVATING && !sp_agent.has_spool)
		sp_mapping_drop();
	sp_restore_signals(mask);
}

SP_EXPORT int mlockall(int flags)
{
	bool may = !sp_agent.sealed && !sp_is_vfork_child();
	bool ours = may && sp_agent_state() == SP_AGENT_ACTIVE && !sp_is_stale_child();
	int result, before = errno, saved_errno;

	if (flags & MCL_FUTURE)
		sp_store(&sp_agent.locks_memory, 1);
	if (ours && flags & MCL_CURRENT)
		sp_spool_cut(sp_agent.spool);
	if (may && !sp_agent.has_spool)
		drop_left();
	result = SP_REAL(mlockall)(flags);
	saved_errno = errno;
	if (may && result && errno == ENOMEM && flags & MCL_CURRENT && lock_without_us(flags) == 0) {
		result = 0;
		saved_errno = before;
	}
	if (ours && !result)
		sp_spool_unlock(sp_agent.spool);
	errno = saved_errno;
	return result;
}
