/* Line number programs (DWARF 2 to 5).
 *
 * libdw decodes them too, but sorts the rows of all sequences of a unit together. A linker that
 * drops functions leaves their sequences at address 0, where they reach into live code and would
 * be mistaken for its lines. Here sequences stay apart. */
#ifndef SP_SYMBOLIZE_DWARF_LINES_H
#define SP_SYMBOLIZE_DWARF_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/base/interval_map.h"

struct sp_line_row {
	uint64_t address;
	uint32_t file; /* index into the unit's file table */
	uint32_t line; /* 0: no source line */
};

/* The names of directories and files in a program's header, for sp_file_table_read. */
struct sp_line_header {
	const uint8_t *at, *end; /* NULL: none */
	unsigned version;
	uint8_t offset_bytes;
};

/* How to run a program's instructions. */
struct sp_line_rules {
	const uint8_t *operand_counts; /* of the standard opcodes, from 1 */
	const uint8_t *end;            /* of the instructions */
	uint8_t min_instruction_bytes, line_range, opcode_base;
	int8_t line_base;
};

/* A row, and where the program goes on behind it. */
struct sp_line_mark {
	struct sp_line_row row;
	const uint8_t *at;
};

/* Of the rows, which are many, only some are kept: the others are worked out again from there. */
struct sp_line_table {
	struct sp_line_mark *marks;
	size_t count, capacity;
	struct sp_interval_map sequences; /* index: the first mark, rank: the number of marks */
	struct sp_line_header tables;     /* in the section */
	struct sp_line_rules rules;
};

/* Runs the program at `offset` of a .debug_line section, which must live as long as the lines, keeping the sequences
 * that start within `code`. Damaged programs yield what came before the damage. */
void sp_line_table_read(struct sp_line_table *lines, const uint8_t *section, size_t bytes, uint64_t offset,
	const struct sp_interval_map *code);
void sp_line_table_free(struct sp_line_table *lines);

/* Fills in the row in force at the address; false: there is none. */
bool sp_line_table_find(const struct sp_line_table *lines, uint64_t address, struct sp_line_row *row);

#endif
