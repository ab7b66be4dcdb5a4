/* Profiles, comparisons and the dashboard of a history as one HTML page each, without references to anything outside of it. */
#ifndef SP_PROFILES_HTML_H
#define SP_PROFILES_HTML_H

#include "profiles/base/buffer.h"
#include "profiles/compare/compare.h"
#include "profiles/export/export.h"
#include "profiles/model/model.h"

/* What a profile says in words, Markdown text; and where source text is looked for (profiles/model/source.h). */
struct sp_html_text {
	const char *verdict, *report, *directory;
};

/* The profile must have been prepared (sp_export_prepare). `view` is the chart shown first. */
void sp_html_profile(struct sp_buffer *out, const struct sp_profile *profile, const struct sp_html_text *text,
	enum sp_export_view view);

/* The comparison's profiles must have been prepared as well; those without stacks are left out. */
void sp_html_comparison(struct sp_buffer *out, const struct sp_comparison *comparison);

/* `data`: inert JSON (sp_json_put) as profiles/html/board/data.js reads it. refresh_s: the page asks where it came from for
 * data.json so often; 0: it asks nobody for anything. */
void sp_html_board(struct sp_buffer *out, const struct sp_buffer *data, unsigned refresh_s);

#endif
