/* A unit's DIEs, one after the other, with what finding functions and inlined calls takes of them
 * (DWARF 2 to 5). libdw can walk them too, but decodes a DIE's abbreviation anew at each step, which is most of
 * the time that a large program's units take.
 *
 * Debug information may be damaged or hostile: reading goes strictly forward, so that neither loops nor DIEs
 * that claim the same children again can hold us up. */
#ifndef SP_SYMBOLIZE_DWARF_DIE_H
#define SP_SYMBOLIZE_DWARF_DIE_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/dwarf/abbreviation.h"
#include "symbolize/dwarf/ranges.h"

/* A unit's table of abbreviations, as far as needed here. */
struct sp_abbreviations {
	struct sp_abbreviation *list; /* by code */
	size_t count, capacity;
	struct sp_abbreviation_attribute *attributes; /* of all abbreviations */
	size_t attribute_count, attribute_capacity;
};

struct sp_dies {
	struct sp_abbreviations abbreviations;
	Dwarf *dwarf;          /* which the unit is of */
	const uint8_t *header; /* of the unit; NULL: nothing can be read */
	const uint8_t *end;
	struct sp_unit_format format;
	struct sp_range_lists lists;
};

/* What a DIE tells of its code. */
enum sp_die_code {
	SP_CODE_NONE,
	SP_CODE_RANGE,  /* low to high */
	SP_CODE_LIST,   /* of ranges, at the offset in `low` */
	SP_CODE_LISTED, /* libdw knows */
};

struct sp_die {
	const uint8_t *at;
	uint64_t low, high;
	const uint8_t *sibling; /* the DIE behind its children; NULL: not told */
	uint16_t tag;
	bool children;
	enum sp_die_code code;
};

/* Where a walk is: the next DIE. */
struct sp_die_walk {
	const struct sp_dies *dies;
	const uint8_t *at;
};

/* Prepares for the DIEs of the unit whose own DIE this is. own_lists: it is no part of a split unit. A unit that
 * cannot be read has no DIEs. */
void sp_dies_open(struct sp_dies *dies, Dwarf_Die *unit, bool own_lists);
void sp_dies_close(struct sp_dies *dies);

/* Reads the DIE at walk->at and goes on to what follows it: its first child, if it has children, else its next
 * sibling. False behind the last sibling, from where the walk goes on with the parent's siblings, and at damage. */
bool sp_die_next(struct sp_die_walk *walk, struct sp_die *die);

/* Passes by the children of the DIE just read. */
void sp_die_skip_children(struct sp_die_walk *walk, const struct sp_die *die);

/* The DIE for libdw; false when libdw does not find it. */
bool sp_die_for_libdw(const struct sp_dies *dies, const uint8_t *at, Dwarf_Die *die);

#endif
