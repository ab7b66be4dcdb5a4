/* What an object's .eh_frame, and the .debug_frame of it or of its separate debug file, say of how to get from a frame
 * to its caller's. */
#ifndef SP_SYMBOLIZE_ELF_FRAME_TABLE_H
#define SP_SYMBOLIZE_ELF_FRAME_TABLE_H

#include "symbolize/elf/object.h"
#include "symbolize/base/interval_map.h"

#define SP_FRAME_SECTIONS 3u

/* One of the sections, first those that programs have need of themselves. */
struct sp_frame_section {
	const uint8_t *bytes; /* NULL: there is none. As long as the object it is of lives */
	size_t size;
	uint64_t address; /* where it is mapped, as an ELF virtual address */
	bool debug;       /* .debug_frame: its entries look a little different */
	uint8_t *unpacked;
};

/* Where the entry of some code is. */
struct sp_frame_place {
	uint64_t offset;
	uint8_t section;
};

struct sp_frame_table {
	struct sp_frame_section sections[SP_FRAME_SECTIONS];
	struct sp_frame_place *places;
	size_t count, capacity;
	struct sp_interval_map code; /* of each place */
};

/* The rules of some code, in the instructions of DWARF 5, 6.4.2. */
struct sp_frame_rules {
	uint64_t low, high; /* the code, ELF virtual addresses */
	const uint8_t *first, *first_end, *then, *then_end;
	uint64_t code_alignment;
	int64_t data_alignment;
	uint64_t return_register;
	bool signal; /* a signal's trampoline: its caller was interrupted */
};

/* Reads the tables of `object` and, where there is one, its debug file `debug` (NULL: none). What is damaged in them is
 * left out. */
void sp_frame_table_read(struct sp_frame_table *table, const struct sp_object *object, const struct sp_object *debug);
void sp_frame_table_free(struct sp_frame_table *table);

/* The rules of the code at an ELF virtual address; false: there are none. They live as long as the table. */
bool sp_frame_table_find(const struct sp_frame_table *table, uint64_t address, struct sp_frame_rules *rules);

#endif
