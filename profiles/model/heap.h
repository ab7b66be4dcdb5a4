/* What the heap's sites and totals say, and how far they may be off. */
#ifndef SP_PROFILES_MODEL_HEAP_H
#define SP_PROFILES_MODEL_HEAP_H

#include "profiles/model/model.h"

/* 95 % half-width of a heap estimate in bytes, from a variance in square bytes that was itself estimated
 * from so many samples; sampler/heap/estimate.md derives both. */
double sp_heap_error(double variance, uint64_t samples);

/* The variance of a site's bytes at the peak: what is in use now, or was ever allocated, has the
 * same relation of variance to bytes. */
double sp_peak_variance(const struct sp_heap_site *site);
double sp_inuse_variance(const struct sp_heap_site *site);

/* The variance of what all sites add up to, and its 95 % half-width. */
double sp_heap_total_variance(const struct sp_profile *profile, double (*variance)(const struct sp_heap_site *));
double sp_heap_total_error(const struct sp_profile *profile, double (*variance)(const struct sp_heap_site *));

/* Whether an error bar would say more than is known: as large as the value itself, or from a handful
 * of samples; a block far larger than the interval is known well from a single one, though. */
bool sp_heap_is_rough(uint64_t bytes, double error_bytes, uint64_t samples);

/* Of the totals of what is in use and at the peak. */
double sp_heap_inuse_error(const struct sp_profile *profile);
double sp_heap_peak_error(const struct sp_profile *profile);

/* Of a window: what all sites grew by. Where blocks come and go that no sample stands for, that is part of it. */
double sp_heap_growth_error(const struct sp_profile *profile);

/* What a site may have leaked: bytes that are alive and older than the last tenth of the run, where such
 * bytes were left behind in the first half of the older time as in the second, and not only at the
 * start; else 0. A cache that grows to the end looks the same. */
uint64_t sp_heap_leaked(const struct sp_heap_site *site);

/* The blocks that these bytes are in. */
uint64_t sp_heap_leaked_count(const struct sp_heap_site *site);

/* True when more was allocated before heap sampling began than since: the sites then show the
 * smaller part, from which nothing follows for the whole. */
bool sp_heap_mostly_before(const struct sp_profile *profile);

/* What the sites of a snapshot's paths add up to by rows: row_of[path], UINT32_MAX none; details[] has births.first_ns set. */
void sp_heap_details(const struct sp_profile *profile, const uint32_t *row_of, struct sp_heap_site *details);

/* True for a function that allocates on behalf of its caller: malloc, operator new, xmalloc, … */
bool sp_is_allocator_name(const char *function);

/* The same for what the setting heap_wrappers adds: `globs` with commas between, up to a tab or the end. */
bool sp_is_wrapper_name(const char *globs, const char *function);

/* True for a function of a language's own library, or of what starts a program: it is an allocation site only where
 * nothing else is. module: its base name. */
bool sp_is_layer(const char *function, const char *module);

/* Which of a heap path's frames is its allocation site, counted from the leaf: where exports of the heap end. */
uint32_t sp_path_site(const struct sp_profile *profile, const struct sp_path *path);

/* Finds out which frames of a profile that was read are the allocator's or a language's library's. */
void sp_frames_mark(struct sp_profile *profile);

#endif
