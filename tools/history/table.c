/* Tables. */
#include "tools/history/table.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"
#include "symbolize/base/memory.h"

void sp_table_add(struct sp_table *table, const char *text, json_t *value)
{
	sp_grow(&table->cells, &table->capacity, table->count + 1, sizeof(*table->cells));
	table->cells[table->count++] = (struct sp_cell){sp_copy_text(text ? text : ""), value};
}

void sp_table_add_text(struct sp_table *table, const char *text)
{
	sp_table_add(table, text, sp_json_text(text));
}

size_t sp_table_rows(const struct sp_table *table)
{
	return table->count / table->width;
}

static size_t columns_of(const char *text, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static size_t width_of(const struct sp_table *table, size_t column)
{
	size_t width = columns_of(table->columns[column].title, strlen(table->columns[column].title));

	for (size_t i = column; i < table->count; i += table->width) {
		struct sp_buffer text = {0};

		sp_escape(&text, SP_ESCAPE_PLAIN, table->cells[i].text, strlen(table->cells[i].text));
		if (columns_of(text.data ? text.data : "", text.length) > width)
			width = columns_of(text.data, text.length);
		sp_buffer_free(&text);
	}
	return width;
}

static bool is_last(const struct sp_table *table, size_t column)
{
	for (size_t i = column + 1; i < table->width; i++)
		if (table->columns[i].title)
			return false;
	return true;
}

static void put_padded(struct sp_buffer *out, const struct sp_table *table, size_t column, size_t width,
	const char *raw)
{
	struct sp_buffer text = {0};
	int pad;

	sp_escape(&text, SP_ESCAPE_PLAIN, raw, strlen(raw));
	pad = (int)(width - columns_of(text.data ? text.data : "", text.length));
	if (table->columns[column].right)
		sp_buffer_printf(out, "%*s", pad, "");
	sp_buffer_puts(out, text.data ? text.data : "");
	if (!is_last(table, column))
		sp_buffer_printf(out, "%*s  ", table->columns[column].right ? 0 : pad, "");
	sp_buffer_free(&text);
}

void sp_table_put_text(struct sp_buffer *out, const struct sp_table *table, const char *indent)
{
	size_t *widths = sp_alloc(table->width, sizeof(*widths));

	for (size_t c = 0; c < table->width; c++)
		widths[c] = table->columns[c].title ? width_of(table, c) : 0;
	for (size_t row = 0; row <= sp_table_rows(table); row++) {
		sp_buffer_puts(out, indent);
		for (size_t c = 0; c < table->width; c++)
			if (table->columns[c].title)
				put_padded(out, table, c, widths[c],
					row ? table->cells[(row - 1) * table->width + c].text
					    : table->columns[c].title);
		sp_buffer_puts(out, "\n");
	}
	free(widths);
}

static void put_markdown_row(struct sp_buffer *out, const struct sp_table *table, const struct sp_cell *cells)
{
	sp_buffer_puts(out, "|");
	for (size_t c = 0; c < table->width; c++) {
		const char *text = cells ? cells[c].text : table->columns[c].title;

		if (!table->columns[c].title)
			continue;
		sp_buffer_puts(out, " ");
		sp_escape(out, SP_ESCAPE_CELL, text, strlen(text));
		sp_buffer_puts(out, " |");
	}
	sp_buffer_puts(out, "\n");
}

void sp_table_put_markdown(struct sp_buffer *out, const struct sp_table *table)
{
	put_markdown_row(out, table, NULL);
	sp_buffer_puts(out, "|");
	for (size_t c = 0; c < table->width; c++)
		if (table->columns[c].title)
			sp_buffer_puts(out, table->columns[c].right ? "---:|" : "---|");
	sp_buffer_puts(out, "\n");
	for (size_t row = 0; row < sp_table_rows(table); row++)
		put_markdown_row(out, table, table->cells + row * table->width);
}

json_t *sp_table_json(const struct sp_table *table)
{
	json_t *list = json_array();

	for (size_t i = 0; i + table->width <= table->count; i += table->width) {
		json_t *row = json_object();

		for (size_t c = 0; c < table->width; c++)
			if (table->columns[c].key)
				sp_json_set(row, table->columns[c].key, json_incref(table->cells[i + c].value));
		json_array_append_new(list, row);
	}
	return list;
}

void sp_table_free(struct sp_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		free(table->cells[i].text);
		json_decref(table->cells[i].value);
	}
	free(table->cells);
	table->cells = NULL;
	table->count = table->capacity = 0;
}
