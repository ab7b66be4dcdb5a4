/* Control from outside. */
#include "sampler/upkeep/control.h"

#include <errno.h>
#include <string.h>

#include "sampler/clock/clock.h"
#include "sampler/spans/log.h"
#include "sampler/sys.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/marks.h"
#include "sampler/upkeep/totals.h"

#define LEAST_INTERVAL_NS 10000u
#define MOST_INTERVAL_NS 1000000000u

static uint64_t cpu_ns(void)
{
	struct sp_usage usage = sp_totals_update();

	return usage.user_ns + usage.sys_ns;
}

/* A thread that was made meanwhile has not to do with the time before either. */
static void note_change(bool stopped)
{
	sp_store(&sp_agent.spool->control.stopped, stopped);
	sp_add(&sp_agent.stops, 1);
}

/* Of several threads that want the same, one does it. */
static bool change(uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&sp_agent.stopped, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void sp_control_stop(void)
{
	struct sp_control *c = &sp_agent.spool->control;

	if (!change(false, true))
		return;
	c->stopped_at_ns = sp_now_ns();
	c->stopped_at_cpu_ns = cpu_ns();
	note_change(true);
	sp_clock_pause();
}

void sp_control_start(void)
{
	struct sp_control *c = &sp_agent.spool->control;

	if (!change(true, false))
		return;
	c->stopped_ns += sp_now_ns() - c->stopped_at_ns;
	c->stopped_cpu_ns += cpu_ns() - c->stopped_at_cpu_ns;
	c->starts++;
	note_change(false);
	sp_clock_unpause();
}

static int set_interval(uint64_t ns)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;

	if (ns < LEAST_INTERVAL_NS || ns > MOST_INTERVAL_NS)
		return -ERANGE;
	cpu->requested_ns = ns;
	sp_store(&cpu->interval_ns, ns); /* the governor sees to what it costs */
	return 0;
}

static int set_mark(const char *from)
{
	char name[SP_MARK_NAME_BYTES];
	struct sp_mark_reason reason = {.kind = SP_MARK_NAMED, .name = name};

	memcpy(name, from, sizeof name);
	if (!sp_mark_name_ok(name))
		return -EINVAL;
	return sp_mark_set(&reason) ? 0 : -ENOSPC;
}

static int set_log(bool on)
{
	if (on)
		return sp_span_log_start();
	sp_span_log_stop();
	return 0;
}

static void obey_main(void *word)
{
	struct sp_control *c = &sp_agent.spool->control;

	switch (sp_control_verb(*(const uint64_t *)word)) {
	case SP_CONTROL_START:
		sp_control_start();
		c->result = 0;
		break;
	case SP_CONTROL_STOP:
		sp_control_stop();
		c->result = 0;
		break;
	case SP_CONTROL_INTERVAL:
		c->result = set_interval(c->argument);
		break;
	case SP_CONTROL_MARK:
		c->result = set_mark(c->name);
		break;
	case SP_CONTROL_LOG:
		c->result = set_log(c->argument);
		break;
	default:
		c->result = -EINVAL;
		break;
	}
}

void sp_control_obey(void)
{
	static uint32_t busy;
	struct sp_control *c;
	uint64_t word, mask;
	struct sp_thread *block;

	if (sp_agent.sealed || sp_is_stale_child())
		return;
	mask = sp_block_others(false);
	if (!sp_try_lock(&busy)) {
		sp_restore_signals(mask);
		return;
	}
	c = &sp_agent.spool->control;
	word = __atomic_load_n(&c->asked, __ATOMIC_ACQUIRE);
	block = word != sp_load(&c->answered) ? sp_block_take() : NULL;
	if (block) {
		sp_on_stack(obey_main, &word, sp_thread_stack(block));
		sp_block_give_back(block);
		__atomic_store_n(&c->answered, word, __ATOMIC_RELEASE);
	}
	sp_unlock(&busy);
	sp_restore_signals(mask);
}
