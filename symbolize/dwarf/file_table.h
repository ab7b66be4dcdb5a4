/* The file table of a unit's line number program (DWARF 2 to 5). libdw has it too, but decodes and sorts
 * the whole program for it. */
#ifndef SP_SYMBOLIZE_DWARF_FILE_TABLE_H
#define SP_SYMBOLIZE_DWARF_FILE_TABLE_H

#include "symbolize/dwarf/lines.h"

/* What names may be in: .debug_line_str and .debug_str. */
struct sp_file_texts {
	const char *line_str, *str; /* NULL: there is no such section */
	size_t line_str_bytes, str_bytes;
};

struct sp_file_entry {
	const char *directory; /* NULL: the unit's own; may be relative to that */
	const char *name;
	const char *kept; /* the whole path, once it was asked for: for the user */
};

struct sp_file_table {
	struct sp_file_entry *list; /* list[0] is never used before DWARF 5 */
	size_t count;
};

/* Reads the table; a damaged one, or one in a form that no compiler writes, leaves it empty. Texts
 * live in the sections. */
void sp_file_table_read(struct sp_file_table *files, const struct sp_line_header *tables,
	const struct sp_file_texts *texts);
void sp_file_table_free(struct sp_file_table *files);

#endif
