/* Whether libunwind can run the rules of some code. It believes what it is given: it takes a register's number for an index
 * and divides what cannot be divided, so a damaged or hostile file would end the process. */
#ifndef SP_SYMBOLIZE_ELF_FRAME_CHECK_H
#define SP_SYMBOLIZE_ELF_FRAME_CHECK_H

#include "symbolize/elf/frame_table.h"

/* True if each instruction is known and whole, no register stands for another one that is not below `registers`, and no
 * expression divides, jumps or reaches deep into its stack. Sets `outermost`: the return address is undefined, so the frame
 * has no caller. */
bool sp_frame_rules_check(const struct sp_frame_rules *rules, unsigned registers, bool *outermost);

/* Makes those of checked rules nothing that say from where on return addresses are signed, which libunwind need not know. */
void sp_frame_rules_unsign(uint8_t *at, const uint8_t *end);

#endif
