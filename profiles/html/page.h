/* The HTML page: a template with data in it. The template, its style and its script are frame.html (all pages'), page.html, page.css and script/;
 * the charts are drawn with d3, built in from the distribution's packages. */
#ifndef SP_PROFILES_PAGE_H
#define SP_PROFILES_PAGE_H

#include <jansson.h>

#include "profiles/model/folded.h"
#include "profiles/model/model.h"

/* Writes the page; takes `data`. */
void sp_page_write(struct sp_buffer *out, const char *title, json_t *data);

/* Stacks of functions for a page, of one profile or of the two sides of a comparison. */
struct sp_page_stacks {
	struct sp_names names, modules;
	struct sp_map index; /* (name, module) -> number of the function */
	json_t *functions;   /* [name, module, file, line, flags] by that number */
	struct sp_folded rows[SP_STACK_KINDS];
};

#define SP_PAGE_SIDES 2u

/* Adds what a profile's stacks hold to a side, times the scale of their kind. Returns, by function of the
 * profile, the number on the page, UINT32_MAX for none; free() it. normal: functions of different builds are to meet,
 * so names and modules are written as comparisons do. */
uint32_t *sp_page_add(struct sp_page_stacks *stacks, const struct sp_profile *profile, unsigned side,
	const double *scale, bool normal);

/* Files by number; `list` is the data's. */
struct sp_page_files {
	struct sp_names names;
	json_t *list;
};
uint32_t sp_page_file(struct sp_page_files *files, const char *path);

/* The data's parts of one profile: "lines", "files" and "threads", and where the profile has samples in the order of time
 * "slices" and "samples". numbers: by function; places: by CPU path, its row in "cpu"; directory: of source text. */
void sp_page_samples_put(json_t *data, const struct sp_profile *profile, const uint32_t *numbers,
	const uint32_t *places, const char *directory);

/* The data's part "source": the text of the functions with most self time, where it is to be had. */
json_t *sp_page_source(const struct sp_profile *profile, const uint32_t *numbers, struct sp_page_files *files,
	const char *directory);

/* The data's part "views": the charts there are to choose from. on: by kind of stacks. */
json_t *sp_page_views(const bool *on);

/* The data's parts "functions", "cpu", "heap" and "waits" for so many sides; frees the stacks. */
void sp_page_stacks_put(struct sp_page_stacks *stacks, json_t *data, unsigned sides);

#endif
