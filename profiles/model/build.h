/* The stages that build a profile, one after the other; model.c has the order of work. Private to profiles/model and to
 * the reader of written profiles. */
#ifndef SP_PROFILES_MODEL_BUILD_H
#define SP_PROFILES_MODEL_BUILD_H

#include "profiles/model/model.h"

/* The number of a function, a new one where index does not have it; name_id is of profile->names. */
uint32_t sp_profile_function(struct sp_profile *profile, uint32_t module, const char *name, struct sp_map *index);
uint32_t sp_profile_function_id(struct sp_profile *profile, uint32_t module, uint32_t name_id, struct sp_map *index);

/* Adds the pseudo functions and the module that holds them. */
void sp_profile_setup(struct sp_profile *profile);

/* Of a profile that is not built from a spool: totals and modules from its functions. Errors, so far in ns, become parts of the
 * total. */
void sp_profile_sum_up(struct sp_profile *profile);

/* Errors that were added up in ns become parts of the total. */
void sp_profile_divide_errors(struct sp_profile *profile);

/* As the profile's settings want it; to be freed by sp_symbolizer_free. */
struct sp_symbolizer *sp_profile_symbolizer(const struct sp_profile *profile,
	const struct sp_symbolizer_options *symbols);

/* A library of the distribution, or the kernel's. */
bool sp_is_system_path(const char *path);

/* Stage 1, modules.c: modules[] from the snapshot, and the lookup of an address. */
void sp_modules_load(struct sp_profile *profile, struct sp_symbolizer *symbolizer);

/* After the last stage: which file gave the module's names, and what was missing for more. */
void sp_module_take_source(struct sp_profile *profile, struct sp_module_info *module, struct sp_symbolizer *symbolizer);
uint32_t sp_modules_find(const struct sp_profile *profile, uint64_t address, uint64_t epoch);

/* Then, finish.c: the snapshot's stacks that broke off get the outer ends that copies of them have. There may be more
 * stacks afterwards. */
void sp_stacks_finish(struct sp_profile *profile, struct sp_symbolizer *symbolizer);

/* Stage 2, addresses.c: the addresses that stacks hold, each once an epoch. The symbolizer (NULL: none) is asked for all
 * of them. */
struct sp_address {
	uint64_t address; /* as it is to be looked up: of a call, not of what it returns to */
	uint32_t module;
	uint32_t first, count; /* for frames.c */
};

struct sp_addresses {
	struct sp_address *list;
	size_t count, capacity;
	uint32_t *of_frame; /* of all stacks' frames, one stack after the other: index into the list */
	size_t *first;      /* of a stack's, in of_frame[] */
};

void sp_addresses_load(struct sp_addresses *addresses, struct sp_profile *profile, struct sp_symbolizer *symbolizer);
void sp_addresses_free(struct sp_addresses *addresses);

/* Stage 3, frames.c: paths[] and frames[] from stacks[]. */
void sp_frames_load(struct sp_profile *profile, struct sp_symbolizer *symbolizer, uint32_t *site_frame,
	sp_progress_fn *progress, void *context);

/* After it, code.c: hashes of the machine code of functions that are not the distribution's. */
void sp_code_load(struct sp_profile *profile, struct sp_symbolizer *symbolizer);

/* Stage 4, filter.c: sp_frames_filter. Stage 5, order.c: sp_paths_sort. Stage 6: sums. site_frame[stack] is the frame that is the allocation site of a heap stack. */
void sp_cpu_add_up(struct sp_profile *profile);
struct sp_log_sums *sp_log_add_up(const struct sp_profile *profile); /* for profile->log; NULL as there */
void sp_log_free(struct sp_log_sums *sums);
void sp_cpu_totals(struct sp_profile *profile); /* of functions, with the errors of functions and modules */
void sp_lines_add_up(struct sp_profile *profile);
struct sp_line_info *sp_profile_line(struct sp_profile *profile);             /* a new one, to be filled */
void sp_marks_add_up(struct sp_profile *profile, const uint32_t *site_frame); /* before sp_heap_settle changes sites */
void sp_spans_add_up(struct sp_profile *profile, const uint32_t *site_frame);
void sp_traces_add_up(struct sp_profile *profile);
void sp_heap_settle(struct sp_profile *profile); /* the totals, with their errors; sites are made to agree with them */
void sp_heap_add_up(struct sp_profile *profile, const uint32_t *site_frame);
void sp_threads_add_up(struct sp_profile *profile, struct sp_symbolizer *symbolizer);

#endif
