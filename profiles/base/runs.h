/* Sorting runs of numbers that mostly begin alike, such as stacks from the root: what two neighbours have in common is
 * found out once and kept. */
#ifndef SP_PROFILES_RUNS_H
#define SP_PROFILES_RUNS_H

#include <stddef.h>
#include <stdint.h>

struct sp_run {
	uint32_t item; /* the caller's number of it */
	uint32_t
		shared; /* after sorting: how many numbers it has at its start in common with the run before; 0 the first */
};

/* Compares the runs x and y, of which *shared numbers at the start are known to be the same; sets it to how many are.
 * Below 0, 0 or above, like memcmp; a run comes before what begins with it. */
typedef int sp_run_compare(const void *context, uint32_t x, uint32_t y, uint32_t *shared);

/* Sorts the runs; equal ones stay in their order. No number is compared twice but for n log n of them
 * (Ng & Kakehi, Merging string sequences by longest common prefixes, IPSJ Digital Courier 4, 2008). */
void sp_runs_sort(struct sp_run *runs, size_t count, sp_run_compare *compare, const void *context);

/* sp_run_compare of two arrays. */
int sp_ids_compare(const uint32_t *x, uint32_t x_count, const uint32_t *y, uint32_t y_count, uint32_t *shared);

#endif
