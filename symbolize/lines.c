/* Line number programs: see lines.h, and chapter 6.2 of the DWARF 5 standard. */
#include <dwarf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/array.h"
#include "symbolize/input.h"
#include "symbolize/lines.h"

/* Rows in one unit's table: larger ones come from no compiler. */
#define ROWS_LIMIT (32u << 20)

struct program {
	struct sp_input in;
	uint8_t min_instruction_bytes, line_range, opcode_base;
	int8_t line_base;
	const uint8_t *operand_counts; /* of the standard opcodes, from 1 */
	struct sp_line_tables tables;
	struct sp_row row;
	size_t sequence; /* index of its first row */
};

/* Leaves program->in at the first instruction. */
static bool read_header(struct program *program)
{
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
	program->min_instruction_bytes = (uint8_t)sp_take(in, 1);
	sp_skip(in, version >= 4 ? 2 : 1); /* instructions per operation, default of is_stmt */
	program->line_base = (int8_t)sp_take(in, 1);
	program->line_range = (uint8_t)sp_take(in, 1);
	program->opcode_base = (uint8_t)sp_take(in, 1);
	program->operand_counts = in->at - 1;
	sp_skip(in, program->opcode_base ? program->opcode_base - 1u : 0);
	if (in->bad || !program->line_range || !program->opcode_base || in->at > first)
		return false;
	program->tables = (struct sp_line_tables){
		.at = in->at, .end = first, .version = version, .offset_bytes = (uint8_t)offset_bytes};
	in->at = first;
	return true;
}

static int add_row(struct sp_lines *lines, const struct program *program)
{
	if (sp_array_room(&lines->rows, &lines->capacity, lines->count + 1, sizeof(*lines->rows)))
		return -ENOMEM;
	lines->rows[lines->count++] = program->row;
	return 0;
}

static void reset_row(struct program *program)
{
	program->row = (struct sp_row){.file = 1, .line = 1};
}

/* Ends a sequence: kept if it is about code that is there. */
static int end_sequence(struct sp_lines *lines, struct program *program, const struct sp_spans *code)
{
	size_t first = program->sequence;
	uint64_t low = first < lines->count ? lines->rows[first].address : 0;
	int rc = 0;

	if (first < lines->count && low < program->row.address && sp_spans_find(code, low)) {
		rc = sp_spans_add(&lines->sequences, low, program->row.address, (uint32_t)(lines->count - first),
			(uint32_t)first);
	} else {
		lines->count = first;
	}
	program->sequence = lines->count;
	reset_row(program);
	return rc;
}

static int run_extended(struct sp_lines *lines, struct program *program, const struct sp_spans *code)
{
	struct sp_input *in = &program->in;
	uint64_t bytes = sp_take_leb(in, false);
	const uint8_t *next;
	int rc = 0;

	if (in->bad || !bytes || bytes > (uint64_t)(in->end - in->at)) {
		in->bad = true;
		return 0;
	}
	next = in->at + bytes;
	switch (sp_take(in, 1)) {
	case DW_LNE_end_sequence:
		rc = end_sequence(lines, program, code);
		break;
	case DW_LNE_set_address:
		program->row.address = sp_take(in, bytes - 1);
		break;
	}
	in->at = next;
	return rc;
}

static int run_standard(struct sp_lines *lines, struct program *program, unsigned opcode)
{
	struct sp_input *in = &program->in;
	struct sp_row *row = &program->row;

	switch (opcode) {
	case DW_LNS_copy:
		return add_row(lines, program);
	case DW_LNS_advance_pc:
		row->address += sp_take_leb(in, false) * program->min_instruction_bytes;
		break;
	case DW_LNS_advance_line:
		row->line += (uint32_t)sp_take_leb(in, true);
		break;
	case DW_LNS_set_file:
		row->file = (uint32_t)sp_take_leb(in, false);
		break;
	case DW_LNS_const_add_pc:
		row->address += (255u - program->opcode_base) / program->line_range * program->min_instruction_bytes;
		break;
	case DW_LNS_fixed_advance_pc:
		row->address += sp_take(in, 2);
		break;
	default:
		for (unsigned i = program->operand_counts[opcode]; i && !in->bad; i--)
			sp_take_leb(in, false);
	}
	return 0;
}

static int run_special(struct sp_lines *lines, struct program *program, unsigned opcode)
{
	unsigned adjusted = opcode - program->opcode_base;

	program->row.address += adjusted / program->line_range * program->min_instruction_bytes;
	program->row.line += (uint32_t)(program->line_base + (int)(adjusted % program->line_range));
	return add_row(lines, program);
}

int sp_lines_read(struct sp_lines *lines, const uint8_t *section, size_t bytes, uint64_t offset,
	const struct sp_spans *code)
{
	struct program program = {0};
	int rc = 0;

	if (offset >= bytes)
		return 0;
	program.in = (struct sp_input){.at = section + offset, .end = section + bytes};
	program.sequence = lines->count;
	if (!read_header(&program))
		return 0;
	lines->tables = program.tables;
	reset_row(&program);
	while (program.in.at < program.in.end && !program.in.bad && !rc && lines->count < ROWS_LIMIT) {
		unsigned opcode = (unsigned)sp_take(&program.in, 1);

		if (opcode >= program.opcode_base)
			rc = run_special(lines, &program, opcode);
		else if (opcode)
			rc = run_standard(lines, &program, opcode);
		else
			rc = run_extended(lines, &program, code);
	}
	lines->count = program.sequence; /* a sequence without an end is damaged */
	sp_spans_sort(&lines->sequences);
	return rc;
}

void sp_lines_free(struct sp_lines *lines)
{
	free(lines->rows);
	sp_spans_free(&lines->sequences);
	*lines = (struct sp_lines){0};
}

const struct sp_row *sp_lines_find(const struct sp_lines *lines, uint64_t address)
{
	const struct sp_span *sequence = sp_spans_find(&lines->sequences, address);
	size_t from, to;

	if (!sequence)
		return NULL;
	from = sequence->index;
	to = from + sequence->rank;
	while (to - from > 1) {
		size_t middle = from + (to - from) / 2;

		if (lines->rows[middle].address <= address)
			from = middle;
		else
			to = middle;
	}
	return &lines->rows[from];
}
