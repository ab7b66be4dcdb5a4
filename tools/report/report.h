/* The parts of `smartprof report`. */
#ifndef SP_TOOLS_REPORT_H
#define SP_TOOLS_REPORT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiles/export/export.h"

enum sp_report_format {
	SP_REPORT_MARKDOWN,
	SP_REPORT_HTML,
	SP_REPORT_FOLDED,
	SP_REPORT_SPEEDSCOPE,
	SP_REPORT_PPROF,
	SP_REPORT_OTLP,
	SP_REPORT_GPERFTOOLS,
	SP_REPORT_JSON,
	SP_REPORT_FORMATS
};

/* What to make of a profile's Markdown. */
struct sp_report_wish {
	enum sp_report_format format; /* not Markdown */
	enum sp_export_view view;     /* SP_VIEWS: none was asked for */
	const struct sp_filter *filter;
	bool lines; /* speedscope: frames are lines */
};

/* Each sets what the word says and returns 0, or complains and returns SP_EXIT_USAGE. */
int sp_report_parse_format(const char *word, enum sp_report_format *format);
int sp_report_parse_metric(const char *word, enum sp_export_view *view);

/* Appends the paragraph of the Markdown that is its verdict. */
void sp_report_verdict(struct sp_buffer *out, const struct sp_buffer *markdown);

/* Appends it to *out. Returns 0, or a negative errno and a phrase in *why: -ENODATA when the profile does not hold
 * what was asked for, else it cannot be read, from that line on. */
int sp_report_export(struct sp_buffer *out, const struct sp_buffer *markdown, const struct sp_report_wish *wish,
	const char **why, size_t *line);

/* Whether it is the index of a run of processes. */
bool sp_report_is_index(const struct sp_buffer *text);

/* Calls fn for each profile that an index names; returns how many. Members stand beside their index (path); what is named
 * otherwise is none. */
size_t sp_report_each_member(const char *path, const struct sp_buffer *text, void (*fn)(void *, const char *),
	void *context);

/* Appends what the profiles, directories of profiles and indices of runs add up to, as Markdown. Returns 0, or after
 * complaints 1 when some could not be read and are left out, SP_EXIT_USAGE when nothing could. */
int sp_report_merge(struct sp_buffer *out, char **paths, size_t count, bool full);

/* Appends the profile that the history keeps of a run, and names it "run 1234abcd". Returns 0, or the exit status after a complaint. */
#define SP_STORED_NAME 48
int sp_report_stored(const char *id, struct sp_buffer *text, char name[static SP_STORED_NAME]);

/* The spool of a process, by its id, by that of a process that started it, or by a program's name. Returns 1, 0 when there is
 * none, or -1 after a complaint. */
int sp_spool_named(const char *command, const char *what, char path[static PATH_MAX]);

/* Says why there is nothing of that name or id. */
void sp_spool_complain_absent(const char *command, const char *what);

#endif
