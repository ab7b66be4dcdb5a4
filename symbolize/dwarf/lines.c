/* Line number programs: see lines.h, and chapter 6.2 of the DWARF 5 standard. */
#include "symbolize/dwarf/lines.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdlib.h>

#include "symbolize/base/input.h"
#include "symbolize/base/memory.h"

/* Rows in one unit's table: larger ones come from no compiler. */
#define ROWS_LIMIT (32u << 20)
#define ROWS_PER_MARK 32u

struct program {
	struct sp_input in;
	struct sp_line_rules rules;
	uint32_t reciprocal; /* of the line range, times 65536 */
	struct sp_line_row row;
};

enum event { ROW, END_OF_SEQUENCE, END_OF_PROGRAM };

/* Leaves program->in at the first instruction. */
static bool read_header(struct program *program, struct sp_line_header *tables)
{
	struct sp_line_rules *rules = &program->rules;
	struct sp_input *in = &program->in;
	size_t offset_bytes = 4;
	uint64_t length = sp_take(in, 4), header_bytes;
	const uint8_t *first;
	unsigned version;

	if (length == 0xffffffffu) {
		offset_bytes = 8;
		length = sp_take(in, 8);
	}
	if (in->bad || length > (uint64_t)(in->end - in->at))
		return false;
	in->end = in->at + length;
	version = (unsigned)sp_take(in, 2);
	if (version < 2 || version > 5)
		return false;
	if (version == 5)
		sp_skip(in, 2); /* sizes of addresses and segment selectors */
	header_bytes = sp_take(in, offset_bytes);
	if (in->bad || header_bytes > (uint64_t)(in->end - in->at))
		return false;
	first = in->at + header_bytes;
	rules->min_instruction_bytes = (uint8_t)sp_take(in, 1);
	sp_skip(in, version >= 4 ? 2 : 1); /* instructions per operation, default of is_stmt */
	rules->line_base = (int8_t)sp_take(in, 1);
	rules->line_range = (uint8_t)sp_take(in, 1);
	rules->opcode_base = (uint8_t)sp_take(in, 1);
	rules->operand_counts = in->at - 1;
	rules->end = in->end;
	sp_skip(in, rules->opcode_base ? rules->opcode_base - 1u : 0);
	if (in->bad || !rules->line_range || !rules->opcode_base || in->at > first)
		return false;
	*tables = (struct sp_line_header){
		.at = in->at, .end = first, .version = version, .offset_bytes = (uint8_t)offset_bytes};
	in->at = first;
	return true;
}

static void begin(struct program *program)
{
	program->reciprocal = 65536u / program->rules.line_range + 1;
	program->row = (struct sp_line_row){.file = 1, .line = 1};
}

/* Returns whether that was the end of a sequence. */
static bool run_extended(struct program *program)
{
	struct sp_input *in = &program->in;
	uint64_t bytes = sp_take_leb(in, false);
	bool end = false;
	const uint8_t *next;

	if (in->bad || !bytes || bytes > (uint64_t)(in->end - in->at)) {
		in->bad = true;
		return false;
	}
	next = in->at + bytes;
	switch (sp_take(in, 1)) {
	case DW_LNE_end_sequence:
		end = true;
		break;
	case DW_LNE_set_address:
		program->row.address = sp_take(in, bytes - 1);
		break;
	}
	in->at = next;
	return end;
}

/* An instruction other than DW_LNS_copy, which makes no row. */
static void run_standard(struct program *program, unsigned opcode)
{
	const struct sp_line_rules *rules = &program->rules;
	struct sp_input *in = &program->in;
	struct sp_line_row *row = &program->row;

	switch (opcode) {
	case DW_LNS_advance_pc:
		row->address += sp_take_leb(in, false) * rules->min_instruction_bytes;
		break;
	case DW_LNS_advance_line:
		row->line += (uint32_t)sp_take_leb(in, true);
		break;
	case DW_LNS_set_file:
		row->file = (uint32_t)sp_take_leb(in, false);
		break;
	case DW_LNS_const_add_pc:
		row->address += (255u - rules->opcode_base) / rules->line_range * rules->min_instruction_bytes;
		break;
	case DW_LNS_fixed_advance_pc:
		row->address += sp_take(in, 2);
		break;
	default:
		for (unsigned i = rules->operand_counts[opcode]; i && !in->bad; i--)
			sp_take_leb(in, false);
	}
}

