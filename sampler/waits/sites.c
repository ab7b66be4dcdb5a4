/* Sites of waits and locks: two tables in the spool, found by hashes in the agent's own memory. Insert-only, lock-free. */
#include "sampler/waits/sites.h"

#include "sampler/heap/estimate.h"
#include "sampler/spans/slow.h"
#include "sampler/spool/modules.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/waits/waits.h"

#define BUCKETS (4u * SP_WAIT_SITES_MAX)
#define LOCK_BUCKETS (4u * SP_LOCKS_MAX)
#define MAX_PROBES 32u
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0 && (LOCK_BUCKETS & (LOCK_BUCKETS - 1)) == 0, "masks");

/* Whole pages of the room, which a forked child gives back without touching what stands beside them. */
struct buckets {
	uint32_t sites[BUCKETS], locks[LOCK_BUCKETS]; /* atomic; 0 empty, else the index */
};
static char room[sizeof(struct buckets) + 4095] SP_BIG;
static struct buckets *buckets(void)
{
	return (struct buckets *)(((uintptr_t)room + 4095) & ~(uintptr_t)4095);
}

static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 31) * 0xff51afd7ed558ccdULL;
	return h ^ h >> 32;
}

static uint64_t key_of(const struct sp_waited *w)
{
	uint64_t h = mix((uint64_t)w->stack << 32 | w->call);

	h = mix(h ^ ((uint64_t)w->holder << 32 | w->holder_call));
	h = mix(h ^ w->holder_span);
	h = mix(h ^ w->object);
	return h ? h : 1;
}

static struct sp_wait_site *site_at(uint32_t index)
{
	return (struct sp_wait_site *)sp_section(SP_SEC_WAITS) + index;
}

static struct sp_lock *lock_at(uint32_t index)
{
	return (struct sp_lock *)sp_section(SP_SEC_LOCKS) + index;
}

static uint32_t make_site(const struct sp_waited *w, uint64_t key)
{
	uint32_t index = sp_spool_allot(SP_SEC_WAITS, 1);
	struct sp_wait_site *s = site_at(index);

	if (!index)
		return 0;
	s->key = key;
	s->stack = w->stack;
	s->call = w->call;
	s->lock = w->object ? sp_wait_locks_find(w->object) : 0;
	s->holder = w->holder;
	s->holder_call = w->holder_call;
	s->holder_span = w->holder_span;
	__atomic_store_n(&s->ready, 1, __ATOMIC_RELEASE);
	return index;
}

/* The hash of 64 bits is its name. */
static uint32_t site_of(const struct sp_waited *w)
{
	uint64_t key = key_of(w);
	uint32_t probe, found, made = 0;

	sp_waits.sites = SP_SITES_USED;
	for (probe = 0; probe < MAX_PROBES; probe++) {
		uint32_t *bucket = &buckets()->sites[((uint32_t)key + probe) & (BUCKETS - 1)];

		found = __atomic_load_n(bucket, __ATOMIC_ACQUIRE);
		if (!found && !made && !(made = make_site(w, key)))
			break;
		if (!found &&
			__atomic_compare_exchange_n(bucket, &found, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return made;
		if (site_at(found)->key == key)
			return found;
	}
	sp_drop(SP_DROP_WAITS);
	return 0;
}

void sp_wait_sites_add(struct sp_thread *t, const struct sp_waited *w)
{
	double p = sp_pick_probability(w->ns, w->interval), weight = (double)w->blocked_ns / p, us = weight / 1000;
	struct sp_wait_site *s = site_at(site_of(w));

	if (w->object)
		sp_modules_note_unsure(t, w->object);
	sp_add(&s->ns, (uint64_t)(weight + 0.5));
	sp_add(&s->count, (uint64_t)(w->count / p + sp_uniform(t)));
	sp_add(&s->samples, 1);
	sp_add(&s->variance_us2, (uint64_t)(us * us * (w->batch ? 1 : 1 - p) + sp_uniform(t)));
	sp_add(&s->sq_us2, (uint64_t)(us * us));
	sp_raise(&s->longest_ns, w->longest_ns < w->blocked_ns ? w->longest_ns : w->blocked_ns);
	if (w->stack) /* of what had no room it is not known that it was a wait */
		sp_span_sampled(t, w->stack, (uint64_t)(weight + 0.5), (uint64_t)(us * us));
	sp_add(&sp_agent.spool->waits.samples, 1);
}

uint32_t sp_wait_locks_find(uint64_t address)
{
	uint64_t key = mix(address);
	uint32_t probe, found, made = 0;

	sp_waits.sites = SP_SITES_USED;
	for (probe = 0; probe < MAX_PROBES; probe++) {
		uint32_t *bucket = &buckets()->locks[((uint32_t)key + probe) & (LOCK_BUCKETS - 1)];

		found = __atomic_load_n(bucket, __ATOMIC_ACQUIRE);
		if (!found && !made) {
			made = sp_spool_allot(SP_SEC_LOCKS, 1);
			if (!made)
				break;
			lock_at(made)->address = address;
			lock_at(made)->epoch = (uint32_t)sp_load(&sp_agent.spool->module_epoch);
			__atomic_store_n(&lock_at(made)->ready, 1, __ATOMIC_RELEASE);
		}
		if (!found &&
			__atomic_compare_exchange_n(bucket, &found, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return made;
		if (lock_at(found)->address == address)
			return found;
	}
	return 0;
}

void sp_wait_locks_count(uint64_t address, uint64_t ns)
{
	struct sp_lock *lock = lock_at(sp_wait_locks_find(address));

	sp_add(&lock->contentions, 1);
	sp_add(&lock->ns, ns);
	sp_raise(&lock->longest_ns, ns);
}

void sp_wait_sites_begin(void)
{
	if (sp_waits.sites != SP_SITES_LEFT)
		return;
	sp_clear_pages(buckets(), sizeof *buckets());
	sp_waits.sites = SP_SITES_NONE;
}

SP_AT_FORK void sp_wait_sites_forget(void)
{
	if (sp_waits.sites == SP_SITES_USED)
		sp_waits.sites = SP_SITES_LEFT;
}
