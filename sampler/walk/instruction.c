/* Decoding x86-64 instructions. */
#include "sampler/walk/instruction.h"

#include "sampler/walk/reader.h"

/* What follows an opcode: . nothing; m ModRM; b, w, z, j: an operand of 1, 2, 4 (2 with prefix 66), always 4 bytes; B, Z: ModRM and
 * b or z; e three bytes; o eight; v z, or eight with REX.W; g, G: m, with operand b or z if its register is 0 or 1;
 * p prefix; r REX; V, W, E: VEX of two and three bytes (XOP too), EVEX; 2: more opcode; x: no instruction. */
static const char one_byte[] = "mmmmbzxxmmmmbzx2mmmmbzxxmmmmbzxx"
			       "mmmmbzpxmmmmbzpxmmmmbzpxmmmmbzpx"
			       "rrrrrrrrrrrrrrrr................"
			       "xxEmppppzZbB....bbbbbbbbbbbbbbbb"
			       "BZxBmmmmmmmmmmmm..........x....."
			       "oooo....bz......bbbbbbbbvvvvvvvv"
			       "BBw.WVBZe.w..bx.mmmmxxx.mmmmmmmm"
			       "bbbbbbbbjjxb....p.pp..gG......mm";
static const char two_byte[] = "mmmmx.....x.xm.Bmmmmmmmmmmmmmmmm"
			       "mmmmmmmmmmmmmmmm......x.2x2xxxxx"
			       "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm"
			       "mmmmmmmmmmmmmmmmBBBBmmm.mmmmmmmm"
			       "jjjjjjjjjjjjjjjjmmmmmmmmmmmmmmmm"
			       "...mBmxx...mBmmmmmmmmmmmmmBmmmmm"
			       "mmBmBBBm........mmmmmmmmmmmmmmmm"
			       "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";
_Static_assert(sizeof one_byte == 257 && sizeof two_byte == 257, "a letter for each opcode");

struct decoder {
	struct sp_reader code;
	struct sp_instruction *out;
	uint8_t rex;
	bool short_operand; /* prefix 66 */
};

/* The letter for the opcode, with prefixes and escapes behind. */
static char read_vector(struct decoder *d, char kind)
{
	struct sp_instruction *i = d->out;
	uint8_t first = (uint8_t)sp_read_fixed(&d->code, 1);

	i->vector = true;
	i->map = kind == 'V' ? 1 : first & (kind == 'W' ? 31 : 7);
	sp_read_past(&d->code, kind == 'V' ? 0 : kind == 'W' ? 1 : 2);
	i->opcode = (uint8_t)sp_read_fixed(&d->code, 1);
	if (i->map == 1)
		return i->opcode == 0x77 ? '.' : two_byte[i->opcode] == 'B' ? 'B' : 'm';
	if (i->map == 0 || i->map > 10)
		return 'x';
	return i->map == 3 || i->map == 8 ? 'B' : i->map == 10 ? 'Z' : 'm';
}

static char read_escaped(struct decoder *d)
{
	struct sp_instruction *i = d->out;
	char kind;

	i->map = 1;
	i->opcode = (uint8_t)sp_read_fixed(&d->code, 1);
	kind = two_byte[i->opcode];
	if (kind != '2')
		return kind;
	i->map = i->opcode == 0x38 ? 2 : 3;
	i->opcode = (uint8_t)sp_read_fixed(&d->code, 1);
	return i->map == 2 ? 'm' : 'B';
}

static char read_opcode(struct decoder *d)
{
	char kind;

	for (;;) {
		d->out->opcode = (uint8_t)sp_read_fixed(&d->code, 1);
		kind = d->code.bad ? 'x' : one_byte[d->out->opcode];
		if (kind == 'p') {
			d->short_operand |= d->out->opcode == 0x66;
			d->rex = 0;
		} else if (kind == 'r') {
			d->rex = d->out->opcode;
		} else {
			break;
		}
	}
	/* AMD's XOP: a pop whose register is not 0 is none. */
	if (d->out->opcode == 0x8f && d->code.at < d->code.end && (*d->code.at & 31) >= 8)
		kind = 'W';
	if (kind == 'V' || kind == 'W' || kind == 'E')
		return read_vector(d, kind);
	return kind == '2' ? read_escaped(d) : kind;
}

static void read_address(struct decoder *d, unsigned mode, unsigned low)
{
	struct sp_instruction *i = d->out;
	unsigned bytes = mode == 1 ? 1 : mode == 2 ? 4 : 0, base = low;

	i->memory = true;
	i->base = i->rm;
	if (low == 4) {
		uint8_t sib = (uint8_t)sp_read_fixed(&d->code, 1);
		bool indexed = (sib >> 3 & 7) != 4 || d->rex & 2;

		base = sib & 7;
		i->base = indexed ? SP_BASE_NONE : (uint8_t)(base | (d->rex & 1) << 3);
	}
	if (mode == 0 && base == 5) {
		bytes = 4;
		i->base = SP_BASE_NONE;
	}
	i->offset = bytes ? (int32_t)sp_read_signed(&d->code, bytes) : 0;
}

static void read_modrm(struct decoder *d)
{
	struct sp_instruction *i = d->out;
	uint8_t modrm = (uint8_t)sp_read_fixed(&d->code, 1);

	i->has_modrm = true;
	i->reg = (uint8_t)((modrm >> 3 & 7) | (d->rex & 4) << 1);
	i->rm = (uint8_t)((modrm & 7) | (d->rex & 1) << 3);
	if (modrm >> 6 != 3)
		read_address(d, modrm >> 6, modrm & 7);
}

static unsigned operand_bytes(const struct decoder *d, char kind)
{
	unsigned full = d->short_operand ? 2 : 4;

	switch (kind) {
	case 'b':
	case 'B':
		return 1;
	case 'w':
		return 2;
	case 'e':
		return 3;
	case 'j':
		return 4;
	case 'o':
		return 8;
	case 'z':
	case 'Z':
		return full;
	case 'v':
		return d->out->wide ? 8 : full;
	case 'g':
		return (d->out->reg & 7) < 2 ? 1 : 0;
	case 'G':
		return (d->out->reg & 7) < 2 ? full : 0;
	default:
		return 0;
	}
}

bool sp_instruction_decode(const uint8_t *code, uint32_t bytes, struct sp_instruction *i)
{
	uint32_t most = bytes < SP_INSTRUCTION_BYTES_MAX ? bytes : SP_INSTRUCTION_BYTES_MAX;
	struct decoder d = {.code = {code, code + most, false}, .out = i};
	unsigned operand;
	char kind;

	*i = (struct sp_instruction){.base = SP_BASE_NONE};
	kind = read_opcode(&d);
	if (kind == 'x')
		return false;
	i->wide = d.rex & 8;
	if (kind == 'm' || kind == 'B' || kind == 'Z' || kind == 'g' || kind == 'G')
		read_modrm(&d);
	else
		i->rm = (uint8_t)((i->opcode & 7) | (d.rex & 1) << 3);
	operand = operand_bytes(&d, kind);
	if (operand)
		i->immediate = (int64_t)sp_read_signed(&d.code, operand);
	i->bytes = (uint8_t)(d.code.at - code);
	return !d.code.bad;
}
