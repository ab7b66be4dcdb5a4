/* Reading what code without tables is about to do: where a function ends a few instructions on, they tell its frame.
 * Trampolines that an interpreter makes, such as CPython's of `-X perf`, are little more than a call and that. */
#ifndef SP_SAMPLER_EPILOGUE_H
#define SP_SAMPLER_EPILOGUE_H

#include "sampler/agent.h"

enum sp_epilogue_flags {
	SP_EPILOGUE_ENDS = 1,     /* the code returns; else nothing is known */
	SP_EPILOGUE_FROM_BP = 2,  /* offsets are from rbp; else from rsp */
	SP_EPILOGUE_POPS_BP = 4,  /* the caller's rbp is at bp_at; else it is unchanged */
	SP_EPILOGUE_POPS_MORE = 8 /* other registers are popped, too */
};

struct sp_epilogue {
	int32_t return_at; /* where the return address is */
	int16_t bp_at;
	uint8_t flags, dropped; /* words above the return address that go with it */
};
_Static_assert(sizeof(struct sp_epilogue) == 8, "read and written as one word");

/* What the code from `ip` on does, if it returns after a few instructions that move the stack pointer and pop registers
 * (SP_EPILOGUE_ENDS). Generated code may change: what was read is kept for a tenth of a second. `now`: the cycle counter,
 * of lately. Any context. */
struct sp_epilogue sp_epilogue_find(uint64_t ip, uint64_t now) SP_HIDDEN;

/* The same of bytes. */
struct sp_epilogue sp_epilogue_read(const uint8_t *code, size_t bytes) SP_HIDDEN;

#endif
