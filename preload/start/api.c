/* The functions of smartprof.h. */
#include "preload/smartprof.h"

#include "preload/export.h"
#include "preload/process.h"
#include "sampler/agent.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/marks.h"

SP_EXPORT const char *smartprof_version(void)
{
	return SP_VERSION;
}

SP_EXPORT int smartprof_active(void)
{
	return sp_load(&sp_agent.state) == SP_AGENT_ACTIVE;
}

SP_EXPORT int smartprof_mark(const char *name)
{
	struct sp_mark_reason reason = {.kind = SP_MARK_NAMED, .name = name};
	struct sp_thread *t;
	uint32_t seq;

	if (!smartprof_active() || sp_is_stale_child() || sp_is_vfork_child() || !name || !sp_mark_name_ok(name))
		return 0;
	t = sp_enter();
	if (t)
		sp_thread_flush(t, false);
	seq = sp_mark_set(&reason);
	if (t)
		sp_leave(t);
	return seq != 0;
}
