/* For others that look at the process, which span a thread is in: OpenTelemetry's thread context (OTEP 4947), in the pointer of a library that
 * preload/ has opened for it, and the process context (OTEP 4719) that says so. Each span has a random number while it is
 * open, and with the outermost one a trace begins. Readers look at a thread only while it is stopped or interrupted. */
#ifndef SP_SAMPLER_SPANS_CONTEXT_H
#define SP_SAMPLER_SPANS_CONTEXT_H

#include "sampler/agent.h"

/* Where the pointer is: so far below each thread's thread pointer. Once, before any span. */
void sp_context_place(uint64_t below) SP_HIDDEN;

enum sp_context_start { SP_CONTEXT_OFF, SP_CONTEXT_STARTED, SP_CONTEXT_TAKEN, SP_CONTEXT_FAILED };

/* Tells of the spans of this spool from here on, where there is a pointer for it (else OFF) and no other library tells of
 * contexts (TAKEN). Takes 9 KB of stack. Any context. */
enum sp_context_start sp_context_start(void) SP_HIDDEN;

/* No more: each thread takes its pointer back when it next begins or ends a span, or is sampled. Any context. */
void sp_context_stop(void) SP_HIDDEN;

/* Stops when a library has come that tells of a process context. Some microseconds; takes 9 KB of stack. Any context. */
void sp_context_look(void) SP_HIDDEN;

/* In a forked child: nothing is told until its own first span. */
void sp_context_forked(void) SP_HIDDEN;

/* The calling thread's span has begun, or that inside of it has ended: it is told of, or what was told is taken back. It is the innermost
 * of the `depth` that are open in `s`. */
void sp_context_begun(struct sp_thread *t, const struct sp_span_thread *s, uint32_t depth) SP_HIDDEN;
void sp_context_ended(struct sp_thread *t, const struct sp_span_thread *s, uint32_t depth) SP_HIDDEN;
void sp_context_take_back(struct sp_thread *t) SP_HIDDEN;

static inline bool sp_context_is_on(void)
{
	return sp_unlikely(sp_load(&sp_agent.span_context) != 0);
}

#endif
