/* What an entry of .eh_frame says of one instruction: where each register of the caller is.
 * Source: DWARF 5 section 6.4.2. */
#ifndef SP_SAMPLER_WALK_CFI_ROW_H
#define SP_SAMPLER_WALK_CFI_ROW_H

#include "sampler/walk/cfi_entry.h"

enum sp_cfi_where {
	SP_CFI_UNCHANGED,
	SP_CFI_AT_OFFSET,     /* in memory, from the CFA */
	SP_CFI_IS_OFFSET,     /* that address itself */
	SP_CFI_IN_REGISTER,   /* number `reg`; the CFA: plus `offset` */
	SP_CFI_AT_EXPRESSION, /* in memory */
	SP_CFI_IS_EXPRESSION,
	SP_CFI_NOWHERE,
};

struct sp_cfi_place {
	uint8_t where; /* enum sp_cfi_where */
	uint8_t reg;
	uint32_t bytes; /* of the expression */
	union {
		int64_t offset;
		const uint8_t *expression;
	};
};

struct sp_cfi_row {
	uint64_t from, to;       /* it is the same for all instructions between */
	struct sp_cfi_place cfa; /* SP_CFI_IN_REGISTER or SP_CFI_IS_EXPRESSION */
	struct sp_cfi_place registers[SP_CFI_REGISTERS];
};

/* Runs an entry's instructions up to those for `pc`. False when one of them is unknown or damaged. Any context. */
bool sp_cfi_row_find(const struct sp_cfi_entry *entry, uint64_t pc, struct sp_cfi_row *row) SP_HIDDEN;

#endif
