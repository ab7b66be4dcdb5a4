/* The functions of smartprof.h. */
#include "preload/smartprof.h"

#include "preload/export.h"
#include "sampler/agent.h"

SP_EXPORT const char *smartprof_version(void)
{
	return SP_VERSION;
}

SP_EXPORT int smartprof_active(void)
{
	return sp_load(&sp_agent.state) == SP_AGENT_ACTIVE;
}
