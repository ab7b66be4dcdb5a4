#include "tools/monitor/monitor.h"
int sp_monitor_batch(struct sp_monitor_session *s, const struct sp_monitor_plan *plan)
{
	(void)s;
	(void)plan;
	return 0;
}
