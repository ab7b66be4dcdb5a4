/* Line number programs (DWARF 2 to 5).
 *
 * libdw decodes them too, but sorts the rows of all sequences of a unit together. A linker that
 * drops functions leaves their sequences at address 0, where they reach into live code and would
 * be mistaken for its lines. Here sequences stay apart. */
#ifndef SP_SYMBOLIZE_LINES_H
#define SP_SYMBOLIZE_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "symbolize/spans.h"

struct sp_row {
	uint64_t address;
	uint32_t file; /* index into the unit's file table */
	uint32_t line; /* 0: no source line */
};

/* The names of directories and files in a program's header, for sp_files_read. */
struct sp_line_tables {
	const uint8_t *at, *end; /* NULL: none */
	unsigned version;
	uint8_t offset_bytes;
};

struct sp_lines {
	struct sp_row *rows;
	size_t count, capacity;
	struct sp_spans sequences;    /* index: the first row, rank: the number of rows */
	struct sp_line_tables tables; /* in the section */
};

/* Runs the program at `offset` of a .debug_line section, keeping the sequences that start within
 * `code`. Damaged programs yield what came before the damage. Returns 0 or -ENOMEM. */
int sp_lines_read(struct sp_lines *lines, const uint8_t *section, size_t bytes, uint64_t offset,
	const struct sp_spans *code);
void sp_lines_free(struct sp_lines *lines);

/* The row in force at the address, or NULL. */
const struct sp_row *sp_lines_find(const struct sp_lines *lines, uint64_t address);

#endif
