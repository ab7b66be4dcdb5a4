/* Shared by read.c, which walks a written profile, and by read_tables.c and read_stacks.c, which know its tables. */
#ifndef SP_PROFILES_MARKDOWN_READ_H
#define SP_PROFILES_MARKDOWN_READ_H

#include "profiles/markdown/front.h"
#include "profiles/model/model.h"

#define SP_READER_FIELDS 24u

/* Walks the lines of a text. `at` ends with a NUL at `end`. */
struct sp_markdown_reader {
	const char *at, *end;
	struct sp_profile *profile;
	struct sp_map functions; /* (module, name id) */
	struct sp_names modules;
	uint32_t last_module; /* of the rows of a table, the last that was named */
	size_t module_capacity, thread_capacity, span_capacity, path_capacity, rows;
	uint32_t *row_functions; /* of the rows of All functions */
	size_t row_function_count, row_function_capacity;
	struct sp_front front; /* the stack of the row before */
	const char *why;
};

/* Notes the reason, returns false. */
bool sp_reader_fail(struct sp_markdown_reader *r, const char *why);

/* Cuts a line at its tabs into at most SP_READER_FIELDS; returns the number of fields. */
size_t sp_reader_split(char *line, char **fields);

/* False when a field is not a whole number of 64 bits. */
bool sp_reader_numbers(char **fields, size_t count, uint64_t *numbers);

/* The module's number, a new one for a path not met before. */
uint32_t sp_reader_module(struct sp_markdown_reader *r, const char *path);

/* Each reads a row, which it changes, of the table it is named after. */
bool sp_read_function(struct sp_markdown_reader *r, char *text);
bool sp_read_code(struct sp_markdown_reader *r, char *text);
bool sp_read_site(struct sp_markdown_reader *r, char *text);
bool sp_read_line(struct sp_markdown_reader *r, char *text);
bool sp_read_file(struct sp_markdown_reader *r, char *text);
bool sp_read_module(struct sp_markdown_reader *r, char *text);
bool sp_read_span(struct sp_markdown_reader *r, char *text);
bool sp_read_wait(struct sp_markdown_reader *r, char *text);
bool sp_read_thread(struct sp_markdown_reader *r, char *text);
bool sp_read_process(struct sp_markdown_reader *r, char *text);
bool sp_read_mapping(struct sp_markdown_reader *r, char *text);
bool sp_read_frame(struct sp_markdown_reader *r, char *text);
bool sp_read_cpu_stack(struct sp_markdown_reader *r, char *text);
bool sp_read_heap_stack(struct sp_markdown_reader *r, char *text);
bool sp_read_wait_stack(struct sp_markdown_reader *r, char *text);
bool sp_read_heap_detail(struct sp_markdown_reader *r, char *text);
bool sp_read_slice(struct sp_markdown_reader *r, char *text);
bool sp_read_trace(struct sp_markdown_reader *r, char *text);
bool sp_read_samples(struct sp_markdown_reader *r, char *text);

#endif
