/* Thresholds. */
#include "sampler/upkeep/thresholds.h"

#include <string.h>

#include "sampler/sys.h"
#include "sampler/threads/task_file.h"
#include "sampler/upkeep/marks.h"
#include "sampler/upkeep/memory.h"
#include "sampler/upkeep/totals.h"

#define WINDOW_NS 20000000u
#define CPU_WINDOW_NS 10000000000u
#define CPU_LOOK_NS 1000000000u
#define SLOW_RESPONSES 5u /* in ... */
#define RESPONSE_WINDOW_NS 10000000000u
#define RESPONSE_QUIET_NS 60000000000u /* after a mark */
#define SEQUENCE_NS 3600000000000u
#define SEQUENCE_MARKS 5u
#define WITHDRAWN_MOST 8u /* then there is no room for more of those that come to nothing */

/* Memory grows by page faults: 4 KB in 0.25 us at the fastest, with huge pages 2 MB in 100 us. */
#define GROWS_BYTES_PER_US 20000u
#define LOOK_LEAST_NS 2000000u
#define LOOK_MOST_NS 250000000u
#define SWAP_NS 1000000000u /* between looks at what is swapped out, and in huge pages */

static const char *const names[SP_MEMORY_RULES] = {"warning", "critical", "profiling", "memory"};

static struct {
	uint32_t busy;
	uint64_t due_ns; /* atomic */
	bool begun;
	struct sp_threshold memory[SP_MEMORY_RULES], cpu;
	uint64_t began_ns; /* of the sequence; 0: none is going on */
	uint32_t marks, cpu_marks, withdrawn;
	uint64_t swap_ns, swapped_bytes;
	uint64_t cpu_looked_ns, cpu_ns;
	uint64_t slow_since_ns, slow_before; /* slow responses: since when they are counted, and those of before */
	uint64_t response_marked_ns;
	uint32_t response_marks;
} state;

uint64_t sp_threshold_next(const struct sp_threshold *rule)
{
	return !rule->limit ? UINT64_MAX : rule->high ? rule->high + rule->high / 4 : rule->limit;
}

enum sp_threshold_action sp_threshold_look(struct sp_threshold *rule, uint64_t value, uint64_t now, uint64_t window_ns,
	bool may_again)
{
	if (!rule->limit)
		return SP_THRESHOLD_NOTHING;
	if (rule->marked && value < rule->limit) {
		rule->high = 0;
		return SP_THRESHOLD_WITHDRAW;
	}
	if (rule->marked && now - rule->since_ns >= window_ns)
		rule->marked = 0;
	if (rule->marked)
		return SP_THRESHOLD_NOTHING;
	if (rule->high && value < rule->limit / 10 * 9)
		rule->high = 0;
	if (value < sp_threshold_next(rule) || (rule->high && !may_again))
		return SP_THRESHOLD_NOTHING;
	rule->high = value;
	rule->since_ns = now;
	return SP_THRESHOLD_MARK;
}

static void withdraw(struct sp_threshold *rule)
{
	sp_mark_withdraw(rule->marked);
	rule->marked = 0;
	state.withdrawn++;
	if (state.withdrawn >= WITHDRAWN_MOST)
		rule->limit = 0;
}

/* --- memory ------------------------------------------------------------------------------------- */

static uint64_t memory_bytes(uint64_t now)
{
	struct sp_task_memory memory;

	if (!state.swap_ns || now - state.swap_ns >= SWAP_NS) {
		state.swap_ns = now;
		if (sp_task_memory(&memory)) {
			state.swapped_bytes = memory.swapped_bytes + memory.huge_bytes;
			return memory.anonymous_bytes + state.swapped_bytes;
		}
	}
	return sp_memory_resident().anonymous_bytes + state.swapped_bytes;
}

/* What memory can have come to at the most. Opening and reading a file of /proc to know it takes some 20 us. The kernel's count
 * of what was resident at the most lags behind by as much as its processors have not told each other. */
static uint64_t most_bytes(uint64_t now)
{
	uint64_t age_ns, most = sp_totals_most_rss(&age_ns);

	if (!most || !state.swap_ns || now - state.swap_ns >= SWAP_NS)
		return UINT64_MAX;
	return most + most / 16 + age_ns / 1000 * GROWS_BYTES_PER_US + state.swapped_bytes;
}

/* Whether with so much every rule stays as it is. */
static bool is_below_all(uint64_t most)
{
	uint32_t i;

	for (i = 0; i < SP_MEMORY_RULES; i++)
		if (state.memory[i].limit &&
			(most >= state.memory[i].limit || state.memory[i].marked || state.memory[i].high))
			return false;
	return true;
}

static uint32_t armed(void)
{
	uint32_t i, n = 0;

	for (i = 0; i < SP_MEMORY_RULES; i++)
		n += state.memory[i].limit && !state.memory[i].high;
	return n;
}

static bool may_mark(bool again)
{
	return state.marks + (again ? armed() : 0) < SEQUENCE_MARKS;
}

static void end_sequence(uint64_t now)
{
	uint32_t i;

	for (i = 0; i < SP_MEMORY_RULES; i++)
		if (state.memory[i].high)
			return;
	if (state.marks && now - state.began_ns >= SEQUENCE_NS)
		state.marks = 0;
}

static void mark_memory(uint32_t i, uint64_t value, uint64_t now)
{
	struct sp_mark_reason reason = {.kind = SP_MARK_MEMORY,
		.name = names[i],
		.value = value,
		.threshold = state.memory[i].limit,
		.captured = sp_agent.config.memory[i].given};

	if (!may_mark(false))
		return;
	if (!state.marks++)
		state.began_ns = now;
	state.memory[i].marked = sp_mark_set(&reason);
}

