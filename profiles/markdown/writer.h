/* What the sections of the Markdown profile share. Private to profiles/markdown. */
#ifndef SP_PROFILES_MARKDOWN_WRITER_H
#define SP_PROFILES_MARKDOWN_WRITER_H

#include "profiles/base/buffer.h"
#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/markdown/what.h"
#include "profiles/model/critical.h"
#include "profiles/model/model.h"
#include "profiles/model/source.h"
#include "profiles/model/tree.h"

/* How much of each table is shown. */
struct sp_limits {
	size_t functions, tree_lines, paths, details, sources, detail_rows, threads, modules, files, sites,
		heap_tree_lines, notes;
};

/* What sections show parts of: added up once, however often they are written until they fit. */
struct sp_sums {
	struct sp_sequences calls, allocations;
	enum sp_tree_weight allocations_by;
	struct sp_details *details;
	struct sp_sources *source; /* NULL: none is shown */
	struct sp_file_sum *files;
	size_t file_count;
	struct sp_what what; /* of merged profiles */
	struct sp_wait *waits;
	size_t wait_count;
	uint64_t allocator_ns; /* in functions that allocate and free, and what they call */
};

struct sp_writer {
	const struct sp_profile *profile;
	const char *file_name;
	struct sp_limits limits;
	struct sp_sums sums;
	struct sp_buffer out;
};

/* What is related to the `hot` hottest functions. */
struct sp_details *sp_details_add_up(const struct sp_profile *profile, size_t hot);
void sp_details_free(struct sp_details *details);

uint64_t sp_allocator_ns(const struct sp_profile
		*profile); /* in functions that allocate and free, and what they call */

/* Of a profile that is built anew: what stands in the written one from the line `from` up to the next that begins with one
 * of the headings' marks in `until`, as it was. True when the profile is such a one. */
bool sp_put_written(struct sp_writer *w, const char *from, const char *until);

/* Its Data Quality, without what rests on names, and without the empty line at its end. */
bool sp_put_written_quality(struct sp_writer *w);

/* Sections, in the order they stand. */
void sp_write_front_matter(struct sp_writer *w);
void sp_write_verdict(struct sp_writer *w);
void sp_write_next(struct sp_writer *w, const struct sp_function *hottest); /* the verdict's last sentence */
void sp_put_guilty_line(struct sp_writer *w, const struct sp_function *f);
void sp_write_cpu(struct sp_writer *w);
void sp_write_call_tree(struct sp_writer *w);
void sp_write_hot_paths(struct sp_writer *w);
void sp_write_function_details(struct sp_writer *w);

/* A line of a function, and its self time. */
struct sp_hot_line {
	const char *file;
	unsigned line;
	uint64_t ns;
};
/* Writes the source text of the hottest lines with two lines around each, or nothing where the text cannot be had.
 * The hottest line comes first in `lines`. */
void sp_write_hot_source(struct sp_writer *w, const struct sp_function *f, const struct sp_hot_line *lines,
	size_t count);

void sp_write_threads(struct sp_writer *w);
void sp_write_modules(struct sp_writer *w);
void sp_write_files(struct sp_writer *w);
void sp_write_heap(struct sp_writer *w);
void sp_write_growth(struct sp_writer *w); /* of a window */
void sp_write_growth_verdict(struct sp_writer *w);
void sp_write_heap_tree(struct sp_writer *w);
void sp_write_marks(struct sp_writer *w);
void sp_write_spans(struct sp_writer *w);
void sp_write_waiting(struct sp_writer *w);
void sp_write_waits(struct sp_writer *w);                           /* the sections that follow it */
void sp_write_waiting_verdict(struct sp_writer *w);                 /* a sentence, if there is a point in it */
void sp_put_main_wait(struct sp_writer *w, enum sp_wait_kind kind); /* a sentence, if anything is known of it */
bool sp_advise_on_lock(struct sp_writer *w,
	double least_percent);                  /* of threads' time; false: none was waited for so much */
bool sp_advise_on_waiting(struct sp_writer *w); /* false: there is nothing to say */
void sp_put_thread_waiting(struct sp_writer *w, const struct sp_waiting *waiting); /* three cells */
void sp_write_traces(struct sp_writer *w);
void sp_write_span_parts(struct sp_writer *w);
void sp_write_slow_spans(struct sp_writer *w);
void sp_write_timeline(struct sp_writer *w);
void sp_write_quality(struct sp_writer *w);
void sp_write_cost(struct sp_writer *w);              /* lines of Data Quality: clocks, intervals, own cost */
void sp_write_unsampled_threads(struct sp_writer *w); /* lines of Data Quality */
void sp_write_settings(struct sp_writer *w);
/* Of a merged profile: `# Processes` and what it has in place of others' sections and sentences. */
void sp_write_processes(struct sp_writer *w);
void sp_write_merged_threads(struct sp_writer *w);
void sp_write_merged_memory(struct sp_writer *w);
void sp_write_merged_next(struct sp_writer *w);
void sp_write_merged_quality(struct sp_writer *w);
void sp_write_all_processes(struct sp_buffer *out, const struct sp_profile *profile);
/* The tables All mappings, All frames, All CPU stacks and All heap stacks. function_rows: by function, its row in All
 * functions, UINT32_MAX none. sample_room: see sp_samples_take. */
void sp_write_stacks(struct sp_buffer *out, const struct sp_profile *profile, const uint32_t *function_rows,
	size_t sample_room);

/* "7*30 8": rows of All CPU stacks, and how many samples of each. rows: by path, UINT32_MAX none. */
struct sp_sample_run;
void sp_put_sample_runs(struct sp_buffer *out, const uint32_t *rows, const struct sp_sample_run *runs, size_t count);

/* The table All traces, of `most` rows. */
void sp_write_all_traces(struct sp_buffer *out, const struct sp_profile *profile, const uint32_t *rows, size_t most);

/* What is light is cut until *out has at most so many bytes (profiles/model/cut.h); 0: nothing is cut. */
void sp_write_complete(const struct sp_writer *w, struct sp_buffer *out, size_t most_bytes);

/* Pieces of a line. */

struct sp_span_info;
void sp_put_span_name(struct sp_writer *w, const struct sp_span_info *span); /* "request › parse" */

/* A source file as profiles/model/places.h shows it. A function whose file is not known is placed by
 * its module: a path below the working directory, or "libfoo.so.1". */
void sp_put_location(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p, const char *file,
	unsigned line);
/* Without a place, the module; `[gone]` marks what has no name because that one's file is not to be had any more. */
void sp_put_function_location(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p,
	const struct sp_function *f);
void sp_put_module(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p, uint32_t module);

/* Says what the hashes at the ends of shortened names are, where the text since `from` has any. */
void sp_put_hash_note(struct sp_buffer *out, size_t from);

void sp_put_growth(struct sp_buffer *out, double bytes); /* "+1.5 MiB" */

/* "rough: 3 samples", in place of an error bar (sp_heap_is_rough). */
void sp_put_rough(struct sp_buffer *out, uint64_t samples);

/* A total of the heap with its error, "4.0 MiB ± 31.2 KiB" or "15.8 KiB (rough: at most 47 KiB)", left out below a hundredth
 * of it. */
void sp_put_heap_total(struct sp_buffer *out, const struct sp_profile *p, uint64_t bytes, double error);

#endif
