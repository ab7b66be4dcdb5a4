/* A rule's key is what identifies the build and where in the object it is, so that the same file has the same rules wherever it is
 * mapped, and another one, or none that says which build it is, has none of them. Rules are not believed further than the
 * tables of a damaged file would be: what they lead to is read with the same care. */
#include "sampler/walk/shared.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "sampler/object.h"
#include "sampler/sys.h"
#include "sampler/walk/slots.h"
#include "sampler/walk/walker.h"

#define LOG_FIRST 9u /* two pages */
_Static_assert((SP_SHARED_RULES_LOG - LOG_FIRST) % 2 == 0, "doubled twice each time");
#define ODD 0xff51afd7ed558ccdULL

/* Pages that nobody has written to yet may not be there to be had: reading one of a full file system kills. Who makes more of
 * the table be in use has the kernel make its pages first. */
static bool back(struct sp_shared_rules *rules, uint32_t log)
{
	uint64_t at = (uint64_t)(uintptr_t)rules, from = sp_page_start(at),
		 to = at + sizeof *rules + (sizeof *rules->slots << log);

	return sp_sys(SYS_madvise, from, to - from, SP_MADV_POPULATE_WRITE) == 0;
}

SP_AT_FORK void sp_shared_rules_use(struct sp_shared_rules *rules)
{
	__atomic_store_n(&sp_agent.shared_rules, rules, __ATOMIC_RELEASE);
}

static uint32_t log_used(const struct sp_shared_rules *rules)
{
	uint32_t log = __atomic_load_n(&rules->log_used, __ATOMIC_ACQUIRE);

	return log >= LOG_FIRST && log <= SP_SHARED_RULES_LOG && (log - LOG_FIRST) % 2 == 0 ? log : 0;
}

/* Doubled twice when it is half full. */
static void make_room(struct sp_shared_rules *rules, uint32_t log)
{
	uint32_t more = log ? log + 2 : LOG_FIRST;

	if (log && (log == SP_SHARED_RULES_LOG || sp_add(&rules->kept, 1) < 1u << (log - 1)))
		return;
	sp_store(&rules->kept, 0);
	if (back(rules, more))
		__atomic_store_n(&rules->log_used, more, __ATOMIC_RELEASE);
}

/* What builds of objects are told apart by is looked up once in a process; 0: nothing. */
static uint64_t identity_of(const struct dl_find_object *object)
{
	uint64_t key = ~sp_rules_key((uint64_t)(uintptr_t)object->dlfo_map_start), identity;

	if (sp_rules_find(key, &identity))
		return identity;
	identity = sp_object_identity(object);
	sp_rules_keep(key, identity);
	return identity;
}

static bool is_rule(uint64_t word, struct sp_cfi_rule *rule)
{
	memcpy(rule, &word, sizeof *rule);
	return rule->kind == SP_CFI_FRAME || rule->kind == SP_CFI_SIGNAL || rule->kind == SP_CFI_END ||
		rule->kind == SP_CFI_COMPLEX;
}

/* Where the same rule holds for all of a block, it is kept for the block: the instructions that are interrupted are others each
 * time. */
#define LOG_BLOCK 6u

struct keys {
	uint64_t block, place;
};

static struct keys keys_of(uint64_t identity, uint64_t offset)
{
	return (struct keys){identity ^ (offset >> LOG_BLOCK | 1ull << 63) * ODD, identity ^ offset * ODD};
}

static bool has_block(const struct sp_cfi_range *range, uint64_t pc, uint64_t offset)
{
	uint64_t start = pc - (offset & ((1u << LOG_BLOCK) - 1));

	return range->from <= start && start + (1u << LOG_BLOCK) <= range->to;
}

static void keep(struct sp_shared_rules *rules, uint32_t log, uint64_t key, struct sp_cfi_rule rule)
{
	uint64_t word;

	make_room(rules, log);
	log = log_used(rules);
	memcpy(&word, &rule, sizeof word);
	if (log)
		sp_slots_keep(rules->slots, log, key, word);
}

/* What was kept before the last doubling stands where it stood, until somebody looks for it. */
static bool find(struct sp_shared_rules *rules, uint32_t log, uint64_t key, struct sp_cfi_rule *rule)
{
	uint64_t word;

	if (!log)
		return false;
	if (sp_slots_find(rules->slots, log, key, &word) && is_rule(word, rule))
		return true;
	if (log <= LOG_FIRST || !sp_slots_find(rules->slots, log - 2, key, &word) || !is_rule(word, rule))
		return false;
	keep(rules, log, key, *rule);
	return true;
}

struct sp_cfi_rule sp_shared_rules_find(uint64_t pc)
{
	struct sp_shared_rules *rules = __atomic_load_n(&sp_agent.shared_rules, __ATOMIC_ACQUIRE);
	struct dl_find_object object;
	struct sp_cfi_range range;
	uint64_t identity, offset;
	struct sp_cfi_rule rule;
	struct keys keys;
	uint32_t log;

	if (!rules || _dl_find_object((void *)pc, &object) != 0 || !(identity = identity_of(&object)))
		return sp_cfi_find(pc);
	offset = pc - object.dlfo_link_map->l_addr;
	keys = keys_of(identity, offset);
	log = log_used(rules);
	if (find(rules, log, keys.block, &rule) || find(rules, log, keys.place, &rule))
		return rule;
	rule = sp_cfi_find_around(pc, &range);
	if (rule.kind != SP_CFI_NONE)
		keep(rules, log, has_block(&range, pc, offset) ? keys.block : keys.place, rule);
	return rule;
}
