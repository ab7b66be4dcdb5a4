/* The history of this place. */
#include <stdlib.h>

#include "env/env.h"
#include "tools/history/history.h"
#include "tools/tools.h"

int sp_history_open_here(const char *command, enum sp_history_how how, struct sp_history **store)
{
	char path[PATH_MAX], why[SP_HISTORY_WHY];
	const char *note;

	*store = NULL;
	if (sp_history_place(path, getenv("SMARTPROF_HISTORY"), sp_settings_where()->cwd, &note)) {
		sp_complain("%s: neither XDG_STATE_HOME nor HOME is an absolute path: there is no history; name one by "
			    "SMARTPROF_HISTORY",
			command);
		return 1;
	}
	if (!sp_history_open(store, path, how, why))
		return 0;
	sp_complain("%s: %s", command, why);
	return 1;
}
