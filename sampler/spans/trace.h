/* The traces that other libraries say a thread works for: OpenTelemetry's thread context (OTEP 4947). Such a library exports
 * a thread-local pointer, otel_thread_ctx_v1, to a record with the trace's and the span's number, and changes it only in the
 * thread that it is about: a signal handler there finds it whole. */
#ifndef SP_SAMPLER_SPANS_TRACE_H
#define SP_SAMPLER_SPANS_TRACE_H

#include "sampler/agent.h"

/* Where the C library keeps what is needed to find a thread's variables, and its first object. offset 0: it does not tell,
 * and there are no traces. Before the first look. */
struct sp_trace_loader {
	const struct link_map *first;
	const struct link_map *
		own; /* has the agent's own pointer (spans/context.h), which counts where no other is; NULL: there is none */
	uint32_t module_offset,
		place_offset; /* in a struct link_map: number of its thread-local memory, and where it is */
};
void sp_trace_init(const struct sp_trace_loader *loader) SP_HIDDEN;

/* Whether a library other than our own has the pointer. Looks now. Any context; before the first look, or in it. */
bool sp_trace_is_others(void) SP_HIDDEN;

/* How far below every thread's thread pointer that of our own library is; 0: it has none, or it is not at one place. */
uint64_t sp_trace_own_place(void) SP_HIDDEN;

/* Looks for the pointer among the objects that are loaded, when that is due: once a second, and less often when nothing has
 * changed. Some microseconds for each object. Any context; one thread at a time does it. */
void sp_trace_look(uint64_t now) SP_HIDDEN;

/* Of a CPU sample that was just counted: notes which trace it was taken in, if any. In the handler of the thread `t`. */
void sp_trace_note(struct sp_thread *t, uint32_t stack, uint64_t weight_ns) SP_HIDDEN;

#endif
