/* What the history keeps of a run beside its figures. */
#include <stdio.h>
#include <stdlib.h>

#include "profiles/base/buffer.h"
#include "tools/history/history.h"
#include "tools/tools.h"

static int complain_of_none(const char *command, const struct sp_history_run *run, enum sp_history_part part)
{
	static const char *const ways[SP_HISTORY_PARTS] = {
		[SP_HISTORY_PROFILE] = "profile; measure the command with one by smartprof monitor --profile",
		[SP_HISTORY_LOG] = "timing log; set SMARTPROF_SPAN_LOG=FILE for smartprof run or monitor --profile",
		[SP_HISTORY_TIMELINE] = "timeline; runs of smartprof monitor have one unless they are short"};

	sp_complain("%s: run %.*s has no %s, or see smartprof history show %.*s", command, SP_HISTORY_SHORT, run->id,
		ways[part], SP_HISTORY_SHORT, run->id);
	return 1;
}

static int read_part(const char *command, struct sp_history *store, const struct sp_history_run *run,
	enum sp_history_part part, struct sp_buffer *text)
{
	const char *hash = run->blobs[part].hash;
	void *data;
	size_t bytes;

	if (!*hash)
		return complain_of_none(command, run, part);
	if (sp_history_blob_read(store, hash, &data, &bytes)) {
		sp_complain("%s: %s", command, sp_history_error(store));
		return SP_EXIT_USAGE;
	}
	sp_buffer_add(text, data, bytes);
	free(data);
	return 0;
}

int sp_history_stored(const char *command, const char *id, enum sp_history_part part, struct sp_buffer *text,
	char name[static SP_STORED_NAME])
{
	struct sp_history_run *run = NULL;
	struct sp_history *store;
	int status = sp_history_open_here(command, SP_HISTORY_READ, &store) ? SP_EXIT_USAGE : 0;

	if (!status && sp_history_find(store, id, 0, &run)) {
		sp_complain("%s: %s", command, sp_history_error(store));
		status = SP_EXIT_USAGE;
	}
	if (!status)
		status = read_part(command, store, run, part, text);
	if (run)
		snprintf(name, SP_STORED_NAME, "run %.*s", SP_HISTORY_SHORT, run->id);
	sp_history_run_free(run);
	sp_history_close(store);
	return status;
}
