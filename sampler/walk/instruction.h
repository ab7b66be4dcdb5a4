/* x86-64 instructions, as far as it takes to go from one to the next and to see what they do to the stack pointer: lengths
 * of all of them, operands of those with a ModRM byte (Intel SDM, volume 2, chapter 2 and appendix A). */
#ifndef SP_SAMPLER_WALK_INSTRUCTION_H
#define SP_SAMPLER_WALK_INSTRUCTION_H

#include "sampler/agent.h"

#define SP_INSTRUCTION_BYTES_MAX 15u

enum { SP_BASE_NONE = 16 }; /* of an address: relative to the instruction, or with an index register */

struct sp_instruction {
	uint8_t bytes;
	uint8_t map; /* of opcodes: 0 one byte, 1 after 0f, 2 after 0f 38, 3 after 0f 3a */
	bool vector; /* VEX or EVEX: its operands are not told */
	uint8_t opcode;
	bool wide; /* REX.W */
	bool has_modrm;
	bool memory;     /* ModRM names an address, ... */
	uint8_t base;    /* ... this register ... */
	int32_t offset;  /* ... and that */
	uint8_t reg, rm; /* ModRM's registers; opcodes without ModRM: rm is the one in the opcode */
	int64_t immediate;
};

/* Decodes the instruction that `code` begins with. False when that is no instruction, or not all of it is there. Any
 * context. */
bool sp_instruction_decode(const uint8_t *code, uint32_t bytes, struct sp_instruction *instruction) SP_HIDDEN;

#endif
