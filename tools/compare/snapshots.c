/* compare of two snapshots of one process: of the two the later contains the earlier, so that what is between them is
 * known, and not a matter of statistics over runs. */
#include "tools/compare/compare.h"

#include <fcntl.h>
#include <string.h>

#include "profiles/base/buffer.h"
#include "profiles/output/render.h"
#include "profiles/spool/window.h"
#include "tools/live.h"
#include "tools/tools.h"

/* Where the named snapshot is; false when it is none, or, after a complaint, not there (*status). */
static bool find(const char *what, char path[static PATH_MAX], int *status)
{
	int found = sp_snapshot_find("compare", what, path);

	*status = found < 0 ? SP_EXIT_USAGE : 0;
	if (found)
		return found > 0;
	return strlen(what) < PATH_MAX && sp_input_is_spool(strcpy(path, what));
}

static int between(const char *before, const char *after, const char *output)
{
	struct sp_symbolizer_options symbols = {0};
	struct sp_render_options options = {.symbols = &symbols};
	struct sp_snapshot earlier = {0}, later = {0};
	struct sp_buffer text = {0};
	const char *why = "";
	int status = sp_snapshot_load("compare", before, &earlier);

	if (!status)
		status = sp_snapshot_load("compare", after, &later);
	if (!status && sp_window_take(&later, &earlier, &why) < 0) {
		sp_complain("compare: %s: it %s %s; name two snapshots of one process, the earlier one first", after,
			why, before);
		status = SP_EXIT_USAGE;
	}
	if (!status) {
		sp_symbols_options(&symbols, true);
		sp_render_snapshot(&later, &options, &text, &why);
		status = sp_write_output("compare", output, &text, O_TRUNC) ? SP_EXIT_USAGE : 0;
	}
	sp_buffer_free(&text);
	sp_snapshot_free(&earlier);
	sp_snapshot_free(&later);
	return status;
}

int sp_compare_snapshots(const char *before, const char *after, const char *output, bool other_flags)
{
	char paths[2][PATH_MAX];
	int status[2];
	bool first = find(before, paths[0], &status[0]), second = find(after, paths[1], &status[1]);

	if (status[0] || status[1])
		return SP_EXIT_USAGE;
	if (!first || !second)
		return -1;
	if (other_flags) {
		sp_complain("compare: of two snapshots of one process there is nothing to judge: leave all flags but "
			    "--output out");
		return SP_EXIT_USAGE;
	}
	return between(paths[0], paths[1], output);
}
