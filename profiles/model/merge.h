/* Many profiles, read from Markdown, as one: the processes of a run, replicas of a service, hours of a day. */
#ifndef SP_PROFILES_MODEL_MERGE_H
#define SP_PROFILES_MODEL_MERGE_H

#include "profiles/model/model.h"

struct sp_merge;

struct sp_merge *sp_merge_new(void);

/* Adds a profile, which may be freed afterwards. Times, bytes and counts add up, and so do the variances of their errors:
 * what was sampled in one process does not depend on another. Builds of a file that differ in their build-id stay apart.
 * file: base name of where it was read from. */
void sp_merge_add(struct sp_merge *merge, const struct sp_profile *profile, const char *file);

/* What a profile adds to the CPU time: its facts are rounded to milliseconds, which hundreds of profiles would add up. */
void sp_merge_cpu_time(const struct sp_profile *profile, uint64_t *user_ns, uint64_t *sys_ns);

/* What the profiles add up to, to be written as Markdown; it belongs to the merge, to which nothing can be added any more.
 * left_out: how many files could not be read, for its Data Quality. */
struct sp_profile *sp_merge_finish(struct sp_merge *merge, size_t left_out);

void sp_merge_free(struct sp_merge *merge);

/* merge_facts.c: the front matter, from processes[] and sums; totals of the snapshot that sections look into. */
struct sp_merge_sums {
	uint64_t requested_ns, dropped, truncated;      /* of intervals the longest */
	double achieved_samples_us;                     /* achieved intervals times samples */
	double unnamed_seconds;                         /* sampled, times the part of frames without names */
	double cost_cpu, cost_heap, cost_hooks, budget; /* percents times CPU seconds; budget: the largest */
	uint64_t heap_interval, heap_interval_max, heap_samples, inuse_bytes, peak_bytes;
	double inuse_error2, peak_error2;
	uint64_t clock_ns; /* CPU time of the profile whose clock is named */
	const char *clock;
	bool waiting_unknown; /* of some profile */
	bool first_is_set;
	const char *environment, *environment_reason, *kernel, *git_commit, *git_branch, *allocator;
	const char *host_cores, *usable_cores, *memory_limit;
};
void sp_merge_take_facts(struct sp_merge_sums *sums, struct sp_profile *out, const struct sp_profile *in);
void sp_merge_put_facts(const struct sp_merge_sums *sums, struct sp_profile *out);

/* merge_waits.c: adds rows up, whose texts are kept in `texts`; then puts them in order. */
struct sp_map;
void sp_merge_waits(struct sp_profile *out, const struct sp_profile *in, struct sp_names *texts, struct sp_map *index);
void sp_merge_sort_waits(struct sp_profile *out);

/* merge_spans.c: likewise, with names of their own. */
struct sp_merge_spans {
	struct sp_names names; /* of spans[], by their numbers */
	size_t capacity;
};
void sp_merge_spans(struct sp_merge_spans *merge, struct sp_profile *out, const struct sp_profile *in);
void sp_merge_sort_spans(struct sp_profile *out);

/* Whether all belong to one run. */
bool sp_processes_same_run(const struct sp_profile *profile);

/* The index in processes[] of the one that stands for all: of those that began a run the last to start; SIZE_MAX: there is
 * none, as the processes are not of one run. */
size_t sp_processes_root(const struct sp_profile *profile);

/* The program they have in common: the root's, or that of all; NULL. */
const char *sp_processes_program(const struct sp_profile *profile);

/* The most that processes alive at the same time can have held together, going by each one's own peak. */
uint64_t sp_processes_peak_together(const struct sp_profile *profile);

/* From the first start to the last end. */
void sp_processes_span(const struct sp_profile *profile, uint64_t *from_ns, uint64_t *to_ns);

#endif
