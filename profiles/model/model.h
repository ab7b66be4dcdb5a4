/* The profile: everything a report or a comparison needs, whether it came out of a spool
 * (sp_profile_from_snapshot) or out of a written Markdown profile (sp_profile_read_markdown).
 *
 * Weights are nanoseconds of CPU time; an `error` is half the width of a share's 95 % interval, as
 * a fraction of total_ns, 0 where no sample is (sp_share_errors). Strings belong to the profile. */
#ifndef SP_PROFILES_MODEL_H
#define SP_PROFILES_MODEL_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/base/memory.h"
#include "profiles/base/runs.h"
#include "profiles/model/waiting.h"
#include "profiles/spool/read.h"
#include "symbolize/symbolize.h"

/* One `key: value` of the front matter; value is the text as it was before YAML quoting. */
struct sp_fact {
	const char *key, *value;
};

struct sp_module_info {
	const char *path;
	const char *name;        /* base name; "" for module 0, which holds the pseudo functions */
	const char *build_id;    /* hexadecimal, "" when it has none */
	const char *source_root; /* what the paths of its sources have in common; NULL: nothing */
	uint64_t start, end, bias, epoch_from, epoch_to;
	uint64_t
		reach; /* largest end among the snapshot's modules up to this one, which are in the order of their starts */
	int handle;         /* of the symbolizer; -1 none */
	uint32_t canonical; /* first module with the same path and build-id: its functions are the same rows */
	bool system;        /* a library of the distribution: /lib, /usr/lib, but never the executable */
	bool agent;         /* libsmartprof itself: its frames are not shown */
	bool allocator;     /* defines the malloc in use */
	bool asked;         /* for the names of some of its addresses */
	enum sp_symbol_source source;
	int read_error;            /* errno: a file of its could not be read; 0: none */
	const char *debug_missing; /* a file with its debug information that is not there; NULL: none */
	size_t debug_missing_count;
	uint64_t self_ns, samples;
	double self_error;
	uint64_t unnamed_ns; /* of self_ns, in addresses without a name */
};

enum sp_function_flags {
	SP_FUNCTION_PSEUDO = 1,  /* [unsampled] and its like: a row that accounts for time, no code */
	SP_FUNCTION_UNNAMED = 2, /* module+0xoffset */
	SP_FUNCTION_FOLDED = 4,  /* stands for a whole system library */
};

struct sp_function {
	const char *name;
	uint32_t module;
	uint32_t flags;
	bool allocator;   /* or a wrapper of one, by its name */
	bool layer;       /* of a language's own library (sp_is_layer) */
	const char *file; /* declaration; NULL unknown */
	unsigned line;
	uint64_t self_user_ns, self_sys_ns, self_samples;
	uint64_t total_user_ns, total_sys_ns, total_samples; /* a function counts once a stack */
	double self_error, total_error;
	uint64_t code; /* hash of its machine code (sp_symbolize_code); 0: unknown, or not the same in all of a merge */
};

/* Pseudo functions: fixed indices at the start of functions[]. */
#define SP_OWN "[smartprof]" /* the name of SP_PSEUDO_AGENT: what profiling itself took */
enum sp_pseudo {
	SP_PSEUDO_UNSAMPLED,
	SP_PSEUDO_OVERFLOW,
	SP_PSEUDO_TRUNCATED,
	SP_PSEUDO_BEFORE,
	SP_PSEUDO_AGENT,
	SP_PSEUDO_FILTERED,
	SP_PSEUDO_REST, /* of what a written profile leaves out (profiles/model/cut.h) */
	SP_PSEUDOS
};

struct sp_profile_frame {
	uint32_t function;
	const char *file; /* of the instruction; NULL unknown */
	unsigned line;
	uint64_t address; /* in the module's file, of the first of its instructions that was met; 0 none */
	bool inlined;     /* into the next frame */
	bool allocator;   /* allocation function or wrapper of one: never a heap site */
	bool layer;       /* a heap site only where there is no other */
};

/* What a stack was taken for. */
enum sp_stack_kind {
	SP_STACKS_CPU,
	SP_STACKS_HEAP,
	SP_STACKS_WAITS, /* the leaf is a pseudo function: "[lock]" */
	SP_STACK_KINDS,
	SP_STACKS_WALL = SP_STACK_KINDS /* those of CPU time and of waits */
};

/* A symbolized stack, of which one read from Markdown has what is said there: frame_ids[first .. first+depth) index frames[], leaf first. */
struct sp_path {
	size_t first;
	uint32_t depth;
	enum sp_stack_kind kind; /* SP_STACKS_CPU .. SP_STACKS_WAITS */
	uint64_t user_ns, sys_ns, samples;
	double sq; /* sum of squared weights, in square microseconds */
	uint64_t alloc_bytes, alloc_count, inuse_bytes, inuse_count, peak_bytes, peak_count,
		heap_samples;                       /* heap paths */
	uint64_t wait_ns, wait_count, wait_samples; /* paths of waits */
};

