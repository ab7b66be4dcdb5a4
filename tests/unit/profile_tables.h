/* Tables of the complete part, for the tests that compose a profile's text. */
#ifndef SP_TESTS_UNIT_PROFILE_TABLES_H
#define SP_TESTS_UNIT_PROFILE_TABLES_H

#include <stddef.h>

#include "profiles/base/buffer.h"

/* Begins the table of that title ("All functions"), with the columns that every profile has. Its rows follow, then "```\n\n". */
void put_table(struct sp_buffer *out, const char *title, size_t rows);

#endif
