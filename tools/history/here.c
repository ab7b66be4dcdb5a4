/* The history of this place. */
#include "tools/history/history.h"
#include "tools/history/record.h"
#include "tools/tools.h"

int sp_history_complain(const char *command, const char *why)
{
	sp_complain("%s: %s", command, why);
	return 1;
}

int sp_history_open_here(const char *command, enum sp_history_how how, struct sp_history **store)
{
	char path[PATH_MAX], why[SP_HISTORY_WHY];

	*store = NULL;
	if (sp_record_place(command, path))
		return 1;
	return sp_history_open(store, path, how, why) ? sp_history_complain(command, why) : 0;
}
