/* A table that is shown on a terminal, in Markdown, or as JSON. */
#ifndef SP_TOOLS_HISTORY_TABLE_H
#define SP_TOOLS_HISTORY_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"

struct sp_column {
	const char *title; /* NULL: only in JSON */
	const char *key;   /* in JSON; NULL: not there */
	bool right;        /* figures */
};

struct sp_cell {
	char *text;
	json_t *value;
};

struct sp_table {
	const struct sp_column *columns;
	size_t width;
	struct sp_cell *cells;
	size_t count, capacity; /* cells */
};

/* Cells come row by row. Takes the value; text is any bytes, copied. */
void sp_table_add(struct sp_table *table, const char *text, json_t *value);

/* The same text as both. */
void sp_table_add_text(struct sp_table *table, const char *text);

size_t sp_table_rows(const struct sp_table *table);
void sp_table_put_text(struct sp_buffer *out, const struct sp_table *table, const char *indent);
void sp_table_put_markdown(struct sp_buffer *out, const struct sp_table *table);
json_t *sp_table_json(const struct sp_table *table);
void sp_table_free(struct sp_table *table);

#endif
