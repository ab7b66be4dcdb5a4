/* Lists of address ranges: see ranges.h, and chapters 2.17.3 of the DWARF 4 and 5 standards. */
#include "symbolize/dwarf/ranges.h"

#include <dwarf.h>

struct sp_range_walk sp_ranges_begin(const struct sp_range_lists *lists, uint64_t offset)
{
	struct sp_range_walk walk = {.lists = lists, .base = lists->base};

	if (offset < lists->bytes)
		walk.in = (struct sp_input){.at = lists->section + offset, .end = lists->section + lists->bytes};
	return walk;
}

static uint64_t take_address(struct sp_range_walk *walk)
{
	return walk->lists->address_bytes == 8 ? sp_take(&walk->in, 8) : sp_take(&walk->in, walk->lists->address_bytes);
}

static bool next_old(struct sp_range_walk *walk, uint64_t *low, uint64_t *high)
{
	const uint64_t base_mark = walk->lists->address_bytes == 8 ? UINT64_MAX : UINT32_MAX;

	do {
		*low = take_address(walk);
		*high = take_address(walk);
		if (walk->in.bad || (!*low && !*high))
			return false;
		if (*low != base_mark)
			break;
		walk->base = *high;
	} while (true);
	*low += walk->base;
	*high += walk->base;
	return true;
}

static bool next_new(struct sp_range_walk *walk, uint64_t *low, uint64_t *high)
{
	struct sp_input *in = &walk->in;

	while (!in->bad) {
		switch (sp_take(in, 1)) {
		case DW_RLE_end_of_list:
			return false;
		case DW_RLE_base_address:
			walk->base = take_address(walk);
			break;
		case DW_RLE_offset_pair:
			*low = walk->base + sp_take_leb(in, false);
			*high = walk->base + sp_take_leb(in, false);
			return !in->bad;
		case DW_RLE_start_end:
			*low = take_address(walk);
			*high = take_address(walk);
			return !in->bad;
		case DW_RLE_start_length:
			*low = take_address(walk);
			*high = *low + sp_take_leb(in, false);
			return !in->bad;
		default:
			walk->foreign = true;
			return false;
		}
	}
	return false;
}

bool sp_ranges_next(struct sp_range_walk *walk, uint64_t *low, uint64_t *high)
{
	if (!walk->in.at)
		return false;
	return walk->lists->version < 5 ? next_old(walk, low, high) : next_new(walk, low, high);
}
