/* The Markdown profile: writing it (markdown_*.c) and reading it back (markdown_read.c).
 * docs/PROFILE.md describes the format. */
#ifndef SP_PROFILES_MARKDOWN_H
#define SP_PROFILES_MARKDOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"
#include "profiles/base/escape.h"
#include "profiles/model/model.h"
#include "profiles/model/tree.h"

#define SP_TOP_BUDGET_BYTES 40000u /* everything above the complete part */

/* Writes the whole profile. file_name is the name it will have, for the grep lines; full lifts the
 * budget. */
void sp_markdown_write(struct sp_buffer *out, const struct sp_profile *profile, const char *file_name, bool full);

/* The same with up to `top` rows in every table, and without a budget. */
void sp_markdown_write_top(struct sp_buffer *out, const struct sp_profile *profile, const char *file_name, size_t top);

enum sp_by { SP_BY_NOTHING, SP_BY_FUNCTION, SP_BY_LINE, SP_BY_FILE, SP_BY_MODULE, SP_BY_THREAD };

/* Appends one table of CPU time with up to `top` rows. Of a profile read from Markdown
 * the filter (NULL: none) chooses rows, not stacks. Returns NULL, or a phrase when the profile cannot answer. */
const char *sp_markdown_by(struct sp_buffer *out, const struct sp_profile *profile, enum sp_by by, size_t top,
	const struct sp_filter *filter);

/* Reads a written profile: facts, functions, lines, threads, sites. The text is untrusted. Returns NULL, and a
 * phrase in *why, when it is no profile of a version known here. `text` is NUL-terminated. */
struct sp_profile *sp_markdown_read(const char *text, size_t length, const char **why);

/* The same, and the number of the line in which reading ended, counted from 1, when it is no profile. */
struct sp_profile *sp_markdown_read_at(const char *text, size_t length, const char **why, size_t *line);

/* Length of the part above the complete one. */
size_t sp_markdown_top(const char *text, size_t length);

/* --- shared by markdown_*.c --- */

/* How much of each table is shown. */
struct sp_limits {
	size_t functions, tree_lines, paths, details, detail_rows, threads, modules, files, sites, heap_tree_lines,
		notes;
};

/* What sections show parts of: added up once, however often they are written until they fit. */
struct sp_sums {
	struct sp_sequences calls, allocations;
	enum sp_tree_weight allocations_by;
	struct sp_details *details;
	struct sp_file_sum *files;
	size_t file_count;
	uint64_t allocator_ns; /* in functions that allocate and free, and what they call */
};

struct sp_writer {
	const struct sp_profile *profile;
	const char *file_name;
	struct sp_limits limits;
	struct sp_sums sums;
	struct sp_buffer out;
};

/* markdown_details.c: what is related to the `hot` hottest functions. */
struct sp_details *sp_details_add_up(const struct sp_profile *profile, size_t hot);
void sp_details_free(struct sp_details *details);

uint64_t sp_allocator_ns(const struct sp_profile *profile); /* markdown_next.c */

/* Sections, in the order they stand. */
void sp_write_front_matter(struct sp_writer *w);
void sp_write_verdict(struct sp_writer *w);
void sp_write_next(struct sp_writer *w, const struct sp_function *hottest); /* the verdict's last sentence */
void sp_write_cpu(struct sp_writer *w);
void sp_write_call_tree(struct sp_writer *w);
void sp_write_hot_paths(struct sp_writer *w);
void sp_write_function_details(struct sp_writer *w);
void sp_write_threads(struct sp_writer *w);
void sp_write_modules(struct sp_writer *w);
void sp_write_files(struct sp_writer *w);
void sp_write_heap(struct sp_writer *w);
void sp_write_heap_tree(struct sp_writer *w);
void sp_write_timeline(struct sp_writer *w);
void sp_write_quality(struct sp_writer *w);
void sp_write_cost(struct sp_writer *w);              /* lines of Data Quality: clocks, intervals, own cost */
void sp_write_unsampled_threads(struct sp_writer *w); /* lines of Data Quality */
void sp_write_settings(struct sp_writer *w);
void sp_write_complete(const struct sp_writer *w, struct sp_buffer *out);

/* markdown_format.c: pieces of a line. */
void sp_put_name(struct sp_buffer *out, enum sp_escape how, const char *name);
void sp_put_duration(struct sp_buffer *out, uint64_t ns); /* "1.23 s", "45.6 ms" */
void sp_put_size(struct sp_buffer *out, uint64_t bytes);  /* "1.5 MiB" */

/* A source file: relative to the profiled program's working directory where it is below that, else as
 * the compiler wrote it, without "./" and "a/..". A function whose file is not known is placed by
 * its module: a path below the working directory, or "libfoo.so.1". */
void sp_put_location(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p, const char *file,
	unsigned line);
/* Without a place, the module; `[gone]` marks what has no name because that one's file is not to be had any more. */
void sp_put_function_location(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p,
	const struct sp_function *f);
void sp_put_module(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p, uint32_t module);
uint64_t sp_whole(double value); /* rounded, and kept inside the type: a damaged spool may hold any number */
double sp_percent(uint64_t part, uint64_t whole);

/* The interval at which samples can come when the governor has set this one: clocks other than
 * events fire at the kernel tick at most. */
uint64_t sp_clock_interval_ns(const struct sp_profile *p, uint64_t set_ns);

/* A drawing one character high: values of 0 to `most`. */
void sp_put_bars(struct sp_buffer *out, const double *values, size_t n, double most);

/* Whether an error bar would say more than is known: as large as the value itself, or from a handful
 * of samples; a block far larger than the interval is known well from a single one, though. */
bool sp_heap_is_rough(uint64_t bytes, double error_bytes, uint64_t samples);
void sp_put_rough(struct sp_buffer *out, uint64_t samples); /* "rough: 3 samples", in place of the bar */

/* A total of the heap with its error, "4.0 MiB ± 31.2 KiB" or "15.8 KiB (rough: at most 47 KiB)", left out below a hundredth
 * of it. */
void sp_put_heap_total(struct sp_buffer *out, const struct sp_profile *p, uint64_t bytes, double error);

/* "… 212 more rows, see All functions", when anything was cut. */
void sp_put_cut(struct sp_buffer *out, size_t shown, size_t all, const char *what, const char *where);

uint64_t sp_function_self(const struct sp_function *f);
uint64_t sp_function_total(const struct sp_function *f);

/* Indices of the functions (or sites) for which key() is not 0, largest first; *count of them.
 * free() the result. */
uint32_t *sp_rank(size_t all, size_t *count, uint64_t (*key)(const struct sp_profile *, size_t),
	const struct sp_profile *profile);
uint64_t sp_rank_self(const struct sp_profile *profile, size_t function);
uint64_t sp_rank_module(const struct sp_profile *profile, size_t module);

#endif
