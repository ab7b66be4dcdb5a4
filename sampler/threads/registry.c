/* From a thread id to the thread's block: groups of eight slots, one cache line each, chosen by the
 * low bits of the id, so that the ids of one process touch few pages. */
#include "sampler/threads/registry.h"

#include "sampler/threads/block.h"

#define GROUPS 4096u
#define GROUP_SLOTS 8u

static struct {
	uint64_t slots[GROUPS][GROUP_SLOTS]; /* atomic: tid << 32 | block index + 1; 0 free */
} registry SP_BIG __attribute__((aligned(64)));
static uint32_t registered; /* atomic; with what is small, where it takes no page of its own */

static uint64_t *group_of(int tid)
{
	return registry.slots[(uint32_t)tid % GROUPS];
}

static uint64_t slot_value(const struct sp_thread *t)
{
	return (uint64_t)(uint32_t)t->tid << 32 | (t->index + 1);
}

bool sp_registry_add(struct sp_thread *t)
{
	uint64_t *slots = group_of(t->tid), none;
	uint32_t i;

	for (i = 0; i < GROUP_SLOTS; i++) {
		none = 0;
		if (!sp_load(&slots[i]) &&
			__atomic_compare_exchange_n(&slots[i], &none, slot_value(t), false, __ATOMIC_SEQ_CST,
				__ATOMIC_RELAXED)) {
			sp_add(&registered, 1);
			return true;
		}
	}
	return false;
}

void sp_registry_remove(const struct sp_thread *t)
{
	uint64_t *slots = group_of(t->tid), mine;
	uint32_t i;

	for (i = 0; i < GROUP_SLOTS; i++) {
		mine = slot_value(t);
		if (sp_load(&slots[i]) == mine &&
			__atomic_compare_exchange_n(&slots[i], &mine, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			sp_add(&registered, -1u);
	}
}

struct sp_thread *sp_registry_find(int tid, const struct sp_thread *but)
{
	uint64_t *slots = group_of(tid);
	uint32_t i;

	for (i = 0; i < GROUP_SLOTS; i++) {
		uint64_t value = __atomic_load_n(&slots[i], __ATOMIC_SEQ_CST);
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
