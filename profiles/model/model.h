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

#include "profiles/base/memory.h"
#include "profiles/base/runs.h"
#include "profiles/spool/read.h"
#include "symbolize/symbolize.h"

/* One `key: value` of the front matter; value is the text as it was before YAML quoting. */
struct sp_fact {
	const char *key, *value;
};

struct sp_module_info {
	const char *path;
	const char *name;     /* base name; "" for module 0, which holds the pseudo functions */
	const char *build_id; /* hexadecimal, "" when it has none */
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
	const char *file; /* declaration; NULL unknown */
	unsigned line;
	uint64_t self_user_ns, self_sys_ns, self_samples;
	uint64_t total_user_ns, total_sys_ns, total_samples; /* a function counts once a stack */
	double self_error, total_error;
};

/* Pseudo functions: fixed indices at the start of functions[]. */
enum sp_pseudo {
	SP_PSEUDO_UNSAMPLED,
	SP_PSEUDO_OVERFLOW,
	SP_PSEUDO_TRUNCATED,
	SP_PSEUDO_BEFORE,
	SP_PSEUDO_AGENT,
	SP_PSEUDO_FILTERED,
	SP_PSEUDOS
};

struct sp_frame {
	uint32_t function;
	const char *file; /* of the instruction; NULL unknown */
	unsigned line;
	uint64_t address; /* in the module's file, of the first of its instructions that was met; 0 none */
	bool inlined;     /* into the next frame */
	bool allocator;   /* allocation function or wrapper of one: never a heap site */
};

/* A symbolized stack, of which one read from Markdown has what is said there: frame_ids[first .. first+depth) index frames[], leaf first. */
struct sp_path {
	size_t first;
	uint32_t depth;
	bool heap;
	uint64_t user_ns, sys_ns, samples;
	double sq; /* sum of squared weights, in square microseconds */
	uint64_t alloc_bytes, alloc_count, inuse_bytes, inuse_count, peak_bytes, peak_count,
		heap_samples; /* heap paths */
};

#define SP_RUN_PARTS 10u

/* What a site holds in use, by when in the run it was allocated: its tenths, first to last. */
struct sp_births {
	uint64_t bytes[SP_RUN_PARTS];
	uint32_t samples[SP_RUN_PARTS];
	uint64_t first_ns; /* since start: birth of the oldest; UINT64_MAX none */
};

struct sp_heap_site {
	uint32_t function;
	const char *file; /* where in the function; NULL unknown */
	unsigned line;
	uint64_t alloc_bytes, alloc_count, inuse_bytes, inuse_count, peak_bytes, peak_count, short_bytes, short_count;
	uint64_t temp_bytes, temp_count; /* freed by the thread's next call */
	uint64_t samples, inuse_samples;
	double alloc_variance, inuse_variance; /* square bytes */
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
	uint32_t clocks, flags;            /* SP_THREAD_EVENT | …, SP_THREAD_FOUND | … */
	uint64_t alloc_bytes, allocs, frees;
};

struct sp_profile {
	struct sp_pool arena;
	struct sp_names names;        /* interned function names and files */
	struct sp_snapshot *snapshot; /* not owned; NULL when read from Markdown */
	const char *place_note;       /* not owned: lines about where it is; NULL: none */
	struct sp_fact *facts;
	size_t fact_count, fact_capacity;

	struct sp_module_info *modules;
	size_t module_count;
	uint32_t unknown_module; /* of code in no file; the next one is of what a perf map names of that */
	struct sp_function *functions;
	size_t function_count, function_capacity;
	struct sp_frame *frames;
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
	struct sp_log_sums *log;         /* the snapshot's log by path and block, NULL: too short to tell anything */
	struct sp_file_sum *file_errors; /* as a written profile has them */
	size_t file_error_count, file_error_capacity;
	struct sp_line_info *lines; /* those with self time */
	size_t line_count, line_capacity;
	struct sp_thread_info *threads;
	size_t thread_count;
	uint64_t threads_seen;

	bool source_lines, inlines, system_libraries; /* settings that shape the profile */
	const char *heap_wrappers;                    /* to a tab; in the snapshot's text */
	bool running;                                 /* when the spool was read: wall_ns reaches to that moment */
	bool end_unknown;                             /* it died without telling: wall_ns reaches to its last sample */

