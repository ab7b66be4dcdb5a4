/* Names of spans, and which span is open in which: both are entered once and keep their number. */
#ifndef SP_SAMPLER_SPANS_NAMES_H
#define SP_SAMPLER_SPANS_NAMES_H

#include "sampler/agent.h"

/* The number of a name (SP_SEC_SPAN_NAMES), which is entered if it is new: its first SP_SPAN_TEXT_MAX bytes; 0 when the
 * table is full. Any context; lock-free. */
uint32_t sp_span_name(enum sp_span_kind kind, const char *text) SP_HIDDEN;

/* The number of the node that `name` makes in node `parent` (SP_SEC_SPAN_NODES); 0 when there is no name, or the table is full. Any context;
 * lock-free. */
uint32_t sp_span_node(uint32_t parent, uint32_t name) SP_HIDDEN;

/* The number of the node that `label`, a name of kind SP_SPAN_LABEL, makes of `node`: in place of the label with the same key
 * that it has, else in it. 0 when the table is full, or the span has SP_SPAN_LABELS others. Any context; lock-free. */
uint32_t sp_span_labelled(uint32_t node, uint32_t label) SP_HIDDEN;

/* In a forked child, whose spool will be another one: nothing has been entered. */
void sp_span_names_forget(void) SP_HIDDEN;

#endif
