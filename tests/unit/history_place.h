/* A directory for a history, and the history in it. */
#ifndef SP_TESTS_HISTORY_PLACE_H
#define SP_TESTS_HISTORY_PLACE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/history/store.h"

static char directory[64], path[96], why[SP_HISTORY_WHY];

static inline int make_place(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/history.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/history.db", directory);
	return 0;
}

static inline int remove_place(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static inline struct sp_history *open_history(const char *where, enum sp_history_how how)
{
	struct sp_history *store;

	if (sp_history_open(&store, where, how, why))
		fail_msg("%s", why);
	return store;
}

#endif
