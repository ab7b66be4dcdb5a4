/* Spans: names of the program's own work, begun and ended by the thread that does it. Counts are exact, and in the spool;
 * so is what is open, which is known after the process has been killed. Every sample of a thread is in its innermost span.
 * All of these: any context of the thread `t` (sp_tls.thread), lock-free, no system call once a name has been met. */
#ifndef SP_SAMPLER_SPANS_SPANS_H
#define SP_SAMPLER_SPANS_SPANS_H

#include "sampler/agent.h"

/* The thread is in a span of that name (sp_span_name) from here on, or in one more if it is in one. */
void sp_span_begin(struct sp_thread *t, uint32_t name) SP_HIDDEN;

/* The innermost of that name has ended, and what was begun in it without an end. limit_ns: longer ones are counted as slow,
 * 0: none. text: what the timing log shall say of it, NULL nothing. Returns whether a slow response was counted. */
bool sp_span_end(struct sp_thread *t, uint32_t name, uint64_t limit_ns, const char *text) SP_HIDDEN;

/* The innermost span's samples have this label, "key=value" (SP_SPAN_LABEL), until it ends or has another one of that key. */
void sp_span_label(struct sp_thread *t, uint32_t name) SP_HIDDEN;

/* The span that was just begun is that of a function whose frame is at `frame` in the thread's own stack. */
void sp_span_set_frame(struct sp_thread *t, uint64_t frame) SP_HIDDEN;

/* The thread's stack pointer is at `sp` of its own stack: spans of functions whose frames are at or below it have ended by a longjmp,
 * and what was begun in them. */
void sp_span_unwound(struct sp_thread *t, uint64_t sp) SP_HIDDEN;

/* An exception has left the innermost span that is a function's. */
void sp_span_thrown(struct sp_thread *t) SP_HIDDEN;

/* Counts a time in cycles in `node` that the thread is not in. *count: 0, or what it was left as by the last such call. */
void sp_span_add_cycles(struct sp_thread *t, uint32_t node, uint32_t *count, uint64_t cycles) SP_HIDDEN;

/* Counts a time of `ns` in `node` that no thread was in. */
void sp_span_add(struct sp_thread *t, uint32_t node, uint64_t ns) SP_HIDDEN;

/* The thread ends, and what it had begun with it. The caller may be another thread, when it is gone. */
void sp_span_thread_ends(struct sp_thread *t) SP_HIDDEN;

/* The block has begun no span in this spool: it is new, or a forked child's. */
void sp_span_forget(struct sp_thread *t) SP_HIDDEN;

/* Learns what a span costs here, before the first one of the process. */
void sp_span_measure(struct sp_thread *t) SP_HIDDEN;

#endif
