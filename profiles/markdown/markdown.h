/* The Markdown profile: writing it and reading it back.
 * docs/PROFILE.md describes the format. */
#ifndef SP_PROFILES_MARKDOWN_H
#define SP_PROFILES_MARKDOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"

#define SP_TOP_BUDGET_BYTES 40000u /* everything above the complete part */
#define SP_BUDGET_BYTES 250000u    /* the whole file */

/* Writes the whole profile. file_name is the name it will have, for the grep lines; full lifts the
 * budget. */
void sp_markdown_write(struct sp_buffer *out, const struct sp_profile *profile, const char *file_name, bool full);

/* The same with up to `top` rows in every table, and without a budget. */
void sp_markdown_write_top(struct sp_buffer *out, const struct sp_profile *profile, const char *file_name, size_t top);

enum sp_by { SP_BY_NOTHING, SP_BY_FUNCTION, SP_BY_LINE, SP_BY_FILE, SP_BY_MODULE, SP_BY_THREAD };

/* Appends one table of CPU time with up to `top` rows. Of a profile read from Markdown
 * the filter (NULL: none) chooses rows, not stacks. Returns NULL, or a phrase when the profile cannot answer. */
const char *sp_markdown_by(struct sp_buffer *out, const struct sp_profile *profile, enum sp_by by, size_t top,
	const struct sp_filter *filter);

/* Appends a function of a profile read from Markdown, its lines with their CPU time and their text. directory: where sources are
 * looked for, see profiles/model/source.h. Returns NULL, or a phrase when the profile has no such function. */
const char *sp_markdown_source(struct sp_buffer *out, const struct sp_profile *profile, const char *name,
	const char *directory);

/* Reads a written profile: facts, functions, lines, threads, sites. The text is untrusted. Returns NULL, and a
 * phrase in *why, when it is no profile of a version known here. `text` is NUL-terminated. */
struct sp_profile *sp_markdown_read(const char *text, size_t length, const char **why);

/* The same, and the number of the line in which reading ended, counted from 1, when it is no profile. */
struct sp_profile *sp_markdown_read_at(const char *text, size_t length, const char **why, size_t *line);

/* The profile `text` with the names of its addresses looked up again (look_up), or without its inlined functions
 * (symbols->no_inlines), or of the stacks alone that were taken in such a span (span: a glob, NULL any). *named: of how many
 * addresses more is known now. Returns NULL, or a phrase when the text is no profile, or does not hold what that takes. */
const char *sp_markdown_again(struct sp_buffer *out, const struct sp_buffer *text, const char *file_name,
	const struct sp_symbolizer_options *symbols, bool look_up, const char *span, uint64_t *named);

/* A profile that was read in at most so many bytes: its verdict, as it stands in the Markdown, the ten hottest functions with
 * their lines and errors, the hottest path, what leaked or was freed at once, and what is missing. As text, or as JSON. */
#define SP_BRIEF_BYTES 4096u
void sp_markdown_brief(struct sp_buffer *out, const struct sp_profile *profile, const char *verdict, bool json);

/* Length of the part above the complete one. */
size_t sp_markdown_top(const char *text, size_t length);

/* Whether it is there to its end: a profile whose writer is still at it, or that was cut, is not. */
bool sp_markdown_is_whole(const char *text, size_t length);

#endif
