/* From a thread id to the thread's block: groups of eight slots, one cache line each, chosen by the
 * low bits of the id, so that the ids of one process touch few pages. */
#include "sampler/threads/registry.h"

#include "sampler/threads/block.h"

#define GROUPS 4096u
#define GROUP_SLOTS 8u

static struct {
	uint64_t slots[GROUPS][GROUP_SLOTS]; /* atomic: tid << 32 | block index + 1; 0 free */
} registry SP_BIG __attribute__((aligned(64)));
/* With what is small, where they take no page of their own. Most processes have but one thread, which is in no group then. */
static uint32_t registered; /* atomic */
static uint64_t first;      /* atomic: as a slot, of the thread that has the process's id */

/* Number `i` of the slots that a thread may be in. */
static uint64_t *slot_of(int tid, uint32_t i)
{
	return i ? &registry.slots[(uint32_t)tid % GROUPS][i - 1] : &first;
}

static uint64_t slot_value(const struct sp_thread *t)
{
	return (uint64_t)(uint32_t)t->tid << 32 | (t->index + 1);
}

bool sp_registry_add(struct sp_thread *t)
{
	uint64_t *slot, none;
	uint32_t i;

	sp_add(&registered, 1); /* before it is found, for a child that is forked meanwhile clears what there is */
	for (i = t->tid == sp_agent.pid ? 0 : 1; i <= GROUP_SLOTS; i++) {
		slot = slot_of(t->tid, i);
		none = 0;
		if (!sp_load(slot) &&
			__atomic_compare_exchange_n(slot, &none, slot_value(t), false, __ATOMIC_SEQ_CST,
				__ATOMIC_RELAXED))
			return true;
	}
	sp_add(&registered, -1u);
	return false;
}

void sp_registry_remove(const struct sp_thread *t)
{
	uint64_t *slot, mine;
	uint32_t i;

	for (i = 0; i <= GROUP_SLOTS; i++) {
		slot = slot_of(t->tid, i);
		mine = slot_value(t);
		if (sp_load(slot) != mine)
			continue;
		if (__atomic_compare_exchange_n(slot, &mine, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			sp_add(&registered, -1u);
		if (!i)
			return; /* it was entered once */
	}
}

SP_AT_FORK void sp_registry_forget(void)
{
	if (registered > (first != 0))
		sp_clear_pages(&registry, sizeof registry);
	registered = 0;
	first = 0;
}

struct sp_thread *sp_registry_find(int tid, const struct sp_thread *but)
{
	uint32_t i;

	for (i = 0; i <= GROUP_SLOTS; i++) {
		uint64_t value = __atomic_load_n(slot_of(tid, i), __ATOMIC_SEQ_CST);
		struct sp_thread *t;

		if (value >> 32 == (uint32_t)tid && (t = sp_block_at((uint32_t)value - 1)) != but)
			return t;
	}
	return NULL;
}

uint32_t sp_registry_count(void)
{
	return sp_load(&registered);
}
