/* Traces that a profile's samples were taken in, as other libraries told (OpenTelemetry's thread context). */
#ifndef SP_PROFILES_MODEL_TRACES_H
#define SP_PROFILES_MODEL_TRACES_H

#include "profiles/base/buffer.h"
#include "profiles/model/samples.h"

#define SP_TRACE_ID_BYTES 16u
#define SP_TRACE_SPAN_ID_BYTES 8u

/* A span of a trace: runs[first .. first + count) of samples, each path once. */
struct sp_trace_info {
	uint8_t trace_id[SP_TRACE_ID_BYTES], span_id[SP_TRACE_SPAN_ID_BYTES];
	uint64_t cpu_ns, samples;
	size_t first, count;
};

struct sp_traces {
	struct sp_trace_info *list; /* most CPU time first */
	size_t count, capacity;
	struct sp_sample_run *runs;
	size_t run_count, run_capacity;
	uint64_t samples, cpu_ns; /* in all traces, those included that are not known any more; 0: read from Markdown */
};

/* Appends the bytes in hexadecimal. */
void sp_trace_put_id(struct sp_buffer *out, const uint8_t *id, size_t bytes);

/* Of exactly so many bytes, lower-case. */
bool sp_trace_id_parse(const char *text, size_t length, uint8_t *id, size_t bytes);

/* The function with most of its samples; UINT32_MAX none. */
uint32_t sp_trace_hottest(const struct sp_profile *profile, const struct sp_trace_info *trace);

void sp_traces_free(struct sp_traces *traces);

#endif
