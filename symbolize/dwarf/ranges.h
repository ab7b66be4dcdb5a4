/* Lists of address ranges (DWARF 2 to 5). libdw reads them too, but looks each list up from the DIE's
 * attributes again at every range. */
#ifndef SP_SYMBOLIZE_DWARF_RANGES_H
#define SP_SYMBOLIZE_DWARF_RANGES_H

#include <stdbool.h>

#include "symbolize/base/input.h"

/* Where a unit's lists are. */
struct sp_range_lists {
	const uint8_t *section; /* .debug_rnglists, before DWARF 5 .debug_ranges; NULL: none, or not to be read here */
	size_t bytes;
	uint64_t base; /* the unit's own address */
	uint16_t version;
	uint8_t address_bytes;
};

struct sp_range_walk {
	const struct sp_range_lists *lists;
	struct sp_input in;
	uint64_t base;
	bool foreign; /* stopped at an entry that goes by an index: libdw must read the list */
};

/* Begins the list at the offset. */
struct sp_range_walk sp_ranges_begin(const struct sp_range_lists *lists, uint64_t offset);

/* Reads the next range, which may be empty; false at the end, and at damage. */
bool sp_ranges_next(struct sp_range_walk *walk, uint64_t *low, uint64_t *high);

#endif
