/* What a profile tells of its process's spans. */
#ifndef SP_PROFILES_MODEL_SPANS_H
#define SP_PROFILES_MODEL_SPANS_H

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"

#define SP_SPAN_PARTS_MOST 5u
#define SP_SPAN_EXTRAS_MOST 3u

/* A function's share of a span: CPU time in ns, or bytes allocated at its sites. */
struct sp_span_part {
	uint32_t function;
	double amount, error; /* 95 % half-width */
};

/* What a slow span has more than another, on the average. */
struct sp_span_extra {
	uint32_t function;         /* of samples; else not used */
	uint32_t call, lock;       /* of waits: enum sp_wait_call; the snapshot's lock, 0: none, or several */
	double amount, error;      /* ns, bytes or a number; 95 % half-width. error 0: not known */
	double share, share_error; /* of what another has; 0 when those have none */
};

/* The slow ones of a span, longer than nine of ten when they ended, and all others. */
struct sp_slow_spans {
	uint64_t count, others;
	double ns, others_ns;                                /* means */
	uint64_t samples;                                    /* CPU samples in slow ones */
	bool lost;                                           /* there was no room for all of them */
	struct sp_span_extra time, cpu, wait, faults, bytes; /* wait: time that the thread was not on a CPU */
	struct sp_span_extra functions[SP_SPAN_EXTRAS_MOST], sites[SP_SPAN_EXTRAS_MOST],
		waits[SP_SPAN_EXTRAS_MOST]; /* beyond doubt, the most first */
	unsigned function_count, site_count, wait_count;
};

/* A span's name in those it was open in; of a profile that was read, with those: "request › parse". Times are exact, and those of the clock on the wall; CPU time is sampled. */
struct sp_span_info {
	const char *name;
	enum sp_span_kind kind;
	uint32_t parent;  /* in spans[], always before it; UINT32_MAX: none */
	uint32_t depth;   /* of its parents */
	uint32_t open;    /* were open when the spool was read, or the process died ... */
	uint64_t open_ns; /* ... the oldest of them for so long */
	int open_tid; /* ... in this thread, where it is open_of of span_threads, and open_at of what is open there */
	uint32_t open_of, open_at;
	uint64_t open_samples, open_in; /* CPU samples in it, and those of them in ... */
	uint32_t open_function;         /* ... one function. 0 of them: too few, or none has most */
	uint64_t count, sum_ns, self_ns, min_ns, max_ns;
	uint64_t bytes, unended, slow;
	uint64_t median_ns, p99_ns;        /* of their times */
	uint64_t classes[SP_SPAN_CLASSES]; /* of times: sp_span_class */
	uint64_t cpu_ns, samples;          /* spans inside included */
	double cpu_error;                  /* 95 % half-width, ns */
	double sq_us2;                     /* sum of their squared weights */
	/* Functions with most of that, and those that allocated most; none where there are too few samples. */
	struct sp_span_part hot[SP_SPAN_PARTS_MOST], sites[SP_SPAN_PARTS_MOST];
	unsigned hot_count, site_count;
	struct sp_span_spread spread;
	struct sp_span_slow tail;
	const struct sp_slow_spans *slow_ones; /* NULL: none was slow */
	uint32_t node;                         /* of the snapshot; 0: of a profile that was read */
	bool left_out;                         /* of tables: not asked for */
};

#define SP_SPAN_INSIDE " › " /* between the names of a path */

/* Appends "request › parse", and calls put for each name. */
void sp_span_put_path(struct sp_buffer *out, const struct sp_profile *profile, const struct sp_span_info *span,
	void (*put)(struct sp_buffer *out, const char *name));

/* Appends the name of the snapshot's span_nodes[node], without what looks like a secret. */
void sp_span_put_name(struct sp_buffer *out, const struct sp_snapshot *snapshot, uint32_t node);

/* Adds what one thread after the other has counted of it. */
void sp_span_add_count(struct sp_span_info *span, const struct sp_span_count *count);

/* When one of the longest began, since the process did. */
uint64_t sp_span_began_ns(const struct sp_profile *profile, const struct sp_span_slowest *one);

/* The time that a share of `rank` (0.5: the median) of a span's were shorter than. *error: half the width of its 95 %
 * interval, from the number of spans and the width of the classes. 0 without any. */
uint64_t sp_span_quantile(const struct sp_span_info *span, double rank, double *error);

#endif