#define SP_RUN_PARTS 10u

/* What a site holds in use, by when in the run it was allocated: its tenths, first to last. */
struct sp_births {
	uint64_t bytes[SP_RUN_PARTS], counts[SP_RUN_PARTS];
	uint32_t samples[SP_RUN_PARTS];
	uint64_t first_ns; /* since start: birth of the oldest; UINT64_MAX none */
};

struct sp_heap_site {
	uint32_t function;
	const char *file; /* where in the function; NULL unknown */
	unsigned line;
	uint64_t alloc_bytes, alloc_count, inuse_bytes, inuse_count, peak_bytes, peak_count, short_bytes, short_count;
	uint64_t temp_bytes, temp_count; /* freed by the thread's next call */
	uint64_t leaked_bytes;           /* read from Markdown, which has no births; sp_heap_leaked */
	uint64_t samples, inuse_samples;
	double alloc_variance, inuse_variance; /* square bytes */
	int64_t growth_bytes, growth_count;    /* of a window: what is in use more at its end than at its beginning */
	double growth_variance;                /* square bytes */
	uint64_t growth_samples;
	struct sp_births births;
};

/* A source line and the time spent in it, without what it calls. */
struct sp_line_info {
	uint32_t function; /* the innermost one, inlined or not */
	const char *file;
	unsigned line;
	uint64_t self_user_ns, self_sys_ns, self_samples;
	double self_error;
};

/* What a source file's lines add up to. */
struct sp_file_sum {
	const char *file;
	uint64_t self_ns, samples;
	double error;
};

struct sp_thread_info {
	const char *name;
	const char *start; /* start routine, NULL for the main thread */
	int tid;           /* 0: the sum of threads that gave their record back */
	uint64_t merged;   /* then: how many */
	bool ended;
	uint64_t user_ns, sys_ns, samples; /* sampled */
	uint64_t cpu_user_ns, cpu_sys_ns;  /* measured */
	struct sp_waiting waiting;
	uint32_t clocks, flags; /* SP_THREAD_EVENT | …, SP_THREAD_FOUND | … */
	uint64_t alloc_bytes, allocs, frees;
};

/* One of the processes that a merged profile is the sum of. Sizes and times are 0 where they are not known. */
struct sp_member {
	const char *program, *command, *tree, *exit;
	const char *profile; /* base name of the file it was read from */
	int pid, ppid;
	bool root;
	uint64_t start_ns; /* since 1970 */
	uint64_t wall_ns, cpu_user_ns, cpu_sys_ns, samples;
	uint64_t max_rss_bytes, peak_bytes, alloc_bytes;
};

struct sp_profile {
	struct sp_pool pool;
	struct sp_names names;        /* interned function names and files */
	struct sp_snapshot *snapshot; /* not owned; NULL when read from Markdown */
	struct sp_written *written;   /* not owned: what was read, of a profile that is built anew from it; else NULL */
	const char *place_note;       /* not owned: lines about where it is; NULL: none */
	struct sp_fact *facts;
	size_t fact_count, fact_capacity;

	struct sp_module_info *modules;
	size_t module_count;
	uint32_t unknown_module; /* of code in no file; the next one is of what a perf map names of that */
	struct sp_function *functions;
	size_t function_count, function_capacity;
	struct sp_profile_frame *frames;
	size_t frame_count, frame_capacity;
	uint32_t *frame_ids;
	size_t frame_id_count, frame_id_capacity;
	struct sp_path *paths;
	size_t path_count;
	struct sp_ordered *order; /* all paths; NULL: read from Markdown */
	uint32_t *tree;           /* frame_ids of the nodes of the call tree, as order[] meets them */
	uint32_t *by_place;       /* frames in that order */
	bool filtered;            /* stacks that were not asked for are one */
	bool has_stacks;          /* false: read from Markdown that holds none */
	struct sp_heap_site *sites;
	size_t site_count, site_capacity;
	struct sp_heap_site
		*stack_details; /* of heap paths, as they come: what a site of each alone would have; only read */
	size_t stack_detail_count, stack_detail_capacity;
	struct sp_samples *in_time;      /* in the order of time; NULL: not read from Markdown, or it holds none */
	struct sp_log_sums *log;         /* the snapshot's log by path and block, NULL: too short to tell anything */
	struct sp_file_sum *file_errors; /* as a written profile has them */
	size_t file_error_count, file_error_capacity;
	struct sp_line_info *lines; /* those with self time */
	size_t line_count, line_capacity;
	struct sp_thread_info *threads;
	size_t thread_count;
	uint64_t threads_seen;
	struct sp_mark_info *marks; /* model/marks.h; none in a window */
	size_t mark_count;
	struct sp_waits_info *waits;   /* model/waits.h; NULL: none was sampled */
	struct sp_wait_row *wait_rows; /* model/wait_rows.h */
	size_t wait_row_count, wait_row_capacity;
	struct sp_span_info *spans; /* model/spans.h */
	size_t span_count;
	struct sp_traces *traces;    /* model/traces.h; NULL: none */
	struct sp_member *processes; /* of a merged profile; else there are none */
	size_t process_count, process_capacity;
	size_t inputs_left_out;  /* of a merge: files that could not be read */
	size_t stacks_shortened; /* of a merge: for want of room */