	uint64_t wall_ns, cpu_user_ns, cpu_sys_ns, max_rss_bytes; /* of the process */
	uint64_t total_ns;                                        /* sum of self over functions[]: what 100 % means */
	uint64_t sampled_user_ns, sampled_sys_ns, samples;
	uint64_t unsampled_ns, truncated_ns;
	double unnamed_frames, all_frames; /* weighted by time */
	bool cpu_on, heap_on;
	uint64_t heap_allocated_bytes, heap_allocations, heap_frees, heap_reallocs; /* exact */
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
 * `ignore`; NULL: any. */
struct sp_filter {
	const regex_t *focus, *ignore;
};

/* The same of these stacks only: all others are one row, [filtered], so that shares are of the whole. */
struct sp_profile *sp_profile_filtered(struct sp_snapshot *snapshot, const struct sp_symbolizer_options *symbols,
	const struct sp_filter *filter, sp_progress_fn *progress, void *context);

/* file and module may be NULL. */
bool sp_filter_matches(const regex_t *regex, const char *function, const char *file, const char *module);

#define SP_NO_PART UINT32_MAX

/* errors[i] is half the width of the 95 % interval of the share that part i is of total_ns, as a
 * fraction; 0 for a part without samples. Frame f belongs to part part_of[f] < count, or to
 * SP_NO_PART; a sample counts for the part of its leaf frame or, with `total`, once for every part in
 * its stack.
 *
 * If samples were independent draws, with weights w, their sum W and p the part's share of it, to
 * first order  Var p = (sum of w² over the part · (1 - 2p) + p² · sum of all w²) / W²; for equal
 * weights that is the binomial p(1-p)/n. One sample's square is added to the part's sum, which is
 * what few samples need.
 *
 * They are not: they come at jittered but regular intervals, so a function that runs for longer
 * than the interval is measured more precisely, and one in step with it less. The log shows which:
 * it is cut in B <= 48 blocks of equal weight, r_b = W(part, b) - p W(b), and the variance is
 * estimated from successive differences, sum (r_b - r_b+1)² / 2 · B/(B-1) (Wolter, Introduction to
 * Variance Estimation, 2nd ed., ch. 8, systematic sampling: differences of neighbours, because
 * the program's own phases would otherwise look like error). The ratio to the variance of independent
 * draws, the design effect, is estimated with 2(B-1)/3 degrees of freedom (von Neumann 1941) and
 * drawn towards 1 with the weight of 6; Student's t for their sum multiplies it. A
 * difference beyond 3 standard deviations is a change of phase and counts as 3; the effect is
 * taken to be at most 1.5: so much denser than the mean can the multiples of the period, spread over
 * [1/2, 3/2] of the interval, lie on multiples of a cycle of the program. The
 * effect of the logged beginning is applied to the whole run. Below 20 samples it is 1. */
void sp_share_errors(const struct sp_profile *profile, const uint32_t *part_of, bool total, double *errors,
	size_t count);

/* The files of the lines with self time, most time first; the caller's to free, NULL for none. Without the
 * snapshot a profile came from, their errors are those that were written, or unknown: 0. */
struct sp_file_sum *sp_files_add_up(const struct sp_profile *profile, size_t *count);

/* 95 % half-width of a heap estimate in bytes, from a variance in square bytes that was itself estimated
 * from so many samples; sampler/estimate.md derives both. */
double sp_heap_error(double variance, uint64_t samples);

/* The variance of a site's bytes at the peak: what is in use now, or was ever allocated, has the
 * same relation of variance to bytes. */
double sp_peak_variance(const struct sp_heap_site *site);
double sp_inuse_variance(const struct sp_heap_site *site);

/* The variance of what all sites add up to, and its 95 % half-width. */
double sp_heap_total_variance(const struct sp_profile *profile, double (*variance)(const struct sp_heap_site *));
double sp_heap_total_error(const struct sp_profile *profile, double (*variance)(const struct sp_heap_site *));

/* Of the totals of what is in use and at the peak. */
double sp_heap_inuse_error(const struct sp_profile *profile);
double sp_heap_peak_error(const struct sp_profile *profile);

/* What a site may have leaked: bytes that are alive and older than the last tenth of the run, where such
 * bytes were left behind in the first half of the older time as in the second, and not only at the
 * start; else 0. A cache that grows to the end looks the same. */
uint64_t sp_heap_leaked(const struct sp_heap_site *site);

/* True when more was allocated before heap sampling began than since: the sites then show the
 * smaller part, from which nothing follows for the whole. */
bool sp_heap_mostly_before(const struct sp_profile *profile);

/* The front matter's value, or NULL. */
const char *sp_profile_fact(const struct sp_profile *profile, const char *key);
void sp_profile_add_fact(struct sp_profile *profile, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Shared by the stages that build a profile (profiles/model*.c, markdown_read.c). */
uint32_t sp_profile_function(struct sp_profile *profile, uint32_t module, const char *name, struct sp_map *index);
uint32_t sp_profile_function_id(struct sp_profile *profile, uint32_t module, uint32_t name_id, struct sp_map *index);
void sp_profile_setup(struct sp_profile *profile);

/* Was the code that ran not to be had when names were asked for? Its file is not there, or is another build. */
bool sp_module_is_gone(const struct sp_module_info *module);

/* Stage 1, model_modules.c: modules[] from the snapshot, and the lookup of an address. */
void sp_modules_load(struct sp_profile *profile, struct sp_symbolizer *symbolizer);

/* At the end: what the module's names rest on, and what they lack. */
void sp_module_take_source(struct sp_profile *profile, struct sp_module_info *module, struct sp_symbolizer *symbolizer);
uint32_t sp_modules_find(const struct sp_profile *profile, uint64_t address, uint64_t epoch);

/* Stage 2, model_frames.c: paths[] and frames[] from stacks[]. */
void sp_frames_load(struct sp_profile *profile, struct sp_symbolizer *symbolizer, uint32_t *site_frame,
	sp_progress_fn *progress, void *context);

/* Stage 2 begins with the addresses, model_addresses.c: those that stacks hold, each once an epoch. The
 * symbolizer (NULL: none) is asked for all of them. */
struct sp_address {
	uint64_t address; /* as it is to be looked up: of a call, not of what it returns to */
	uint32_t module;
	uint32_t first, count; /* for model_frames.c */
};

struct sp_addresses {
	struct sp_address *list;
	size_t count, capacity;
	uint32_t *of_frame; /* of all stacks' frames, one stack after the other: index into the list */
	size_t *first;      /* of a stack's, in of_frame[] */
};

void sp_addresses_load(struct sp_addresses *addresses, struct sp_profile *profile, struct sp_symbolizer *symbolizer);
void sp_addresses_free(struct sp_addresses *addresses);

/* Between them, model_filter.c; and later with no site_frame (NULL), when only stacks matter. */
void sp_frames_filter(struct sp_profile *profile, const struct sp_filter *filter, uint32_t *site_frame);

/* Then order[], model_order.c: paths by their frames from the root, frames by function, file and line. Neighbours so
 * have in common what they can, and what concerns whole stacks looks only at the rest: the nodes of the call tree. */
void sp_paths_sort(struct sp_profile *profile);

struct sp_ordered {
	uint32_t path;
	uint32_t depth;
	uint32_t shared; /* how many of its outer frames it has in common with the one before; 0 the first */
};

/* One path after the other in that order, of those that are wanted. All-zero to begin with. */
struct sp_walk {
	const struct sp_path *path;
	uint32_t index, depth; /* the path's */
	uint32_t shared;       /* as above, with the one that was wanted before */
	uint32_t *frames;      /* the path's frame_ids from the root */
	size_t next, node;     /* in order[], in tree[] */
	size_t capacity;
};

/* False at the end; nothing needs to be freed then. */
bool sp_walk_next(struct sp_walk *walk, const struct sp_profile *profile,
	bool (*wanted)(const struct sp_profile *profile, size_t path));

/* One to want: the stacks with CPU time. */
bool sp_path_has_time(const struct sp_profile *profile, size_t path);

/* Stage 3: sums. site_frame[stack] is the frame that is the allocation site of a heap stack. */
void sp_cpu_add_up(struct sp_profile *profile);
struct sp_log_sums *sp_log_add_up(const struct sp_profile *profile); /* for profile->log; NULL as there */
void sp_log_free(struct sp_log_sums *sums);
void sp_cpu_totals(struct sp_profile *profile); /* of functions, with the errors of functions and modules */
void sp_lines_add_up(struct sp_profile *profile);
struct sp_line_info *sp_profile_line(struct sp_profile *profile); /* a new one, to be filled */
void sp_heap_settle(struct sp_profile *profile); /* the totals, with their errors; sites are made to agree with them */
void sp_heap_add_up(struct sp_profile *profile, const uint32_t *site_frame);
void sp_threads_add_up(struct sp_profile *profile, struct sp_symbolizer *symbolizer);

/* True for a function that allocates on behalf of its caller: malloc, operator new, xmalloc, … */
bool sp_is_allocator_name(const char *function);

/* The same for what the setting heap_wrappers adds: `globs` with commas between, up to a tab or the end. */
bool sp_is_wrapper_name(const char *globs, const char *function);

#endif
