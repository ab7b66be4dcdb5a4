/* What `smartprof report` is asked for, and showing it. */
#ifndef SP_TOOLS_REPORT_ASKED_H
#define SP_TOOLS_REPORT_ASKED_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiles/output/render.h"
#include "tools/live.h"
#include "tools/report/report.h"

#define SP_REPORT_TOP 30u /* rows of a table, unless told otherwise */

struct sp_report_asked {
	struct sp_render_options options;
	struct sp_symbolizer_options symbols;
	regex_t focus, ignore;
	struct sp_report_wish export;
	const char *run;    /* in the history; NULL: none was asked for */
	const char *source; /* a function; NULL: none was asked for */
	bool brief, json;
	bool look_up;       /* names: of a written profile, again */
	const char *output; /* NULL: standard output */
	bool merge;
	struct sp_window_wish window;
};

/* Whether one table is asked for, and not the profile. */
bool sp_report_selects_rows(const struct sp_render_options *options);

/* Each shows what was asked for on standard output or in asked->output, and returns the command's exit status, after a complaint if that is not 0. */

/* Of a process's id, a program's name, a snapshot, a spool, a profile, a directory or an index. */
int sp_report_show(const char *what, struct sp_report_asked *asked);

/* Of the sum of profiles, directories of them and indices. When it is written to a file, it keeps its complete part. */
int sp_report_show_sum(char **paths, size_t count, struct sp_report_asked *asked);

/* Of a run in the history. */
int sp_report_show_stored(const char *id, struct sp_report_asked *asked);

#endif
