/* Internal to the DWARF reader: units, their functions, and the code inlined into those. */
#ifndef SP_SYMBOLIZE_DWARF_UNITS_H
#define SP_SYMBOLIZE_DWARF_UNITS_H

#include <elfutils/libdw.h>
#include <stdbool.h>

#include "symbolize/dwarf/die.h"
#include "symbolize/dwarf/file_table.h"
#include "symbolize/dwarf/lines.h"
#include "symbolize/base/interval_map.h"

/* One inlined call. */
struct sp_inline {
	const uint8_t *at; /* its DIE */
	uint32_t parent;   /* index of the inlined call around it, or SP_INLINE_NONE */
};

#define SP_INLINE_NONE UINT32_MAX

struct sp_inlines {
	struct sp_inline *list;
	size_t count, capacity;
	struct sp_interval_map intervals; /* index into list */
};

struct sp_subprogram {
	const uint8_t *at;          /* its DIE */
	struct sp_inlines *inlines; /* NULL until asked for */
	uint64_t entry;             /* for the user, as is the next */
	bool entry_read;
};

/* The addresses that will be asked for, ascending; none: any. */
struct sp_wanted {
	const uint64_t *list;
	size_t count;
};

enum sp_unit_depth { SP_UNIT_UNREAD, SP_UNIT_SHALLOW, SP_UNIT_DEEP };

struct sp_unit {
	Dwarf_Die die;       /* has the line table */
	Dwarf_Die body;      /* has the functions: another one with split DWARF */
	struct sp_dies dies; /* the body's */
	enum sp_unit_depth depth;
	struct sp_subprogram *functions;
	size_t count, capacity;
	struct sp_interval_map intervals; /* index into functions */
	/* Filled by who reads the unit first, as is the body. */
	struct sp_line_table lines;
	struct sp_file_table files;
	struct sp_file_table
		body_files; /* the body's own, where it has one: from a .dwp file (symbolize/dwarf/dwp.h) */
	bool in_dwp;
};

struct sp_units {
	struct sp_unit *list;
	size_t count, capacity;
	struct sp_interval_map intervals; /* index into list */
};

/* Lists the units of `dwarf` that have code within `code`. */
void sp_units_load(struct sp_units *units, Dwarf *dwarf, const struct sp_interval_map *code);
void sp_units_free(struct sp_units *units);

/* Gives back what was read of the unit, but for where its body is. */
void sp_unit_release(struct sp_unit *unit);

/* The function of the unit at the address, or NULL. Reads the unit's functions at the first call;
 * adds the number of index entries kept to *cost. */
struct sp_subprogram *sp_unit_function(struct sp_unit *unit, uint64_t address, const struct sp_interval_map *code,
	size_t *cost);

/* The calls inlined into the function where code is wanted, read at the first call. */
const struct sp_inlines *sp_subprogram_inlines(const struct sp_unit *unit, struct sp_subprogram *function,
	const struct sp_wanted *wanted, size_t *cost);

#endif
