/* Names of spans, and which span is open in which: both are entered once and keep their number. */
#ifndef SP_SAMPLER_SPANS_NAMES_H
#define SP_SAMPLER_SPANS_NAMES_H

#include "sampler/agent.h"

/* The number of a name (SP_SEC_SPAN_NAMES), which is entered if it is new: its first SP_SPAN_TEXT_MAX bytes; 0 when the
 * table is full. Any context; lock-free. */
uint32_t sp_span_name(enum sp_span_kind kind, const char *text) SP_HIDDEN;

/* The number of the node that `name` makes in node `parent` (SP_SEC_SPAN_NODES); 0 when the table is full. Any context;
 * lock-free. */
uint32_t sp_span_node(uint32_t parent, uint32_t name) SP_HIDDEN;

/* A spool has been made: nothing has been entered into it. */
void sp_span_names_forget(void) SP_HIDDEN;

#endif