/* How long not to look: memory cannot have grown so far in less. */
static uint64_t pause_ns(uint64_t value)
{
	uint64_t next = UINT64_MAX, ns;
	uint32_t i;

	for (i = 0; i < SP_MEMORY_RULES; i++) {
		uint64_t at = sp_threshold_next(&state.memory[i]);

		if (state.memory[i].marked)
			return LOOK_LEAST_NS;
		next = at < next ? at : next;
	}
	if (next == UINT64_MAX)
		return LOOK_MOST_NS;
	ns = next > value ? (next - value) / GROWS_BYTES_PER_US * 1000 : 0;
	return ns < LOOK_LEAST_NS ? LOOK_LEAST_NS : ns > LOOK_MOST_NS ? LOOK_MOST_NS : ns;
}

static uint64_t look_at_memory(uint64_t now)
{
	uint64_t most = most_bytes(now), value = is_below_all(most) ? most : memory_bytes(now);
	uint32_t i;

	for (i = 0; i < SP_MEMORY_RULES; i++) {
		struct sp_threshold *rule = &state.memory[i];

		switch (sp_threshold_look(rule, value, now, WINDOW_NS, may_mark(true))) {
		case SP_THRESHOLD_MARK:
			mark_memory(i, value, now);
			break;
		case SP_THRESHOLD_WITHDRAW:
			state.marks--;
			withdraw(rule);
			break;
		case SP_THRESHOLD_NOTHING:
			break;
		}
	}
	end_sequence(now);
	return pause_ns(value);
}

/* --- CPU ---------------------------------------------------------------------------------------- */

static void mark_cpu(uint64_t value)
{
	struct sp_mark_reason reason = {
		.kind = SP_MARK_CPU, .name = "cpu", .value = value, .threshold = state.cpu.limit};

	if (state.cpu_marks++ < SEQUENCE_MARKS)
		state.cpu.marked = sp_mark_set(&reason);
}

/* An idle process does not come here: what it used is spread over the time in which it did not. */
static void look_at_cpu(uint64_t now)
{
	const struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	uint64_t passed = now - state.cpu_looked_ns, ns = sp_load(&cpu->self_user_ns) + sp_load(&cpu->self_sys_ns),
		 value;

	if (!state.cpu.limit || passed < CPU_LOOK_NS)
		return;
	value = (ns - state.cpu_ns) / (passed / 1000 + 1);
	if (state.cpu_looked_ns)
		switch (sp_threshold_look(&state.cpu, value, now, CPU_WINDOW_NS, false)) {
		case SP_THRESHOLD_MARK:
			mark_cpu(value);
			break;
		case SP_THRESHOLD_WITHDRAW:
			state.cpu_marks--;
			withdraw(&state.cpu);
			break;
		case SP_THRESHOLD_NOTHING:
			break;
		}
	state.cpu_looked_ns = now;
	state.cpu_ns = ns;
}

/* --- response times ----------------------------------------------------------------------------- */

static void mark_responses(uint64_t value, uint64_t now)
{
	struct sp_mark_reason reason = {.kind = SP_MARK_RESPONSE,
		.name = "response",
		.value = value,
		.threshold = sp_agent.config.response_ns,
		.captured = sp_agent.config.response_given};

	state.response_marked_ns = now;
	state.response_marks++;
	sp_mark_set(&reason);
}

void sp_thresholds_slow_response(uint64_t now)
{
	uint64_t count = sp_load(&sp_agent.spool->spans.slow_responses);

	if (!sp_try_lock(&state.busy))
		return;
	if (!state.slow_since_ns || now - state.slow_since_ns > RESPONSE_WINDOW_NS) {
		state.slow_since_ns = now;
		state.slow_before = count - 1;
	}
	if (count - state.slow_before >= SLOW_RESPONSES && state.response_marks < SEQUENCE_MARKS &&
		(!state.response_marks || now - state.response_marked_ns > RESPONSE_QUIET_NS))
		mark_responses(count - state.slow_before, now);
	sp_unlock(&state.busy);
}

/* --- memory and CPU ----------------------------------------------------------------------------- */

static void begin(void)
{
	uint32_t i;

	for (i = 0; i < SP_MEMORY_RULES; i++)
		state.memory[i].limit = sp_agent.config.memory[i].bytes;
	state.cpu.limit = sp_agent.config.cpu_permille;
	state.begun = true;
}

/* Whether memory can have come to a threshold since the process began: it has neither been so large nor used the time that
 * growing takes. A short process need not look, which takes a tenth of a millisecond. */
static bool can_be_due(void)
{
	const struct sp_spool_header *h = sp_agent.spool;
	uint64_t peak = sp_load(&h->max_rss_bytes), ns = sp_load(&h->cpu.self_user_ns) + sp_load(&h->cpu.self_sys_ns);
	uint64_t most = ns / 1000 * GROWS_BYTES_PER_US;
	uint32_t i;

	for (i = 0; peak && i < SP_MEMORY_RULES; i++)
		if (state.memory[i].limit && state.memory[i].limit <= (peak > most ? peak : most))
			return true;
	return !peak;
}

void sp_thresholds_step(uint64_t now)
{
	uint64_t pause;

	if (now < sp_load(&state.due_ns) || !sp_try_lock(&state.busy))
		return;
	if (!state.begun)
		begin();
	if (!state.due_ns && !can_be_due()) {
		sp_unlock(&state.busy);
		return;
	}
	look_at_cpu(now);
	pause = look_at_memory(now);
	sp_store(&state.due_ns, now + pause);
	sp_unlock(&state.busy);
}

SP_AT_FORK void sp_thresholds_forked(void)
{
	memset(&state, 0, sizeof state);
}
