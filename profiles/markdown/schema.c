/* Schema 1 of the Markdown profile as tables; docs/PROFILE.md says the same in words. */
#include "profiles/markdown/schema.h"

#include <string.h>

#include "profiles/model/waiting.h"

#define UNKNOWN_TO_AGENT "the library could not find it out"
#define OR_MERGED ", or several profiles are merged"
#define NO_CPU_USED "no CPU time was used"
#define ALLOCATOR_SILENT "the allocator has no such figure, or could not be asked safely"
#define NO_STACKS "the profile was written before profiles had stacks"
#define NO_SLICES \
	"the run was too short for a point of the timeline, or it is a sum of profiles, or the profile was written " \
	"before there was this table"
#define NO_ERRORS "heap sampling was off, or the profile was written before totals had errors"
#define NO_SPANS "the program names no span"
#define ONE_PROCESS "the profile is of one process"
#define NOT_ONE_RUN ONE_PROCESS ", or of processes of several runs"
#define NO_WINDOW "the profile is of the whole run, not of a window"
#define NO_WAITING "the profile was written before waiting was told"
#define NO_LINES "no sample hit code whose lines are known, or source_lines is off"

const struct sp_schema_key sp_schema_keys[] = {
	{"schema", SP_KEY_SCHEMA, SP_ALWAYS, NULL},
	{"program", SP_KEY_TEXT, SP_ALWAYS, NULL},
	{"command", SP_KEY_TEXT, SP_OPTIONAL, UNKNOWN_TO_AGENT OR_MERGED},
	{"pid", SP_KEY_COUNT, SP_ALWAYS, NULL},
	{"ppid", SP_KEY_COUNT, SP_ALWAYS, NULL},
	{"tree", SP_KEY_TEXT, SP_OPTIONAL, UNKNOWN_TO_AGENT OR_MERGED},
	{"tree_role", SP_KEY_ROLE, SP_ALWAYS, NULL},
	{"merged_profiles", SP_KEY_COUNT, SP_OPTIONAL, ONE_PROCESS},
	{"exit", SP_KEY_EXIT, SP_ALWAYS, NULL},
	{"started", SP_KEY_TIME, SP_ALWAYS, NULL},
	{"mark", SP_KEY_TEXT, SP_OPTIONAL, "the profile is not of a moment that was marked"},
	{"attached_after_seconds", SP_KEY_DECIMAL, SP_OPTIONAL, "the agent was there from the start"},
	{"window_start_seconds", SP_KEY_DECIMAL, SP_OPTIONAL, NO_WINDOW},
	{"wall_seconds", SP_KEY_DECIMAL, SP_ALWAYS, NULL},
	{"environment", SP_KEY_TEXT, SP_ALWAYS, NULL},
	{"environment_reason", SP_KEY_TEXT, SP_ALWAYS, NULL},
	{"host_cores", SP_KEY_COUNT, SP_OPTIONAL, UNKNOWN_TO_AGENT},
	{"usable_cores", SP_KEY_DECIMAL, SP_OPTIONAL, UNKNOWN_TO_AGENT},
	{"memory_limit_bytes", SP_KEY_COUNT, SP_OPTIONAL, UNKNOWN_TO_AGENT},
	{"kernel", SP_KEY_TEXT, SP_OPTIONAL, UNKNOWN_TO_AGENT},
	{"git_commit", SP_KEY_HEX, SP_OPTIONAL, "the working directory is in no git repository" OR_MERGED},
	{"git_branch", SP_KEY_TEXT, SP_OPTIONAL, "the working directory is on no branch of a git repository" OR_MERGED},
	{"build_id", SP_KEY_HEX, SP_OPTIONAL, "the executable has none" OR_MERGED},
	{"cpu_user_seconds", SP_KEY_DECIMAL, SP_ALWAYS, NULL},
	{"cpu_system_seconds", SP_KEY_DECIMAL, SP_ALWAYS, NULL},
	{"max_rss_bytes", SP_KEY_COUNT, SP_OPTIONAL, UNKNOWN_TO_AGENT},
	{"threads", SP_KEY_COUNT, SP_OPTIONAL, UNKNOWN_TO_AGENT},
	{"thread_seconds", SP_KEY_DECIMAL, SP_OPTIONAL, NO_WAITING},
	{"run_queue_seconds", SP_KEY_DECIMAL, SP_OPTIONAL, NO_WAITING ", or the kernel does not tell"},
	{"throttled_seconds", SP_KEY_DECIMAL, SP_OPTIONAL,
		"no control group with a quota of CPU time binds the process"},
	{"throttled_periods", SP_KEY_COUNT, SP_OPTIONAL, "no control group with a quota of CPU time binds the process"},
	{"blocked_seconds", SP_KEY_DECIMAL, SP_OPTIONAL, NO_WAITING},
#define X(kind, name) {"blocked_" name "_seconds", SP_KEY_DECIMAL, SP_OPTIONAL, NO_WAITING ", or calls were not timed"},
	SP_WAIT_KINDS_LIST(X)
#undef X
		{"cpu_clock", SP_KEY_CLOCK, SP_ALWAYS, NULL},
	{"cpu_interval_requested_us", SP_KEY_DECIMAL, SP_WITH_CPU, NULL},
	{"cpu_interval_achieved_us", SP_KEY_DECIMAL, SP_OPTIONAL, "there is no CPU sample"},
	{"cpu_samples", SP_KEY_COUNT, SP_WITH_CPU, NULL},
	{"cpu_sampled_seconds", SP_KEY_DECIMAL, SP_WITH_CPU, NULL},
	{"cpu_unsampled_seconds", SP_KEY_DECIMAL, SP_WITH_CPU, NULL},
	{"cpu_samples_dropped", SP_KEY_COUNT, SP_WITH_CPU, NULL},
	{"stacks_truncated", SP_KEY_COUNT, SP_WITH_CPU, NULL},
	{"frames_unsymbolized_percent", SP_KEY_DECIMAL, SP_OPTIONAL, "there is no CPU sample"},
	{"heap_interval_bytes", SP_KEY_COUNT, SP_WITH_HEAP, NULL},
	{"heap_interval_max_bytes", SP_KEY_COUNT, SP_WITH_HEAP, NULL},
	{"heap_samples", SP_KEY_COUNT, SP_WITH_HEAP, NULL},
	{"heap_allocated_bytes", SP_KEY_COUNT, SP_WITH_HEAP, NULL},
	{"heap_allocations", SP_KEY_COUNT, SP_WITH_HEAP, NULL},
	{"heap_frees", SP_KEY_COUNT, SP_WITH_HEAP, NULL},
	{"heap_inuse_bytes", SP_KEY_COUNT, SP_WITH_HEAP, NULL},
	{"heap_inuse_error_bytes", SP_KEY_COUNT, SP_OPTIONAL, NO_ERRORS},
	{"heap_growth_bytes", SP_KEY_SIGNED, SP_OPTIONAL, NO_WINDOW},
	{"heap_growth_error_bytes", SP_KEY_COUNT, SP_OPTIONAL, NO_WINDOW},
	{"heap_peak_bytes", SP_KEY_COUNT, SP_WITH_HEAP, NULL},
	{"heap_peak_error_bytes", SP_KEY_COUNT, SP_OPTIONAL, NO_ERRORS},
	{"heap_before_sampling_bytes", SP_KEY_COUNT, SP_OPTIONAL, "nothing was allocated before sampling began"},
	{"heap_before_sampling_allocations", SP_KEY_COUNT, SP_OPTIONAL, "nothing was allocated before sampling began"},
	{"allocator", SP_KEY_TEXT, SP_OPTIONAL, UNKNOWN_TO_AGENT},
	{"allocator_allocated_bytes", SP_KEY_COUNT, SP_OPTIONAL, ALLOCATOR_SILENT},
	{"allocator_active_bytes", SP_KEY_COUNT, SP_OPTIONAL, ALLOCATOR_SILENT},
	{"allocator_resident_bytes", SP_KEY_COUNT, SP_OPTIONAL, ALLOCATOR_SILENT},
	{"allocator_retained_bytes", SP_KEY_COUNT, SP_OPTIONAL, ALLOCATOR_SILENT},
	{"overhead_budget_percent", SP_KEY_DECIMAL, SP_OPTIONAL, "no budget was set"},
	{"overhead_measured_percent", SP_KEY_DECIMAL, SP_OPTIONAL, NO_CPU_USED},
	{"overhead_cpu_percent", SP_KEY_DECIMAL, SP_OPTIONAL, NO_CPU_USED},
	{"overhead_heap_percent", SP_KEY_DECIMAL, SP_OPTIONAL, NO_CPU_USED},
	{"overhead_hooks_percent", SP_KEY_DECIMAL, SP_OPTIONAL, NO_CPU_USED},
	{"frame_addresses", SP_KEY_TEXT, SP_OPTIONAL, "the profile was written before addresses were exact" OR_MERGED},
};

