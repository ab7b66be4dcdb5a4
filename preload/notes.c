/* Messages of the agent: to the reader of the profile, and on stderr. */
#include "preload/notes.h"

#include <string.h>

#include "preload/process.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"

static char SP_BIG notes[1024]; /* lines */
static size_t used;

void sp_verbose(const char *what, const char *why)
{
	char line[1024];
	size_t n = 0, i;
	const char *parts[] = {"smartprof: ", what, ": ", why, "\n"};

	if (!sp_process.verbose)
		return;
	for (i = 0; i < sizeof parts / sizeof *parts; i++) {
		size_t length = strlen(parts[i]);
		if (length > sizeof line - n)
			length = sizeof line - n;
		memcpy(line + n, parts[i], length);
		n += length;
	}
	sp_sys(SYS_write, 2, line, n);
}

void sp_notes_write(void)
{
	sp_agent.spool->text.notes = used ? sp_spool_string(notes) : 0;
}

void sp_note(const char *line)
{
	if (used + strlen(line) + 2 > sizeof notes)
		return;
	used = (size_t)(stpcpy(stpcpy(notes + used, line), "\n") - notes);
	sp_verbose("note", line);
	if (sp_agent.has_spool)
		sp_notes_write();
}
