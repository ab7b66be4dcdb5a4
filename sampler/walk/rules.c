/* Rules, remembered by address in a table that all threads share. */
#include <dlfcn.h>
#include <string.h>

#include "sampler/walk/code_rule.h"
#include "sampler/walk/shared.h"
#include "sampler/walk/slots.h"
#include "sampler/walk/unwind.h"
#include "sampler/walk/walker.h"

#define LOG_RULES 14u
#define INSTRUCTIONS_MAX 2048u /* that are followed to where code without tables returns */
#define GENERATED_INSTRUCTIONS_MAX 256u
#define LOG_KEPT_CYCLES 28u

static struct sp_rule_slot rules[1u << LOG_RULES] SP_BIG __attribute__((aligned(4096)));
_Static_assert(sizeof rules == SP_UNWIND_TABLE_BYTES, "as its header says");

uint64_t sp_rules_key(uint64_t address)
{
	return address ^ sp_load(&sp_agent.unload_gen) << 48;
}

/* Of the table's 64 pages only as many are in use as have been worth it: a short process keeps a hundred rules, and each page that
 * is touched costs more than the rule. What stands elsewhere after a doubling is found anew. */
#define LOG_FIRST 9u                        /* two pages of them */
static uint32_t log_used = LOG_FIRST, kept; /* atomic */

void sp_unwind_begin(void)
{
	static uint32_t begun; /* atomic */

	if (sp_load(&begun) || __atomic_exchange_n(&begun, 1, __ATOMIC_RELAXED))
		return;
	for (size_t at = 0; at < 1u << LOG_FIRST; at += 4096 / sizeof *rules)
		__atomic_fetch_or((uint64_t *)&rules[at], 0, __ATOMIC_RELAXED);
}

static void make_room(void)
{
	uint32_t log = sp_load(&log_used);

	if (sp_add(&kept, 1) >= 1u << (log - 1) && log < LOG_RULES) {
		sp_store(&log_used, log + 2 < LOG_RULES ? log + 2 : LOG_RULES);
		sp_store(&kept, 0);
	}
}

void sp_rules_keep(uint64_t key, uint64_t rule)
{
	make_room();
	sp_slots_keep(rules, sp_load(&log_used), key, rule);
}

bool sp_rules_find(uint64_t key, uint64_t *rule)
{
	return sp_slots_find(rules, sp_load(&log_used), key, rule);
}

/* Code in an object that no table tells of. A stack that was made by hand returns to the first byte of a function, before
 * which no other one ends: makecontext's do, to __start_context. */
static struct sp_cfi_rule untold_rule(uint64_t ip, bool exact)
{
	static const struct sp_cfi_rule start = {.kind = SP_CFI_START};
	struct sp_cfi_rule rule = {.kind = SP_CFI_NONE};

	if (!exact)
		rule = sp_cfi_find(ip);
	if (rule.kind == SP_CFI_END || (rule.kind == SP_CFI_FRAME && !rule.flags && rule.cfa_offset == SP_ENTRY_CFA))
		return start;
	return sp_code_rule(ip, INSTRUCTIONS_MAX);
}

/* Emulators have the way back from a handler in no object (qemu's before 8.2). */
static bool is_bare_signal_return(uint64_t ip)
{
	uint8_t code[SP_SIGNAL_RETURN_BYTES];

	return sp_read_memory(code, (const void *)ip, sizeof code) && sp_is_signal_return(code);
}

/* Generated code may change: what was read of it is kept for a tenth of a second. */
static struct sp_cfi_rule generated_rule(struct sp_walker *w)
{
	uint64_t key = IP(w) ^ (w->stack.began >> LOG_KEPT_CYCLES | 0x8000) << 48, word;
	struct sp_cfi_rule rule;

	if (!sp_rules_find(key, &word)) {
		rule = (struct sp_cfi_rule){.kind = SP_CFI_SIGNAL};
		if (!SP_SIGNAL_RETURN_MAY_BE_BARE || !is_bare_signal_return(IP(w)))
			rule = sp_code_rule(IP(w), GENERATED_INSTRUCTIONS_MAX);
		memcpy(&word, &rule, sizeof word);
		sp_rules_keep(key, word);
	}
	memcpy(&rule, &word, sizeof rule);
	if (rule.kind != SP_CFI_SIGNAL)
		w->now.distrust = true;
	return rule;
}

/* Of the frame that the walk is at. What is in no object is not kept for long: it may be in one the next time. */
struct sp_cfi_rule sp_rules_current(struct sp_walker *w)
{
	uint64_t pc = IP(w) - !w->now.exact, key = sp_rules_key(pc), word;
	struct dl_find_object object;
	struct sp_cfi_rule rule;

	if (sp_likely(sp_rules_find(key, &word))) {
		memcpy(&rule, &word, sizeof rule);
		return rule;
	}
	if (sp_stack_is_late(&w->stack))
		return (struct sp_cfi_rule){.kind = SP_CFI_NONE};
	rule = sp_shared_rules_find(pc);
	if (rule.kind == SP_CFI_NONE && _dl_find_object((void *)pc, &object) != 0)
		return generated_rule(w);
	if (rule.kind == SP_CFI_NONE)
		rule = untold_rule(IP(w), w->now.exact);
	memcpy(&word, &rule, sizeof word);
	sp_rules_keep(key, word);
	return rule;
}
