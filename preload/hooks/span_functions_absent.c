/* Where there is no span_call.S for the kind of processor. */
#include "preload/hooks/span_functions.h"
#include "preload/notes.h"

void sp_span_functions_start(const char *globs)
{
	if (globs && *globs)
		sp_note("SMARTPROF_SPAN_FUNCTIONS was not obeyed: functions are made spans on x86-64 only");
}

void sp_span_functions_look(void)
{
}

void sp_span_functions_finish(void)
{
}
