/* What slow spans have that others have not: of each node the longest are kept, and what was sampled in those that take
 * longer than nine of ten is added up, so that a reader can set it against all others. All of these: any context of the thread
 * `t`; lock-free. */
#ifndef SP_SAMPLER_SPANS_SLOW_H
#define SP_SAMPLER_SPANS_SLOW_H

#include "sampler/agent.h"

/* What a span that has ended took and had. */
struct sp_span_had {
	uint64_t ns, bytes;
	struct sp_span_usage usage; /* if it was measured: in it */
};

/* A sample was taken: nanoseconds on a CPU stack or that of a wait, or bytes on a heap stack. sq: as in struct sp_span_sample. */
void sp_span_sampled(struct sp_thread *t, uint32_t stack, uint64_t weight, uint64_t sq) SP_HIDDEN;

/* The agent has just taken so much of the thread's time, which is not the spans'. */
void sp_span_disturbed(struct sp_thread *t, uint64_t ns) SP_HIDDEN;

/* A span to be counted in `c` begins: whether the kernel is asked what the thread has used, and its answer. */
void sp_span_ask(const struct sp_span_count *c, struct sp_span_open *o) SP_HIDDEN;

/* The span `o`, the innermost of `s`, what the thread has open, has ended; it is not counted in `c` yet. */
void sp_span_compare(struct sp_thread *t, const struct sp_span_thread *s, struct sp_span_count *c,
	const struct sp_span_open *o, const struct sp_span_had *had) SP_HIDDEN;

/* What the kernel has counted of the calling thread since `before`. cost_ns: the agent's part of the CPU time. Two system calls. */
void sp_span_used(const struct sp_span_usage *before, uint64_t cost_ns, struct sp_span_usage *used) SP_HIDDEN;

/* In a forked child, whose spool will be another one: nothing has been entered. */
void sp_span_slow_forget(void) SP_HIDDEN;

#endif
