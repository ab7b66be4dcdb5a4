/* Stage 3 of the model: what allocation sites add up to. */
#include "profiles/model/heap.h"

#include <stdlib.h>

#include "profiles/model/build.h"
#include "profiles/model/model.h"
#include "profiles/spool/window.h"

static struct sp_heap_site *site_of(struct sp_profile *p, uint32_t frame, struct sp_map *index)
{
	const struct sp_profile_frame *f = &p->frames[frame];
	uint64_t file = f->file ? sp_names_id(&p->names, f->file) + 1 : 0;
	int found;
	uint32_t *cell = sp_map_at(index, (uint64_t)f->function << 32 | f->line, file, &found);

	if (!found) {
		*cell = (uint32_t)p->site_count;
		sp_grow(&p->sites, &p->site_capacity, p->site_count + 1, sizeof(*p->sites));
		p->sites[p->site_count++] = (struct sp_heap_site){
			.function = f->function, .file = f->file, .line = f->line, .births.first_ns = UINT64_MAX};
	}
	return &p->sites[*cell];
}

bool sp_heap_mostly_before(const struct sp_profile *profile)
{
	return profile->snapshot->header.heap.before_bytes > profile->heap_allocated_bytes / 2;
}

/* Differences are right modulo 2^64: thinning may have taken more off `freed` than was in it. */
static uint64_t minus(uint64_t allocated, uint64_t freed)
{
	int64_t rest = (int64_t)(allocated - freed);

	return rest > 0 ? (uint64_t)rest : 0;
}

/* A sum that was caught between an addition and its subtraction may be below zero. */
static double variance_bytes2(uint64_t units)
{
	return (int64_t)units > 0 ? (double)units * SP_VARIANCE_UNIT : 0;
}

/* Takes the lazily kept at-peak values as struct sp_site describes. */
static void add_site(struct sp_heap_site *out, const struct sp_site *in, uint64_t peak_seq)
{
	uint64_t inuse_bytes = minus(in->alloc_bytes, in->free_bytes);
	uint64_t inuse_count = minus(in->alloc_count, in->free_count);
	bool stale = in->peak_seq < peak_seq;

	out->alloc_bytes += in->alloc_bytes;
	out->alloc_count += in->alloc_count;
	out->inuse_bytes += inuse_bytes;
	out->inuse_count += inuse_count;
	out->peak_bytes += stale ? inuse_bytes : in->peak_bytes;
	out->peak_count += stale ? inuse_count : in->peak_count;
	out->short_bytes += in->short_bytes;
	out->short_count += in->short_count;
	out->temp_bytes += in->temp_bytes;
	out->temp_count += in->temp_count;
	out->samples += in->samples;
	out->inuse_samples += in->inuse_samples;
	out->alloc_variance += variance_bytes2(in->variance_alloc);
	out->inuse_variance += variance_bytes2(in->variance_inuse);
}

/* A damaged spool may hold any number. */
static void add_signed(int64_t *sum, int64_t value)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

static void add_growth(struct sp_profile *p, struct sp_heap_site *out, const struct sp_growth *growth)
{
	double variance = growth->variance * SP_VARIANCE_UNIT;

	add_signed(&out->growth_bytes, growth->bytes);
	add_signed(&out->growth_count, growth->count);
	out->growth_variance += variance;
	out->growth_samples += growth->samples;
	add_signed(&p->growth_bytes, growth->bytes);
	add_signed(&p->growth_count, growth->count);
	p->growth_variance += variance;
}

static void add_to_path(struct sp_path *path, const struct sp_heap_site *s)
{
	path->alloc_bytes += s->alloc_bytes;
	path->alloc_count += s->alloc_count;
	path->inuse_bytes += s->inuse_bytes;
	path->inuse_count += s->inuse_count;
	path->peak_bytes += s->peak_bytes;
	path->peak_count += s->peak_count;
	path->heap_samples += s->samples;
}

