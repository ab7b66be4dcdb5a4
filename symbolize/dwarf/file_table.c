/* File tables: see file_table.h, and chapter 6.2.4 of the DWARF 5 standard. */
#include "symbolize/dwarf/file_table.h"

#include <dwarf.h>
#include <stdlib.h>

#include "symbolize/base/input.h"
#include "symbolize/base/memory.h"

#define FORMATS_MAX 8u
#define ENTRIES_LIMIT (1u << 20)

struct reader {
	struct sp_input in;
	uint8_t offset_bytes;
	const struct sp_file_texts *texts;
};

/* One column of a DWARF 5 table. */
struct format {
	uint64_t content, form;
};

struct list {
	struct sp_file_entry *items;
	size_t count, capacity;
};

static void add(struct list *list, const char *directory, const char *name)
{
	sp_grow(&list->items, &list->capacity, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = (struct sp_file_entry){.directory = directory, .name = name};
}

static const char *take_text(struct sp_input *in)
{
	const char *text = (const char *)in->at;
	size_t length = strnlen(text, (size_t)(in->end - in->at));

	sp_skip(in, length + 1);
	return in->bad ? "" : text;
}

static const char *text_at(struct sp_input *in, const char *section, size_t bytes, uint64_t offset)
{
	if (section && offset < bytes && memchr(section + offset, '\0', bytes - offset))
		return section + offset;
	in->bad = true;
	return "";
}

static const char *directory_of(const struct list *directories, uint64_t index)
{
	return index < directories->count ? directories->items[index].name : NULL;
}

static void read_old(struct reader *r, struct list *directories, struct list *files)
{
	const char *text;

	add(directories, NULL, NULL);
	while (!r->in.bad && *(text = take_text(&r->in)))
		add(directories, NULL, text);
	add(files, NULL, NULL);
	while (!r->in.bad && *(text = take_text(&r->in))) {
		const char *directory = directory_of(directories, sp_take_leb(&r->in, false));

		sp_take_leb(&r->in, false); /* time */
		sp_take_leb(&r->in, false); /* size */
		add(files, directory, text);
	}
}

/* Reads one field: a text goes to *text, a number to *number. */
static void take_field(struct reader *r, uint64_t form, const char **text, uint64_t *number)
{
	struct sp_input *in = &r->in;

	switch (form) {
	case DW_FORM_string:
		*text = take_text(in);
		break;
	case DW_FORM_line_strp:
		*text = text_at(in, r->texts->line_str, r->texts->line_str_bytes, sp_take(in, r->offset_bytes));
		break;
	case DW_FORM_strp:
		*text = text_at(in, r->texts->str, r->texts->str_bytes, sp_take(in, r->offset_bytes));
		break;
	case DW_FORM_udata:
		*number = sp_take_leb(in, false);
		break;
	case DW_FORM_data1:
		*number = sp_take(in, 1);
		break;
	case DW_FORM_data2:
		*number = sp_take(in, 2);
		break;
	case DW_FORM_data16:
		sp_skip(in, 16);
		break;
	default:
		in->bad = true;
	}
}

static void read_table(struct reader *r, const struct list *directories, struct list *out)
{
	struct format formats[FORMATS_MAX];
	uint64_t columns = sp_take(&r->in, 1), count;

	if (columns > FORMATS_MAX)
		r->in.bad = true;
	for (uint64_t i = 0; i < columns && !r->in.bad; i++)
		formats[i] = (struct format){sp_take_leb(&r->in, false), sp_take_leb(&r->in, false)};
	count = sp_take_leb(&r->in, false);
	for (uint64_t i = 0; i < count && !r->in.bad && i < ENTRIES_LIMIT; i++) {
		const char *name = "";
		uint64_t directory = 0;

		for (uint64_t k = 0; k < columns && !r->in.bad; k++) {
			const char *text = "";
			uint64_t number = 0;

			take_field(r, formats[k].form, &text, &number);
			name = formats[k].content == DW_LNCT_path ? text : name;
			directory = formats[k].content == DW_LNCT_directory_index ? number : directory;
		}
		add(out, directories ? directory_of(directories, directory) : NULL, name);
	}
}

void sp_file_table_read(struct sp_file_table *files, const struct sp_line_header *tables,
	const struct sp_file_texts *texts)
{
	struct reader r = {
		.in = {.at = tables->at, .end = tables->end}, .offset_bytes = tables->offset_bytes, .texts = texts};
	struct list directories = {0}, list = {0};

	if (!tables->at)
		return;
	if (tables->version < 5) {
		read_old(&r, &directories, &list);
	} else {
		read_table(&r, NULL, &directories);
		read_table(&r, &directories, &list);
	}
	free(directories.items);
	if (r.in.bad) {
		free(list.items);
		return;
	}
	*files = (struct sp_file_table){.list = list.items, .count = list.count};
}

void sp_file_table_free(struct sp_file_table *files)
{
	free(files->list);
	*files = (struct sp_file_table){0};
}