/* The quotient by multiplication is exact, as both numbers have at most 8 bits. */
static void run_special(struct program *program, unsigned adjusted)
{
	const struct sp_line_rules *rules = &program->rules;
	unsigned steps = adjusted * program->reciprocal >> 16;

	program->row.address += steps * rules->min_instruction_bytes;
	program->row.line += (uint32_t)(rules->line_base + (int)(adjusted - steps * rules->line_range));
}

/* Runs the program up to the next row, which is in program->row, or to the end of a sequence. */
static enum event run(struct program *program)
{
	struct sp_input *in = &program->in;

	while (in->at < in->end && !in->bad) {
		unsigned opcode = *in->at++;

		if (opcode >= program->rules.opcode_base) {
			run_special(program, opcode - program->rules.opcode_base);
			return ROW;
		}
		if (opcode == DW_LNS_copy)
			return ROW;
		if (opcode)
			run_standard(program, opcode);
		else if (run_extended(program))
			return END_OF_SEQUENCE;
	}
	return END_OF_PROGRAM;
}

static void add_mark(struct sp_line_table *lines, const struct program *program)
{
	sp_grow(&lines->marks, &lines->capacity, lines->count + 1, sizeof(*lines->marks));
	lines->marks[lines->count++] = (struct sp_line_mark){.row = program->row, .at = program->in.at};
}

/* Ends the sequence of the marks from `first`, and keeps it if its code is in the file. */
static void end_sequence(struct sp_line_table *lines, const struct program *program, size_t first,
	const struct sp_interval_map *code)
{
	uint64_t low = first < lines->count ? lines->marks[first].row.address : 0;

	if (first < lines->count && low < program->row.address && sp_interval_map_find(code, low)) {
		sp_interval_map_add(&lines->sequences, low, program->row.address, (uint32_t)(lines->count - first),
			(uint32_t)first);
		return;
	}
	lines->count = first;
}

static void collect(struct sp_line_table *lines, struct program *program, const struct sp_interval_map *code)
{
	size_t first = 0, rows = 0;
	uint32_t in_sequence = 0;
	enum event event;

	while (rows < ROWS_LIMIT && (event = run(program)) != END_OF_PROGRAM) {
		if (event == END_OF_SEQUENCE) {
			end_sequence(lines, program, first, code);
			first = lines->count;
			in_sequence = 0;
			begin(program);
			continue;
		}
		rows++;
		if (in_sequence++ % ROWS_PER_MARK == 0)
			add_mark(lines, program);
	}
	lines->count = first; /* a sequence without an end is damaged */
}

void sp_line_table_read(struct sp_line_table *lines, const uint8_t *section, size_t bytes, uint64_t offset,
	const struct sp_interval_map *code)
{
	struct program program = {0};

	if (offset >= bytes)
		return;
	program.in = (struct sp_input){.at = section + offset, .end = section + bytes};
	if (!read_header(&program, &lines->tables))
		return;
	lines->rules = program.rules;
	begin(&program);
	collect(lines, &program, code);
	sp_interval_map_sort(&lines->sequences);
}

void sp_line_table_free(struct sp_line_table *lines)
{
	free(lines->marks);
	sp_interval_map_free(&lines->sequences);
	*lines = (struct sp_line_table){0};
}

/* The last of a sequence's marks at or before the address. */
static const struct sp_line_mark *find_mark(const struct sp_line_table *lines, const struct sp_interval *sequence,
	uint64_t address)
{
	size_t from = sequence->index, to = from + sequence->rank;

	while (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		if (lines->marks[middle].row.address <= address)
			from = middle;
		else
			to = middle;
	}
	return &lines->marks[from];
}

bool sp_line_table_find(const struct sp_line_table *lines, uint64_t address, struct sp_line_row *row)
{
	const struct sp_interval *sequence = sp_interval_map_find(&lines->sequences, address);
	const struct sp_line_mark *mark = sequence ? find_mark(lines, sequence, address) : NULL;
	struct program program = {.rules = lines->rules};

	if (!mark)
		return false;
	begin(&program);
	program.in = (struct sp_input){.at = mark->at, .end = lines->rules.end};
	program.row = mark->row;
	for (unsigned i = 0; i < ROWS_PER_MARK && program.row.address <= address; i++) {
		*row = program.row;
		if (run(&program) != ROW)
			break;
	}
	return true;
}