static void add_birth(struct sp_births *b, const struct sp_live *live, const struct sp_spool_header *h,
	uint64_t wall_ns)
{
	double since = h->tsc_per_us_x1024 && live->born_tsc > h->start_tsc
		? (double)(live->born_tsc - h->start_tsc) * 1024e3 / (double)h->tsc_per_us_x1024
		: 0;
	double part = wall_ns ? since / (double)wall_ns * SP_RUN_PARTS : 0;
	unsigned i = part < SP_RUN_PARTS - 1 ? (unsigned)part : SP_RUN_PARTS - 1;
	uint64_t born_ns = since < (double)wall_ns ? (uint64_t)since : wall_ns;

	b->bytes[i] += live->weight;
	b->counts[i] += live->count;
	b->samples[i]++;
	if (born_ns < b->first_ns)
		b->first_ns = born_ns;
}

uint64_t sp_heap_leaked(const struct sp_heap_site *site)
{
	const struct sp_births *b = &site->births;
	uint64_t bytes = 0;
	uint32_t earlier = 0, later = 0;

	if (site->leaked_bytes)
		return site->leaked_bytes;
	for (unsigned i = 0; i < SP_RUN_PARTS - 1; i++) {
		bytes += b->bytes[i];
		earlier += i >= 1 && i < SP_RUN_PARTS / 2 ? b->samples[i] : 0;
		later += i >= SP_RUN_PARTS / 2 ? b->samples[i] : 0;
	}
	return earlier >= 2 && later >= 2 ? bytes : 0;
}

/* Record 0 collects what found the table full and is never marked ready. */
static bool is_counted(const struct sp_snapshot *s, size_t site)
{
	bool grew = s->growth && s->growth[site].bytes;

	return (!site || s->sites[site].ready) && (s->sites[site].alloc_bytes || grew);
}

void sp_heap_details(const struct sp_profile *profile, const uint32_t *row_of, struct sp_heap_site *details)
{
	const struct sp_snapshot *s = profile->snapshot;

	for (size_t i = 0; i < s->site_count; i++) {
		const struct sp_site *in = &s->sites[i];
		uint32_t stack = i ? in->stack : 0;

		if (is_counted(s, i) && stack < profile->path_count && row_of[stack] != UINT32_MAX)
			add_site(&details[row_of[stack]], in, s->header.heap.peak_seq);
	}
	for (size_t i = 0; i < s->live_count; i++) {
		const struct sp_site *in = &s->sites[s->live[i].site];
		uint32_t stack = s->live[i].site ? in->stack : 0;

		if (is_counted(s, s->live[i].site) && stack < profile->path_count && row_of[stack] != UINT32_MAX)
			add_birth(&details[row_of[stack]].births, &s->live[i], &s->header, profile->wall_ns);
	}
}

uint64_t sp_heap_leaked_count(const struct sp_heap_site *site)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < SP_RUN_PARTS - 1; i++)
		count += site->births.counts[i];
	return count;
}

void sp_heap_add_up(struct sp_profile *profile, const uint32_t *site_frame)
{
	struct sp_snapshot *s = profile->snapshot;
	struct sp_map index = {0};
	uint32_t *rows = sp_alloc(s->site_count + 1, sizeof(*rows)); /* 1 + row of a site, 0 none */

	for (size_t i = 0; profile->heap_on && i < s->site_count; i++) {
		const struct sp_site *in = &s->sites[i];
		uint32_t stack = i ? in->stack : 0;
		struct sp_heap_site *row, alone = {0};

		if (!is_counted(s, i) || stack >= profile->path_count)
			continue;
		row = site_of(profile, site_frame[stack], &index);
		rows[i] = 1 + (uint32_t)(row - profile->sites);
		add_site(row, in, s->header.heap.peak_seq);
		if (s->growth)
			add_growth(profile, row, &s->growth[i]);
		add_site(&alone, in, s->header.heap.peak_seq);
		add_to_path(&profile->paths[stack], &alone);
	}
	for (size_t i = 0; i < s->live_count; i++)
		if (rows[s->live[i].site])
			add_birth(&profile->sites[rows[s->live[i].site] - 1].births, &s->live[i], &s->header,
				profile->wall_ns);
	free(rows);
	sp_map_free(&index);
}
