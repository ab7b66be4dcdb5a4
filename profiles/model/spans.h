/* What a profile tells of its process's spans. */
#ifndef SP_PROFILES_MODEL_SPANS_H
#define SP_PROFILES_MODEL_SPANS_H

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"

/* A span's name in those it was open in. Times are exact, and those of the clock on the wall; CPU time is sampled. */
struct sp_span_info {
	const char *name;
	enum sp_span_kind kind;
	uint32_t parent;  /* in spans[], always before it; UINT32_MAX: none */
	uint32_t depth;   /* of its parents */
	uint32_t open;    /* were open when the spool was read, or the process died ... */
	uint64_t open_ns; /* ... the oldest of them for so long */
	int open_tid;     /* ... in this thread */
	uint64_t count, sum_ns, self_ns, min_ns, max_ns;
	uint64_t bytes, unended, slow;
	uint64_t classes[SP_SPAN_CLASSES]; /* of times: sp_span_class */
	uint64_t cpu_ns, samples;          /* spans inside included */
	double cpu_error;                  /* 95 % half-width, ns */
	double sq_us2;                     /* sum of their squared weights */
	uint32_t hottest;                  /* the function with most self time of that, ... */
	uint64_t hottest_ns;               /* ... and that time; 0: there are too few samples */
};

/* Appends the name of the snapshot's span_nodes[node], without what looks like a secret. */
void sp_span_put_name(struct sp_buffer *out, const struct sp_snapshot *snapshot, uint32_t node);

/* The time that a share of `rank` (0.5: the median) of a span's were shorter than. *error: half the width of its 95 %
 * interval, from the number of spans and the width of the classes. 0 without any. */
uint64_t sp_span_quantile(const struct sp_span_info *span, double rank, double *error);

#endif
