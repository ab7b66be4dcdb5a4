/* Makes foreign text (symbols, paths, arguments, thread names) inert: the one place that decides
 * what may stand in a profile as it is. */
#ifndef SP_PROFILES_ESCAPE_H
#define SP_PROFILES_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/buffer.h"

#define SP_NAME_CHARS 120 /* longer names are shortened with a hash, except in the complete part */

enum sp_escape {
	SP_ESCAPE_PLAIN, /* inside a fence or TSV: only \, control, bidi and broken bytes are rewritten (\\, \xNN) */
	SP_ESCAPE_CELL,  /* Markdown text or table cell: markup characters get a backslash too */
};

/* Appends `length` bytes of text. SP_ESCAPE_PLAIN is undone exactly by sp_unescape. */
void sp_escape(struct sp_buffer *out, enum sp_escape how, const char *text, size_t length);

/* The same for a NUL-terminated name, shortened to SP_NAME_CHARS characters: the start, then "…#"
 * and eight hex digits of a hash over all of it, so that two long names stay apart. */
void sp_escape_name(struct sp_buffer *out, enum sp_escape how, const char *name);

/* A YAML scalar: plain where that is unambiguous, else double-quoted. is_text: it shall be read as
 * a string, so what could be a number ("12e45") is quoted too. */
void sp_escape_yaml(struct sp_buffer *out, const char *text, bool is_text);

/* Undoes SP_ESCAPE_PLAIN in place; returns the new length (the text may hold NUL bytes then). */
size_t sp_unescape(char *text);

#endif
