/* The columns by name. */
#include "profiles/fleet/columns.h"

#include "profiles/model/waiting.h"

const char *const sp_fleet_kind_names[SP_FLEET_KINDS] = {"cpu", "heap", "wait", "function", "site"};

const char *const sp_fleet_value_names[SP_FLEET_VALUES] = {"value", "system_ns", "samples", "count", "total_ns",
	"total_system_ns", "total_samples", "inuse_bytes", "inuse_count", "inuse_samples", "peak_bytes", "peak_count",
	"short_bytes", "short_count", "temp_bytes", "temp_count", "leaked_bytes"};

const char *const sp_fleet_variance_names[SP_FLEET_VARIANCES] = {"value_var", "total_var", "inuse_var"};

const struct sp_fleet_column sp_fleet_numbers[SP_FLEET_NUMBERS] = {
	[SP_FLEET_CPU_USER_NS] = {"cpu_user_ns", "sum"},
	[SP_FLEET_CPU_SYSTEM_NS] = {"cpu_system_ns", "sum"},
	[SP_FLEET_WALL_NS] = {"wall_ns", "sum"},
	[SP_FLEET_CPU_SAMPLES] = {"cpu_samples", "sum"},
	[SP_FLEET_DROPPED] = {"cpu_samples_dropped", "sum"},
	[SP_FLEET_TRUNCATED] = {"stacks_truncated", "sum"},
	[SP_FLEET_THREADS] = {"threads", "sum"},
	[SP_FLEET_RSS] = {"max_rss_bytes", "max"},
	[SP_FLEET_REQUESTED_NS] = {"cpu_interval_requested_ns", "max"},
	[SP_FLEET_HEAP_INTERVAL] = {"heap_interval_bytes", "max"},
	[SP_FLEET_HEAP_INTERVAL_MAX] = {"heap_interval_max_bytes", "max"},
	[SP_FLEET_HEAP_SAMPLES] = {"heap_samples", "sum"},
	[SP_FLEET_ALLOCATED] = {"heap_allocated_bytes", "sum"},
	[SP_FLEET_ALLOCATIONS] = {"heap_allocations", "sum"},
	[SP_FLEET_FREES] = {"heap_frees", "sum"},
	[SP_FLEET_INUSE] = {"heap_inuse_bytes", "sum"},
	[SP_FLEET_PEAK] = {"heap_peak_bytes", "sum"},
	[SP_FLEET_THREAD_NS] = {"thread_ns", "sum"},
	[SP_FLEET_QUEUE_NS] = {"run_queue_ns", "sum"},
	[SP_FLEET_BLOCKED_NS] = {"blocked_ns", "sum"},
	[SP_FLEET_THROTTLED_NS] = {"throttled_ns", "sum"},
	[SP_FLEET_THROTTLED_PERIODS] = {"throttled_periods", "sum"},
	[SP_FLEET_QUEUE_KNOWN] = {"queue_known", "min"},
	[SP_FLEET_KINDS_KNOWN] = {"kinds_known", "min"},
	[SP_FLEET_THROTTLE_KNOWN] = {"throttle_known", "max"},
	[SP_FLEET_WAITING_KNOWN] = {"waiting_known", "min"},
	[SP_FLEET_CPU_ON] = {"cpu_on", "max"},
	[SP_FLEET_HEAP_ON] = {"heap_on", "max"},
	[SP_FLEET_WAITS_ON] = {"waits_on", "max"},
	[SP_FLEET_KIND_NS] = {"blocked_lock_ns", "sum"},
	{"blocked_condition_ns", "sum"},
	{"blocked_read_ns", "sum"},
	{"blocked_write_ns", "sum"},
	{"blocked_sync_ns", "sum"},
	{"blocked_poll_ns", "sum"},
	{"blocked_sleep_ns", "sum"},
	{"blocked_child_ns", "sum"},
	{"blocked_other_ns", "sum"},
};
_Static_assert(SP_FLEET_NUMBERS == SP_FLEET_KIND_NS + SP_WAIT_KINDS, "a column for each kind of waiting");

const struct sp_fleet_column sp_fleet_reals[SP_FLEET_REALS] = {
	[SP_FLEET_ACHIEVED] = {"cpu_interval_samples_us", "sum"},
	[SP_FLEET_UNNAMED_SECONDS] = {"unnamed_seconds", "sum"},
	[SP_FLEET_COST_CPU] = {"cost_cpu", "sum"},
	[SP_FLEET_COST_HEAP] = {"cost_heap", "sum"},
	[SP_FLEET_COST_HOOKS] = {"cost_hooks", "sum"},
	[SP_FLEET_BUDGET] = {"budget_percent", "max"},
	[SP_FLEET_INUSE_ERROR2] = {"heap_inuse_error2", "sum"},
	[SP_FLEET_PEAK_ERROR2] = {"heap_peak_error2", "sum"},
	[SP_FLEET_GROWTH] = {"heap_growth_bytes", "sum"},
};

const struct sp_fleet_column sp_fleet_spans[SP_FLEET_SPANS] = {
	[SP_FLEET_SPAN_COUNT] = {"ended", "sum"},
	[SP_FLEET_SPAN_SUM] = {"sum_ns", "sum"},
	[SP_FLEET_SPAN_SELF] = {"self_ns", "sum"},
	[SP_FLEET_SPAN_CPU] = {"cpu_ns", "sum"},
	[SP_FLEET_SPAN_BYTES] = {"allocated_bytes", "sum"},
	[SP_FLEET_SPAN_MAX] = {"max_ns", "max"},
	[SP_FLEET_SPAN_MEDIAN] = {"median_ns", "one"},
	[SP_FLEET_SPAN_P99] = {"p99_ns", "one"},
};

const struct sp_fleet_column sp_fleet_span_reals[SP_FLEET_SPAN_REALS] = {
	[SP_FLEET_SPAN_CPU_VAR] = {"cpu_var", "sum"},
	[SP_FLEET_SPAN_US_SQ] = {"us_sq", "sum"},
};

const char *const sp_fleet_texts[SP_FLEET_TEXTS] = {"program", "exit", "cpu_clock", "environment_reason", "kernel",
	"git_commit", "git_branch", "allocator", "host_cores", "usable_cores", "memory_limit_bytes"};
