/* Where functions start, as an object's unwind table has it: what stripped code keeps. */
#ifndef SP_SYMBOLIZE_ELF_UNWIND_TABLE_H
#define SP_SYMBOLIZE_ELF_UNWIND_TABLE_H

#include "symbolize/elf/object.h"

struct sp_unwind_table {
	uint64_t *starts; /* ELF virtual addresses, ascending */
	size_t count;
};

/* Reads .eh_frame_hdr (Linux Standard Base 10.6.2). An object without one, or with a form no
 * linker writes, gives an empty table. */
void sp_unwind_table_read(struct sp_unwind_table *table, const struct sp_object *object);
void sp_unwind_table_free(struct sp_unwind_table *table);

/* Start of the function around the address; 0 when the table does not tell. */
uint64_t sp_unwind_table_find(const struct sp_unwind_table *table, uint64_t address);

#endif