#define SITE_COLUMNS "| % | Bytes | Count | Function | Location | ± | Module |"
#define NO_SITE "no site has any such bytes"

const struct sp_schema_section sp_schema_sections[] = {
	{"## Find things", SP_ALWAYS, NULL, NULL},
	{"# Processes", SP_OPTIONAL, "| CPU% | CPU | Wall | Peak heap", ONE_PROCESS},
	{"## Programs", SP_OPTIONAL, "| CPU% | CPU | Processes | Program |", ONE_PROCESS},
	{"## Critical Path", SP_OPTIONAL, "| At | Took | % | Program | What |", NOT_ONE_RUN},
	{"# Spans", SP_OPTIONAL, "| Span | Count | Total | Self | p50 | p99 | Max | CPU | ± | Allocated | Hottest |",
		NO_SPANS},
	{"## Timing Log", SP_OPTIONAL, NULL, "no timing log was asked for"},
	{"## Parts of Spans", SP_OPTIONAL, "| Span | Of | % | Amount | ± | Function | Location | Module |",
		NO_SPANS ", or nothing was sampled in one"},
	{"## Slow Spans", SP_OPTIONAL, NULL, NO_SPANS ", or none of them was slow"},
	{"# Waiting", SP_OPTIONAL, "| Where the time went | Time | % |",
		"the threads were on a CPU for 90 % of their time, or " NO_WAITING},
	{"## Waits", SP_OPTIONAL, "| % | ± | Waited | Waits | Longest | Kind | Call | Where | Location | For |",
		"no wait was sampled, or " NO_WAITING},
	{"## Locks", SP_OPTIONAL, "| Waited | Contentions | Longest | Lock | Mostly by | Held |",
		"no thread waited for another, or " NO_WAITING},
	{"# Traces", SP_OPTIONAL, "| Trace | Span | CPU | Samples | Hottest |", "no library told of a trace" OR_MERGED},
	{"# CPU Profile", SP_WITH_CPU, "| Duration | Samples | Interval | Functions |", NULL},
	{"## Hot Functions (Self Time)", SP_WITH_CPU,
		"| Self% | Self | Total% | Total | Function | Location | ± | Module |", NULL},
	{"## Call Tree (Total Time)", SP_WITH_CPU, NULL, NULL},
	{"## Hot Paths", SP_WITH_CPU, NULL, NULL},
	{"## Function Details", SP_WITH_CPU, NULL, NULL},
	{"## Threads", SP_ALWAYS, "| CPU% | User | System | Samples | Thread | TID | Start |", NULL},
	{"## Modules", SP_WITH_CPU, "| Self% | Self | Samples | Module | ± |", NULL},
	{"## Files", SP_OPTIONAL, "| Self% | Self | ± | File |", NO_LINES},
	{"# Heap Profile", SP_WITH_HEAP, "| | Bytes | Count |", NULL},
	{"## Heap Growth", SP_OPTIONAL, "| Growth | ± | a minute | Count | Function | Location | Module |", NO_WINDOW},
	{"## Heap Sites (In Use)", SP_OPTIONAL, SITE_COLUMNS, NO_SITE},
	{"## Heap Sites (At Peak)", SP_OPTIONAL, SITE_COLUMNS, NO_SITE},
	{"## Heap Sites (Allocated)", SP_OPTIONAL, SITE_COLUMNS, NO_SITE},
	{"## Leak Suspects", SP_OPTIONAL, NULL, "no site is suspect"},
	{"## Short-Lived Allocations", SP_OPTIONAL, SITE_COLUMNS, NO_SITE},
	{"## Size Classes", SP_OPTIONAL, "| Up to | % | Bytes | Count |", "there is no heap sample"},
	{"## Heap Call Tree (", SP_OPTIONAL, NULL, "there is no heap sample"},
	{"# Marks", SP_OPTIONAL, "| Mark | At | Memory | Heap | ± | Growth | ± | Mostly from |",
		"no moment was marked, or it is a window"},
	{"# Timeline", SP_OPTIONAL, "| Until | CPU cores | CPU | RSS |", "the run was too short for two points"},
	{"# Data Quality", SP_ALWAYS, NULL, NULL},
	{"# Settings", SP_OPTIONAL, "| Setting | Value | Source |", "the spool held none" OR_MERGED},
	{"## All functions (", SP_WITH_CPU, NULL, NULL},
	{"## All code (", SP_OPTIONAL, NULL, "only installed files were met, or none could be read"},
	{"## All lines (", SP_OPTIONAL, NULL, "CPU time was not sampled"},
	{"## All files (", SP_OPTIONAL, NULL, "CPU time was not sampled"},
	{"## All modules (", SP_OPTIONAL, NULL, "CPU time was not sampled"},
	{"## All threads (", SP_OPTIONAL, NULL, "the profile was written before there was this table"},
	{"## All waits (", SP_OPTIONAL, NULL, "no wait was sampled"},
	{"## All spans (", SP_OPTIONAL, NULL, NO_SPANS ", or none has ended"},
	{"## All processes (", SP_OPTIONAL, NULL, ONE_PROCESS},
	{"## All heap sites (", SP_WITH_HEAP, NULL, NULL},
	{"## All mappings (", SP_OPTIONAL, NULL, NO_STACKS},
	{"## All frames (", SP_OPTIONAL, NULL, NO_STACKS},
	{"## All CPU stacks (", SP_OPTIONAL, NULL, NO_STACKS ", or CPU time was not sampled"},
	{"## All slices (", SP_OPTIONAL, NULL, NO_SLICES},
	{"## All CPU samples (", SP_OPTIONAL, NULL, NO_SLICES ", or CPU time was not sampled"},
	{"## All traces (", SP_OPTIONAL, NULL, "no library told of a trace" OR_MERGED},
	{"## All heap stacks (", SP_OPTIONAL, NULL, NO_STACKS ", or the heap was not sampled"},
	{"## All heap details (", SP_OPTIONAL, NULL, NO_STACKS ", or the heap was not sampled"},
	{"## All wait stacks (", SP_OPTIONAL, NULL, NO_STACKS ", or no wait was sampled"},
};

