/* What a store of many machines' profiles keeps of each, as columns of ClickHouse: one list, from which the tables are made,
 * rows are written and questions are asked. */
#ifndef SP_PROFILES_FLEET_COLUMNS_H
#define SP_PROFILES_FLEET_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>

/* What a row of samples is of. The first three are stacks, the others have one frame: a function where it is declared, a heap
 * site where it stands. Of a function the row tells what its profile does, which knows more than the stacks of one that was cut. */
enum sp_fleet_kind { SP_FLEET_CPU, SP_FLEET_HEAP, SP_FLEET_WAIT, SP_FLEET_FUNCTION, SP_FLEET_SITE, SP_FLEET_KINDS };
extern const char *const sp_fleet_kind_names[SP_FLEET_KINDS];

/* Whole numbers of samples: they add up. */
enum sp_fleet_value {
	SP_FLEET_VALUE,  /* ns of CPU time or of waiting, bytes allocated; of a function, self */
	SP_FLEET_SYSTEM, /* of it, in the kernel */
	SP_FLEET_SAMPLES,
	SP_FLEET_COUNT, /* allocations, waits */
	SP_FLEET_TOTAL, /* of a function: with what it called */
	SP_FLEET_TOTAL_SYSTEM,
	SP_FLEET_TOTAL_SAMPLES,
	SP_FLEET_INUSE_BYTES,
	SP_FLEET_INUSE_COUNT,
	SP_FLEET_INUSE_SAMPLES,
	SP_FLEET_PEAK_BYTES,
	SP_FLEET_PEAK_COUNT,
	SP_FLEET_SHORT_BYTES,
	SP_FLEET_SHORT_COUNT,
	SP_FLEET_TEMP_BYTES,
	SP_FLEET_TEMP_COUNT,
	SP_FLEET_LEAKED_BYTES,
	SP_FLEET_VALUES
};
extern const char *const sp_fleet_value_names[SP_FLEET_VALUES];

/* Variances of what is estimated, in squares of its unit: they add up too. */
enum sp_fleet_variance { SP_FLEET_VALUE_VAR, SP_FLEET_TOTAL_VAR, SP_FLEET_INUSE_VAR, SP_FLEET_VARIANCES };
extern const char *const sp_fleet_variance_names[SP_FLEET_VARIANCES];

/* Of a whole profile: numbers, with what makes one of many of them ("sum", "max", "min", "one": 0 unless it is the only one). */
enum sp_fleet_number {
	SP_FLEET_CPU_USER_NS,
	SP_FLEET_CPU_SYSTEM_NS,
	SP_FLEET_WALL_NS,
	SP_FLEET_CPU_SAMPLES,
	SP_FLEET_DROPPED,
	SP_FLEET_TRUNCATED,
	SP_FLEET_THREADS,
	SP_FLEET_RSS,
	SP_FLEET_REQUESTED_NS,
	SP_FLEET_HEAP_INTERVAL,
	SP_FLEET_HEAP_INTERVAL_MAX,
	SP_FLEET_HEAP_SAMPLES,
	SP_FLEET_ALLOCATED,
	SP_FLEET_ALLOCATIONS,
	SP_FLEET_FREES,
	SP_FLEET_INUSE,
	SP_FLEET_PEAK,
	SP_FLEET_THREAD_NS,
	SP_FLEET_QUEUE_NS,
	SP_FLEET_BLOCKED_NS,
	SP_FLEET_THROTTLED_NS,
	SP_FLEET_THROTTLED_PERIODS,
	SP_FLEET_QUEUE_KNOWN,
	SP_FLEET_KINDS_KNOWN,
	SP_FLEET_THROTTLE_KNOWN,
	SP_FLEET_WAITING_KNOWN,
	SP_FLEET_CPU_ON,
	SP_FLEET_HEAP_ON,
	SP_FLEET_WAITS_ON,
	SP_FLEET_KIND_NS, /* the first of SP_WAIT_KINDS, "blocked_lock_ns" … */
	SP_FLEET_NUMBERS = SP_FLEET_KIND_NS + 9
};
struct sp_fleet_column {
	const char *name, *merge;
};
extern const struct sp_fleet_column sp_fleet_numbers[SP_FLEET_NUMBERS];

/* Likewise, not whole. */
enum sp_fleet_real {
	SP_FLEET_ACHIEVED, /* mean interval times samples */
	SP_FLEET_UNNAMED_SECONDS,
	SP_FLEET_COST_CPU, /* percents times CPU seconds */
	SP_FLEET_COST_HEAP,
	SP_FLEET_COST_HOOKS,
	SP_FLEET_BUDGET,
	SP_FLEET_INUSE_ERROR2, /* squares of half widths of 95 % intervals */
	SP_FLEET_PEAK_ERROR2,
	SP_FLEET_GROWTH, /* of a window: bytes in use more at its end, less than 0: less */
	SP_FLEET_REALS
};
extern const struct sp_fleet_column sp_fleet_reals[SP_FLEET_REALS];

/* Of a span: whole numbers, and others. */
enum sp_fleet_span {
	SP_FLEET_SPAN_COUNT,
	SP_FLEET_SPAN_SUM,
	SP_FLEET_SPAN_SELF,
	SP_FLEET_SPAN_CPU,
	SP_FLEET_SPAN_BYTES,
	SP_FLEET_SPAN_MAX,
	SP_FLEET_SPAN_MEDIAN, /* not of a sum */
	SP_FLEET_SPAN_P99,
	SP_FLEET_SPANS
};
extern const struct sp_fleet_column sp_fleet_spans[SP_FLEET_SPANS];
enum sp_fleet_span_real { SP_FLEET_SPAN_CPU_VAR, SP_FLEET_SPAN_US_SQ, SP_FLEET_SPAN_REALS };
extern const struct sp_fleet_column sp_fleet_span_reals[SP_FLEET_SPAN_REALS];

/* Facts on which profiles agree or not: the keys of the front matter. */
enum sp_fleet_text {
	SP_FLEET_PROGRAM,
	SP_FLEET_EXIT,
	SP_FLEET_CLOCK,
	SP_FLEET_REASON,
	SP_FLEET_KERNEL,
	SP_FLEET_COMMIT,
	SP_FLEET_BRANCH,
	SP_FLEET_ALLOCATOR,
	SP_FLEET_HOST_CORES,
	SP_FLEET_USABLE_CORES,
	SP_FLEET_MEMORY_LIMIT,
	SP_FLEET_TEXTS
};
extern const char *const sp_fleet_texts[SP_FLEET_TEXTS];

/* A frame of a stack. */
struct sp_fleet_frame {
	const char *function, *module, *build_id, *file; /* "" unknown */
	unsigned line;
	bool inlined;
	uint64_t address, code; /* which address is no part of what tells it from others */
};

/* What stands in front of the tables' names. */
#define SP_FLEET_PREFIX "smartprof_"

#endif
