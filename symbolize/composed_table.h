/* A table of unwind rules with one entry, in the form of .eh_frame, for libunwind to look up. */
#ifndef SP_SYMBOLIZE_COMPOSED_TABLE_H
#define SP_SYMBOLIZE_COMPOSED_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/elf/frame_table.h"

/* All-zero is an empty one; its bytes are to be freed. */
struct sp_composed_table {
	/* The index of one entry, then what it leads to, and 8 bytes to spare: they are read as parts of words. */
	uint8_t *bytes;
	size_t length, capacity;
};

/* Of rules that were checked (symbolize/elf/frame_check.h), whose code is `bias` higher than they say; return addresses count as
 * unsigned. false: they are too large. */
bool sp_composed_table_make(struct sp_composed_table *table, const struct sp_frame_rules *rules, uint64_t bias);

#endif
