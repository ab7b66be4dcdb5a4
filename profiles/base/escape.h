/* Makes foreign text (symbols, paths, arguments, thread names) inert: the one place that decides
 * what may stand in a profile as it is. */
#ifndef SP_PROFILES_ESCAPE_H
#define SP_PROFILES_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"

enum sp_escape {
	SP_ESCAPE_PLAIN, /* inside a fence or TSV: only \, control, bidi and broken bytes are rewritten (\\, \xNN) */
	SP_ESCAPE_CELL,  /* Markdown text or table cell: markup characters get a backslash too */
};

/* Appends `length` bytes of text. SP_ESCAPE_PLAIN is undone exactly by sp_unescape. */
void sp_escape(struct sp_buffer *out, enum sp_escape how, const char *text, size_t length);

/* The same for a NUL-terminated name, shortened as sp_shorten_name does. */
void sp_escape_name(struct sp_buffer *out, enum sp_escape how, const char *name);

/* A YAML scalar: plain where that is unambiguous, else double-quoted. is_text: it shall be read as
 * a string, so what could be a number ("12e45") is quoted too. */
void sp_escape_yaml(struct sp_buffer *out, const char *text, bool is_text);

/* Bytes of the well-formed UTF-8 sequence at `text` (Unicode table 3-7), 0 if there is none. left > 0. */
size_t sp_utf8_length(const char *text, size_t left, uint32_t *code);

/* Characters that change what a terminal or a reader shows without being seen themselves. */
bool sp_is_invisible(uint32_t code);

/* Undoes SP_ESCAPE_PLAIN in place; returns the new length (the text may hold NUL bytes then). */
size_t sp_unescape(char *text);

#endif