const struct sp_schema_table sp_schema_tables[] = {
	{"## All functions (",
		"self_user_ns self_sys_ns total_user_ns total_sys_ns self_samples total_samples "
		"self_error_ns total_error_ns function module file line ",
		SP_TABLE_FUNCTIONS, NULL},
	{"## All code (", "row code ", SP_TABLE_CODE, NULL},
	{"## All lines (", "self_user_ns self_sys_ns self_samples self_error_ns function module file line ",
		SP_TABLE_OTHER, NULL},
	{"## All files (", "self_ns self_samples self_error_ns file ", SP_TABLE_OTHER, NULL},
	{"## All modules (", "self_ns self_samples self_error_ns module ", SP_TABLE_OTHER, NULL},
	{"## All threads (", "cpu_user_ns cpu_sys_ns sampled_user_ns sampled_sys_ns samples tid merged name start ",
		SP_TABLE_OTHER,
		"alloc_bytes wall_ns queue_ns lock_ns condition_ns read_ns write_ns sync_ns poll_ns sleep_ns child_ns "
		"other_ns "},
	{"## All waits (",
		"wait_ns error_ns wait_count samples longest_ns idle kind call function lock holder holder_call ",
		SP_TABLE_OTHER, NULL},
	{"## All spans (", "count sum_ns self_ns cpu_ns cpu_error_ns bytes median_ns p99_ns max_ns sq_us2 span ",
		SP_TABLE_OTHER, NULL},
	{"## All processes (",
		"started_ns wall_ns cpu_user_ns cpu_sys_ns samples max_rss_bytes peak_bytes alloc_bytes pid ppid root "
		"program "
		"exit tree profile command ",
		SP_TABLE_OTHER, NULL},
	{"## All heap sites (",
		"alloc_bytes alloc_count inuse_bytes inuse_count peak_bytes peak_count short_bytes short_count "
		"samples inuse_samples alloc_variance inuse_variance temp_bytes temp_count leaked_bytes function "
		"module file line ",
		SP_TABLE_OTHER, NULL},
	{"## All mappings (", "start end bias build_id module ", SP_TABLE_MAPPINGS, NULL},
	{"## All frames (", "address line inlined function module file ", SP_TABLE_FRAMES, "row "},
	{"## All CPU stacks (", "user_ns sys_ns samples shared frames ", SP_TABLE_STACKS, NULL},
	{"## All slices (", "end_ns cpu_ns rss_bytes heap_bytes ", SP_TABLE_SLICES, NULL},
	{"## All CPU samples (", "slice tid stacks ", SP_TABLE_SAMPLES, NULL},
	{"## All traces (", "trace_id span_id cpu_ns samples stacks ", SP_TABLE_TRACES, NULL},
	{"## All heap stacks (",
		"alloc_bytes alloc_count inuse_bytes inuse_count peak_bytes peak_count samples shared frames ",
		SP_TABLE_STACKS, NULL},
	{"## All heap details (",
		"short_bytes short_count temp_bytes temp_count inuse_samples alloc_variance inuse_variance first_ns "
		"births ",
		SP_TABLE_OTHER, NULL},
	{"## All wait stacks (", "wait_ns wait_count samples shared frames ", SP_TABLE_STACKS, NULL},
};