	bool stack_copies;                                  /* those that break off were copied */
	bool source_lines, inlines, system_libraries, full; /* settings that shape the profile */
	const char *heap_wrappers;                          /* to a tab; in the snapshot's text */
	bool running;     /* when the spool was read: wall_ns reaches to that moment */
	bool end_unknown; /* it died without recording its end: wall_ns reaches to its last sample */

	uint64_t wall_ns, cpu_user_ns, cpu_sys_ns, max_rss_bytes; /* of the process */
	struct sp_waiting waiting;                                /* of all threads; facts of a written profile */
	uint64_t total_ns;                                        /* sum of self over functions[]: what 100 % means */
	uint64_t sampled_user_ns, sampled_sys_ns, samples;
	uint64_t unsampled_ns, truncated_ns;
	uint64_t finished_ns, finished_samples, copies_walked; /* by sp_stacks_finish */
	uint64_t broken_generated_ns;                          /* of truncated_ns: the walk ended in no file's code */
	double unnamed_frames, all_frames;                     /* weighted by time */
	bool cpu_on, heap_on;
	bool waits_on;                                                              /* some stack has waited */
	uint64_t heap_allocated_bytes, heap_allocations, heap_frees, heap_reallocs; /* exact */
	bool is_window;         /* what was between two snapshots (profiles/spool/window.h); then: */
	double growth_variance; /* of what all sites grew by, square bytes */
	int64_t growth_bytes, growth_count;
	double heap_inuse_error, heap_peak_error; /* 95 % half-widths of the totals, bytes; 0 none or unknown */
};

/* Called now and then while rendering; done of total addresses. */
typedef void sp_progress_fn(void *context, size_t done, size_t total);

/* Builds the profile: symbolizes and adds up. The snapshot must outlive the profile. symbols: how to
 * symbolize, NULL for the defaults; the process, where it lives, and the settings of its spool are
 * filled in. */
struct sp_profile *sp_profile_from_snapshot(struct sp_snapshot *snapshot, const struct sp_symbolizer_options *symbols,
	sp_progress_fn *progress, void *context);
void sp_profile_free(struct sp_profile *profile);

/* Which stacks are wanted: those with a function, file or module that matches `focus`, and none that matches
 * `ignore`, taken in a span whose name matches the glob `span`; NULL: any. */
struct sp_filter {
	const regex_t *focus, *ignore;
	const char *span;
};

static inline bool sp_filter_is_on(const struct sp_filter *filter)
{
	return filter && (filter->focus || filter->ignore || filter->span);
}

#define SP_NO_SUCH_SPAN "no span in it has a name that --span matches; # Spans lists them"

/* Whether the profile knows such a span. */
bool sp_span_is_known(const struct sp_profile *profile, const char *glob);

/* Leaves out of the tables what is neither such a span nor in one. */
void sp_spans_choose(struct sp_profile *profile, const char *glob);

/* The same of these stacks only: all others are one row, [filtered], so that shares are of the whole. */
struct sp_profile *sp_profile_filtered(struct sp_snapshot *snapshot, const struct sp_symbolizer_options *symbols,
	const struct sp_filter *filter, sp_progress_fn *progress, void *context);

/* file and module may be NULL. */
bool sp_filter_matches(const regex_t *regex, const char *function, const char *file, const char *module);

/* Makes the stacks that the filter does not want one row, [filtered]. site_frame: of each stack, as the stages that build
 * a profile have it; NULL when only stacks matter. */
void sp_frames_filter(struct sp_profile *profile, const struct sp_filter *filter, uint32_t *site_frame);

/* The files of the lines with self time, most time first; the caller's to free, NULL for none. Without the
 * snapshot a profile came from, their errors are those that were written, or unknown: 0. */
struct sp_file_sum *sp_files_add_up(const struct sp_profile *profile, size_t *count);

uint64_t sp_function_self(const struct sp_function *f);
bool sp_function_is_span(const struct sp_function *f); /* or a label of one: its name stands in braces */
uint64_t sp_function_total(const struct sp_function *f);

/* The front matter's value, or NULL. */
const char *sp_profile_fact(const struct sp_profile *profile, const char *key);
uint64_t sp_profile_fact_number(const struct sp_profile *profile, const char *key); /* 0 without a value */
void sp_profile_add_fact(struct sp_profile *profile, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Was the code that ran not to be had when names were asked for? Its file is not there, or is another build. */
bool sp_module_is_gone(const struct sp_module_info *module);

#endif
