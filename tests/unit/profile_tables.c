/* The heading of a table, and the names of its columns, as the schema has them. */
#include "tests/unit/profile_tables.h"

#include <stdlib.h>

#include "profiles/markdown/schema.h"

void put_table(struct sp_buffer *out, const char *title, size_t rows)
{
	const struct sp_schema_table *table;
	size_t heading = out->length;

	sp_buffer_printf(out, "## %s (%zu)", title, rows);
	table = sp_schema_table_at(out->data + heading, out->length - heading);
	if (!table)
		abort();
	sp_buffer_puts(out, "\n\n```tsv\n");
	for (const char *at = table->columns; *at; at++)
		sp_buffer_printf(out, "%c", *at != ' ' ? *at : at[1] ? '\t' : '\n');
}
