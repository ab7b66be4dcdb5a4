/* Which memory holds generated code. */
#include "sampler/walk/generated.h"

#include <dlfcn.h>

#include "sampler/mapped.h"

#define RANGES 64u
#define PAUSE_NS 20000000u
#define PAUSE_MAX_NS 2000000000u

struct range {
	uint64_t low, high;
};

static struct {
	uint32_t sequence; /* atomic: odd while it is being written */
	uint32_t count;
	struct range list[RANGES];
} known SP_BIG;

static struct {
	uint64_t next_ns; /* atomic */
	uint64_t pause_ns;
} looking;

struct found {
	uint32_t count;
	struct range list[RANGES];
};

static bool add(const struct sp_mapping *mapping, void *arg)
{
	struct dl_find_object object;
	struct found *found = arg;

	if (mapping->executable && _dl_find_object((void *)mapping->low, &object) != 0)
		found->list[found->count++] = (struct range){mapping->low, mapping->high};
	return found->count == RANGES;
}

static void look(void)
{
	uint32_t writing = known.sequence | 1, i; /* odd in a child that was forked in the middle */
	struct found found;

	found.count = 0;
	sp_mapped_each(add, &found);
	__atomic_store_n(&known.sequence, writing, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (i = 0; i < found.count; i++) {
		sp_store(&known.list[i].low, found.list[i].low);
		sp_store(&known.list[i].high, found.list[i].high);
	}
	sp_store(&known.count, found.count);
	__atomic_store_n(&known.sequence, writing + 1, __ATOMIC_RELEASE);
}

static bool is_known(uint64_t address)
{
	uint32_t sequence = __atomic_load_n(&known.sequence, __ATOMIC_ACQUIRE), n = sp_load(&known.count), i;
	bool holds = false;

	for (i = 0; i < n && !holds; i++)
		holds = address >= sp_load(&known.list[i].low) && address < sp_load(&known.list[i].high);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return holds && !(sequence & 1) && sequence == sp_load(&known.sequence);
}

bool sp_generated_holds(uint64_t address)
{
	uint64_t now, next;
	bool holds;

	if (is_known(address))
		return true;
	now = sp_now_ns();
	next = sp_load(&looking.next_ns);
	/* The thread that moves the time on is the only one that looks: a look takes less than the pause. */
	if (now < next ||
		!__atomic_compare_exchange_n(&looking.next_ns, &next, now + PAUSE_MAX_NS, false, __ATOMIC_ACQ_REL,
			__ATOMIC_RELAXED))
		return false;
	look();
	holds = is_known(address);
	looking.pause_ns = holds || !looking.pause_ns ? PAUSE_NS
		: looking.pause_ns < PAUSE_MAX_NS / 2 ? looking.pause_ns * 2
						      : PAUSE_MAX_NS;
	sp_store(&looking.next_ns, sp_now_ns() + looking.pause_ns);
	return holds;
}

SP_AT_FORK void sp_generated_forked(void)
{
	if (looking.next_ns)
		looking.next_ns = 0;
	if (looking.pause_ns)
		looking.pause_ns = 0;
}
