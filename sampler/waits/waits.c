/* What threads have waited. */
#include "sampler/waits/waits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "sampler/sys.h"
#include "sampler/threads/thread.h"

struct sp_waits sp_waits;

/* What it takes to look at what a thread has used: a system call, in virtual machines 450 ns. A call that may have
 * blocked is looked at, so that calls shorter than this are not: in them looking would be a large part of the budget. */
#define LOOK_NS 400u
#define LEAST_NS 4000u
#define MOST_NS 50000u

/* The cycle counter, by which the thread's time is taken, and the kernel's CPU time differ by less than this part. */
#define DRIFT_PART 4096u

static uint64_t cycles_of(uint64_t ns)
{
	return sp_scale(ns, sp_load(&sp_agent.tsc_per_us_x1024), 1024000);
}

void sp_waits_start(void)
{
	sp_store(&sp_waits.least_cycles, LEAST_NS * 5 / 2); /* until it is known how fast the counter runs */
}

void sp_waits_off(void)
{
	sp_store(&sp_waits.least_cycles, 0);
}

/* Of the budget a tenth at the most goes to looking. */
static uint64_t least_ns(void)
{
	uint64_t ns = 10ull * LOOK_NS * 1000 / sp_agent.config.budget_permille;

	return ns < LEAST_NS ? LEAST_NS : ns > MOST_NS ? MOST_NS : ns;
}

static void count(struct sp_wait_count *c, uint64_t ns)
{
	sp_add(&c->ns, ns);
	sp_add(&c->count, 1);
	if (ns > sp_load(&c->longest_ns))
		sp_store(&c->longest_ns, ns);
}

void sp_waits_configure(struct sp_thread *t, bool on)
{
	sp_store(&sp_waits.least_cycles, on ? cycles_of(least_ns()) : 0);
	sp_agent.spool->waits.on = on;
	sp_agent.spool->waits.least_ns = on ? least_ns() : 0;
	if (on && t && t->record)
		memcpy(t->record->waits, sp_waits.early, sizeof t->record->waits);
}

void sp_waits_forked(void)
{
	memset(sp_waits.early, 0, sizeof sp_waits.early);
}

/* What of `ns` the thread was not on a CPU: no more than it has been off since it was last looked at. */
static uint64_t off_cpu(struct sp_thread *t, uint64_t ns, uint64_t now)
{
	struct sp_thread_waits *w = &t->wait;
	uint64_t cpu_ns, switches, wall_ns = sp_tsc_ns(now - w->looked_tsc), off;
	bool first = !w->looked_tsc;
	struct rusage ru;

	if (sp_sys(SYS_getrusage, RUSAGE_THREAD, &ru) != 0)
		return ns;
	cpu_ns = (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000000u +
		(uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000u;
	switches = (uint64_t)ru.ru_nvcsw;
	off = wall_ns + wall_ns / DRIFT_PART + w->looked_cpu_ns;
	off = off > cpu_ns ? off - cpu_ns : 0;
	off = off > w->unlooked_ns ? off - w->unlooked_ns : 0;
	if (switches == w->looked_switches) /* it never slept */
		off = 0;
	w->looked_tsc = now;
	w->looked_cpu_ns = cpu_ns;
	w->looked_switches = switches;
	w->unlooked_ns = 0;
	return (first && switches) || off > ns ? ns : off;
}

/* A lock that is waited for takes no CPU time worth a look. */
static uint64_t blocked_ns(struct sp_thread *t, enum sp_wait_kind kind, uint64_t ns, uint64_t now)
{
	if (kind != SP_WAIT_LOCK)
		return off_cpu(t, ns, now);
	t->wait.unlooked_ns += ns;
	return ns;
}

static void ended(struct sp_thread *t, enum sp_wait_call call, uint64_t ns, uint64_t now)
{
	enum sp_wait_kind kind = sp_wait_kind_of(call);
	struct sp_thread_record *r = t->record ? t->record : sp_section(SP_SEC_THREADS);

	ns = blocked_ns(t, kind, ns, now);
	if (ns)
		count(&r->waits[kind], ns);
}

/* Whether this process, and this thread of it, is one that is counted. */
static bool is_counted(void)
{
	if (sp_unlikely(sp_is_stale_child())) {
		sp_agent.forked();
		return false;
	}
	return !sp_tls.guard && !sp_tls.dead && !(sp_waits.vforked && (int)sp_sys(SYS_getpid) != sp_agent.pid);
}

void sp_wait_ended(const struct sp_timed_call *w, enum sp_wait_call call, uint64_t cycles)
{
	uint64_t now = w->began + cycles, inner = sp_tls.waited - w->inner;
	int saved_errno, state;

	/* What a signal's handler has waited meanwhile is counted already. */
	cycles = cycles > inner ? cycles - inner : 0;
	sp_tls.waited = w->inner + inner + cycles;
	if (!is_counted())
		return;
	saved_errno = errno;
	state = sp_load(&sp_agent.state);
	if (state == SP_AGENT_ACTIVE && !sp_tls.thread)
		sp_agent.adopt(); /* a thread made behind our back */
	if (state == SP_AGENT_ACTIVE && sp_tls.thread && !sp_load(&sp_agent.stopped))
		ended(sp_tls.thread, call, sp_tsc_ns(cycles), now);
	else if (state == SP_AGENT_DORMANT)
		count(&sp_waits.early[sp_wait_kind_of(call)], sp_tsc_ns(cycles));
	errno = saved_errno;
}