_Static_assert(sizeof(sp_schema_keys) / sizeof(sp_schema_keys[0]) == SP_SCHEMA_KEYS, "count in schema.h");
_Static_assert(sizeof(sp_schema_sections) / sizeof(sp_schema_sections[0]) == SP_SCHEMA_SECTIONS, "count in schema.h");
_Static_assert(sizeof(sp_schema_tables) / sizeof(sp_schema_tables[0]) == SP_SCHEMA_TABLES, "count in schema.h");

size_t sp_schema_key(const char *name)
{
	size_t key = 0;

	while (key < SP_SCHEMA_KEYS && strcmp(sp_schema_keys[key].name, name) != 0)
		key++;
	return key;
}

const struct sp_schema_table *sp_schema_table_at(const char *line, size_t length)
{
	for (size_t i = 0; i < SP_SCHEMA_TABLES; i++) {
		const char *heading = sp_schema_tables[i].heading;
		size_t n = strlen(heading);

		if (length >= n && memcmp(line, heading, n) == 0)
			return &sp_schema_tables[i];
	}
	return NULL;
}

static bool is_among(const char *names, const char *name, size_t length)
{
	for (size_t n; names && *names; names += n + 1) {
		n = strcspn(names, " ");
		if (n == length && memcmp(names, name, n) == 0)
			return true;
	}
	return false;
}

bool sp_schema_has_column(const struct sp_schema_table *table, const char *name, size_t length)
{
	return is_among(table->columns, name, length) || is_among(table->optional, name, length);
}
