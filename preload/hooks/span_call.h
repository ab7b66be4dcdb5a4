/* Functions that are spans, between C (span_functions.c) and assembly (span_call.S). */
#ifndef SP_PRELOAD_SPAN_CALL_H
#define SP_PRELOAD_SPAN_CALL_H

#define SP_SPAN_FUNCTIONS_MAX 1024 /* slots of procedure linkage tables */

#ifndef __ASSEMBLER__

#include "preload/smartprof.h"
#include "sampler/agent.h"

#define SP_SPAN_STUB_BYTES 16u
extern const uint8_t sp_span_stubs[SP_SPAN_FUNCTIONS_MAX * SP_SPAN_STUB_BYTES] SP_HIDDEN;

static inline uint64_t sp_span_stub(uint32_t index)
{
	return (uint64_t)(uintptr_t)&sp_span_stubs[index * SP_SPAN_STUB_BYTES];
}

struct sp_span_function {
	const char *name;
	struct smartprof_site site;
	uint64_t *slot;
	uint64_t real;  /* atomic */
	uint32_t bound; /* atomic: the loader will not write the slot any more */
	bool looks;     /* no span: before it is called there may be new objects */
};
extern struct sp_span_function sp_span_functions[SP_SPAN_FUNCTIONS_MAX] SP_HIDDEN;

/* Deeper in the main thread's stack nothing is a span. */
extern uint64_t sp_span_main_bytes SP_HIDDEN;

struct sp_span_call {
	uint64_t real; /* the function's address */
	uint64_t begun;
	uint32_t index;
};

/* Begins the span of slot `index`. frame: where the return address is, right below the caller's frame; caller_bp: the caller's
 * frame pointer. Returns how many bytes there may be arguments in above that, or -1: the function is to be gone to as if
 * nothing had been in between. */
int64_t sp_span_enter(uint32_t index, uint64_t frame, uint64_t caller_bp, struct sp_span_call *call) SP_HIDDEN;

/* The function has returned. */
void sp_span_left(const struct sp_span_call *call) SP_HIDDEN;

/* What unwinders ask of sp_span_call's frame (Itanium C++ ABI, Exception Handling 1.6.2): it catches nothing, and its span
 * ends. */
int sp_span_personality(int version, int actions, uint64_t class, void *exception, void *context) SP_HIDDEN;

#endif

#endif
