/* A process that the agent is put into once more: what is left of the time before goes. */
#include "preload/start/retire.h"

#include "preload/start/fork.h"
#include "sampler/clock/clock.h"
#include "sampler/spool/mapping.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"

#define LOOKS 2000

/* No clock sends anybody into the agent any more; some may still be on their way out of it. This thread may be in the midst
 * of a nanosleep of the program's, which another one would end. */
static bool await_others(void)
{
	bool busy = true;
	int i;

	for (i = 0; i < LOOKS && busy; i++) {
		sp_sys(SYS_sched_yield);
		busy = sp_thread_any_inside();
	}
	return !busy;
}

static void give_back(struct sp_thread *t, void *unused)
{
	(void)unused;
	sp_block_give_back(t);
}

bool sp_attach_retire(void)
{
	int state = sp_agent_state();

	if (state == SP_AGENT_ACTIVE || state == SP_AGENT_STOPPED) {
		sp_clock_stop_all();
		sp_store(&sp_agent.state, SP_AGENT_STOPPED);
		if (!await_others())
			return false;
	}
	sp_store(&sp_agent.state, SP_AGENT_OFF);
	sp_mapping_drop();
	sp_agent.stopped = 0;
	sp_clock_drop_process();
	sp_block_each(give_back, NULL);
	sp_fork_forget();
	return true;
}
