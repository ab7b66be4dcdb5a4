/* Profiles in the history. */
#include <stdio.h>
#include <stdlib.h>

#include "profiles/base/buffer.h"
#include "tools/history/history.h"
#include "tools/report/report.h"
#include "tools/tools.h"

static int read_profile(struct sp_history *store, const struct sp_history_run *run, struct sp_buffer *text)
{
	const char *hash = run->blobs[SP_HISTORY_PROFILE].hash;
	void *data;
	size_t bytes;

	if (!*hash) {
		sp_complain("report: run %.*s has no profile; measure the command with one by smartprof monitor "
			    "--profile, or see smartprof history show %.*s",
			SP_HISTORY_SHORT, run->id, SP_HISTORY_SHORT, run->id);
		return 1;
	}
	if (sp_history_blob_read(store, hash, &data, &bytes)) {
		sp_complain("report: %s", sp_history_error(store));
		return SP_EXIT_USAGE;
	}
	sp_buffer_add(text, data, bytes);
	free(data);
	return 0;
}

int sp_report_stored(const char *id, struct sp_buffer *text, char name[static SP_STORED_NAME])
{
	struct sp_history_run *run = NULL;
	struct sp_history *store;
	int status = sp_history_open_here("report", SP_HISTORY_READ, &store) ? SP_EXIT_USAGE : 0;

	if (!status && sp_history_find(store, id, 0, &run)) {
		sp_complain("report: %s", sp_history_error(store));
		status = SP_EXIT_USAGE;
	}
	if (!status)
		status = read_profile(store, run, text);
	if (run)
		snprintf(name, SP_STORED_NAME, "run %.*s", SP_HISTORY_SHORT, run->id);
	sp_history_run_free(run);
	sp_history_close(store);
	return status;
}
