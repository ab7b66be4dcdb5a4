/* How far the heap's figures may be off. */
#include "profiles/model/heap.h"

#include <math.h>

#define SAMPLES_FOR_ERROR 5u

double sp_heap_error(double variance, uint64_t samples)
{
	return variance > 0 && samples ? 1.96 * sqrt(variance * (1 + 1 / (double)samples)) : 0;
}

double sp_peak_variance(const struct sp_heap_site *site)
{
	if (site->inuse_bytes && site->inuse_variance > 0)
		return site->inuse_variance * (double)site->peak_bytes / (double)site->inuse_bytes;
	return site->alloc_bytes ? site->alloc_variance * (double)site->peak_bytes / (double)site->alloc_bytes : 0;
}

double sp_inuse_variance(const struct sp_heap_site *site)
{
	return site->inuse_variance;
}

double sp_heap_total_variance(const struct sp_profile *profile, double (*variance)(const struct sp_heap_site *))
{
	double sum = 0;

	for (size_t i = 0; i < profile->site_count; i++)
		sum += variance(&profile->sites[i]);
	return sum;
}

double sp_heap_total_error(const struct sp_profile *profile, double (*variance)(const struct sp_heap_site *))
{
	return sp_heap_error(sp_heap_total_variance(profile, variance), profile->snapshot->header.heap.samples);
}

double sp_heap_inuse_error(const struct sp_profile *profile)
{
	return profile->heap_inuse_error > 0 ? profile->heap_inuse_error
					     : sp_heap_total_error(profile, sp_inuse_variance);
}

double sp_heap_peak_error(const struct sp_profile *profile)
{
	return profile->heap_peak_error > 0 ? profile->heap_peak_error : sp_heap_total_error(profile, sp_peak_variance);
}

double sp_heap_growth_error(const struct sp_profile *p)
{
	double unseen = p->heap_allocations || p->heap_frees ? (double)p->snapshot->header.heap.interval_bytes : 0;

	return 1.96 * sqrt(p->growth_variance + unseen * unseen);
}

bool sp_heap_is_rough(uint64_t bytes, double error_bytes, uint64_t samples)
{
	bool few = samples < SAMPLES_FOR_ERROR && error_bytes > (double)bytes / 10;

	return few || error_bytes >= (double)bytes;
}
