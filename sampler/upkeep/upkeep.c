/* What is due now and then. */
#include "sampler/upkeep/upkeep.h"

#include "sampler/clock/clock.h"
#include "sampler/clock/governor.h"
#include "sampler/spans/trace.h"
#include "sampler/sys.h"
#include "sampler/upkeep/thresholds.h"
#include "sampler/upkeep/throttle.h"
#include "sampler/upkeep/timeline.h"
#include "sampler/upkeep/totals.h"

#define USER_LOOK_NS 10000000u   /* between looks at who the process is */
#define CODE_LOOK_NS 1000000000u /* and at whether code is still what it was, where no hook would tell */

void sp_upkeep_retire(struct sp_thread *t)
{
	if (t)
		sp_clock_disarm(t);
	sp_clock_stop_process();
	sp_store(&sp_agent.state, SP_AGENT_STOPPED);
}

/* Looked at every now and then. One that can go back to being the spool's owner still is. */
static bool is_another_user(uint64_t now)
{
	static uint64_t looked_ns; /* atomic */
	uint32_t ids[3];

	if (now - sp_load(&looked_ns) < USER_LOOK_NS)
		return false;
	sp_store(&looked_ns, now);
	return (uint32_t)sp_sys(SYS_geteuid) != sp_agent.uid && sp_sys(SYS_getresuid, &ids[0], &ids[1], &ids[2]) == 0 &&
		ids[0] != sp_agent.uid && ids[2] != sp_agent.uid;
}

/* Without hooks nobody tells of objects that are unloaded: what is known of code is looked at again now and then. */
static void distrust_code(uint64_t now)
{
	static uint64_t distrusted_ns; /* atomic */

	if (now - sp_load(&distrusted_ns) < CODE_LOOK_NS)
		return;
	sp_store(&distrusted_ns, now);
	sp_add(&sp_agent.unload_gen, 1);
}

void sp_upkeep_step(struct sp_thread *t, uint64_t now)
{
	sp_totals_follow(sp_tsc());
	if (is_another_user(now)) {
		sp_upkeep_retire(t);
		return;
	}
	if (sp_agent.attached)
		distrust_code(now);
	sp_trace_look(now);
	sp_timeline_step(now, false);
	sp_throttle_step(now, false);
	sp_thresholds_step(now);
	sp_governor_step(t);
}
