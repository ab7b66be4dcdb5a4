/* A table of rules by key, each in one of two places: in the agent's own memory, or in memory that processes share. Any
 * number of writers and readers, no lock. */
#ifndef SP_SAMPLER_WALK_SLOTS_H
#define SP_SAMPLER_WALK_SLOTS_H

#include "sampler/agent.h"

static inline struct sp_rule_slot *sp_slot_of(struct sp_rule_slot *slots, uint32_t log, uint64_t key)
{
	return &slots[(key * 0x9e3779b97f4a7c15ULL) >> (64 - log)];
}

static inline struct sp_rule_slot *sp_slot_beside(struct sp_rule_slot *slot)
{
	return (struct sp_rule_slot *)((uintptr_t)slot ^ sizeof *slot);
}

static inline bool sp_slots_find(struct sp_rule_slot *slots, uint32_t log, uint64_t key, uint64_t *rule)
{
	struct sp_rule_slot *slot = sp_slot_of(slots, log, key);

	*rule = sp_load(&slot->rule);
	if (sp_likely((sp_load(&slot->check) ^ *rule) == key))
		return true;
	slot = sp_slot_beside(slot);
	*rule = sp_load(&slot->rule);
	return (sp_load(&slot->check) ^ *rule) == key;
}

/* The first place holds the newer one. */
static inline void sp_slots_keep(struct sp_rule_slot *slots, uint32_t log, uint64_t key, uint64_t rule)
{
	struct sp_rule_slot *first = sp_slot_of(slots, log, key), *second = sp_slot_beside(first);

	sp_store(&second->check, sp_load(&first->check));
	sp_store(&second->rule, sp_load(&first->rule));
	sp_store(&first->check, key ^ rule);
	sp_store(&first->rule, rule);
}

#endif
