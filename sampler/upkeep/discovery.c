/* Thread discovery. */
#include "sampler/upkeep/discovery.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sampler/clock/clock.h"
#include "sampler/sys.h"
#include "sampler/threads/open_wait.h"
#include "sampler/threads/registry.h"
#include "sampler/threads/self.h"
#include "sampler/threads/task_file.h"
#include "sampler/threads/thread.h"

#define CHECK_NS 40000000u /* between looks while nothing changes; doubles up to ... */
#define CHECK_MAX_NS 160000000u
#define FIRST_PERIOD_NS 40000000u /* between searches while nothing changes; doubles up to ... */
#define PERIOD_NS 320000000u
#define COST_FACTOR 200u /* a search is paid for by this many times its duration without one */

/* A thread that has used less is not added: there is nothing to sample yet, and a thread on its way
 * into pthread_create's hook has used far less. */
#define WORTH_NS 1000000u

static struct {
	uint32_t busy;       /* sp_try_lock of what follows */
	uint32_t scan;       /* number of the search */
	uint64_t live_ns;    /* CPU time of all threads seen in this search */
	int64_t lost_ns;     /* after the last search: see lost_ns() */
	int32_t settled;     /* threads too many after the last search */
	uint64_t checked_ns; /* atomic */
	uint64_t check_ns;   /* atomic: between two looks */
	uint64_t due_ns;     /* the next search, whatever changes */
	uint64_t not_before_ns;
	uint64_t period_ns;
} discovery = {.period_ns = FIRST_PERIOD_NS};

/* Since the process's start, from clock ticks since the machine's. */
static uint64_t started_ns(uint64_t start_ticks)
{
	uint64_t age_ns = sp_clock_read_ns(CLOCK_BOOTTIME) - start_ticks * SP_TASK_TICK_NS, now = sp_now_ns();

	return age_ns < now ? now - age_ns : 0;
}

/* Arms the clocks of a found thread, unless it blocks their signal. It may be one that waits for signals, and ours
 * must not be handed to it. */
static void arm(struct sp_thread *t)
{
	/* While the agent is put into a process, the thread that does it blocks everything. */
	bool held = sp_agent.attached && t->tid == (int)sp_sys(SYS_gettid);

	if (!held && sp_task_blocks(t->tid)) {
		t->record->flags |= SP_THREAD_BLOCKED;
		sp_clock_stop_process();
	} else {
		t->record->flags &= ~SP_THREAD_BLOCKED;
		sp_clock_arm(t);
	}
}

/* Now that the thread's block is listed: whether the thread has come by itself meanwhile, or has ended. A search may
 * be preempted for longer than many a thread lives. A thread that comes from now on finds the block. */
static bool has_come_or_gone(const struct sp_thread *t, uint64_t start_ticks)
{
	struct sp_task task;

	return sp_registry_find(t->tid, t) || sp_self_is_leaving(t->tid) || !sp_task_read(t->tid, &task) ||
		task.exiting || task.start_ticks != start_ticks;
}

static void add_thread(int tid, const struct sp_task *task)
{
	struct sp_thread *t = sp_block_take();
	uint64_t user_ns = task->user_ns, sys_ns = task->sys_ns;

	sp_usage_since_begin(tid, &user_ns, &sys_ns);
	if (!t || !sp_thread_assign(t, tid, user_ns, sys_ns))
		return;
	t->start_ticks = task->start_ticks;
	t->measured_ns = sp_now_ns();
	t->seen = discovery.scan;
	t->root_pc = tid == sp_agent.pid ? 0 : sp_agent.thread_root_pc ? sp_agent.thread_root_pc : 1;
	memcpy(t->record->name, task->name, sizeof t->record->name);
	t->record->start_ns = started_ns(task->start_ticks);
	if (has_come_or_gone(t, task->start_ticks)) {
		sp_thread_discard(t);
		return;
	}
	sp_self_count_discovered(1);
	if (sp_agent_state() == SP_AGENT_ACTIVE)
		arm(t);
}

/* What a thread has used since it was last looked at. One that ticks is a tick behind at most; one that
 * does not may have the signal blocked. */
static void measure(struct sp_thread *t)
{
	struct sp_thread_record *r = t->record;
	uint64_t total = sp_thread_clock(t->tid), known;
	struct sp_task task = {.user_ns = 0};

	if (!r || total <= (known = r->cpu_user_ns + r->cpu_sys_ns))
		return;
	if (total - known >= 2 * SP_TASK_TICK_NS && sp_task_read(t->tid, &task) && sp_task_blocks(t->tid))
		r->flags |= SP_THREAD_BLOCKED;
	sp_thread_divide(r, total, &task);
	t->measured_ns = sp_now_ns();
}

/* The CPU time of threads that are gone and that no record holds. */
static int64_t lost_ns(void)
{
	struct sp_usage usage;

	sp_process_usage(&usage);
	return (int64_t)(usage.user_ns + usage.sys_ns - discovery.live_ns - sp_thread_ended_ns());
}

static bool is_gone(const struct sp_thread *t)
{
	return t->discovered && !t->owned && t->seen != discovery.scan;
}

static void add_known(struct sp_thread *t, void *sum)
{
	if (is_gone(t) && t->record)
		*(uint64_t *)sum += t->record->cpu_user_ns + t->record->cpu_sys_ns;
}

/* False: the next search will. */
static bool remove_thread(struct sp_thread *t)
{
	if (!sp_clock_disarm(t))
		return false;
	sp_thread_end_unseen(t);
	sp_self_count_discovered(-1u);
	return true;
}

static bool is_ours(const struct sp_thread *t)
{
	return t->discovered && !t->owned;
}

/* Leaves one block to a thread that was found at the moment at which it came by itself: of the two, its own. */
static struct sp_thread *only_block(int tid)
{
	struct sp_thread *t = sp_registry_find(tid, NULL), *other = t ? sp_registry_find(tid, t) : NULL, *twin;

	if (!other || (!is_ours(t) && !is_ours(other)))
		return t;
	twin = is_ours(t) ? t : other;
	if (!sp_clock_disarm(twin))
		return twin == t ? other : t;
	sp_thread_discard(twin);
	sp_self_count_discovered(-1u);
	return twin == t ? other : t;
}

/* On the way into a hook, if there are hooks. */
static bool is_young(uint64_t used)
{
	return used < WORTH_NS && !sp_agent.attached;
}

/* A thread in /proc/self/task. */
static void look_at(int tid)
{
	struct sp_thread *t = only_block(tid);
	struct sp_task task;
	uint64_t used = sp_thread_clock(tid);

	discovery.live_ns += used;
	if (t && !is_ours(t))
		return;
	if ((!t && (is_young(used) || sp_self_is_leaving(tid))) || !sp_task_read(tid, &task))
		return;
	if (t && t->start_ticks == task.start_ticks) {
		t->seen = discovery.scan;
		if (!sp_load(&t->armed)) {
			measure(t);
			arm(t);
		}
		return;
	}
	if (t && !remove_thread(t)) /* the id is another thread's now */
		return;
	if (!task.exiting)
		add_thread(tid, &task);
}

/* It has ended since the last search: what has gone missing since then was its own, as far as the time
 * that has passed allows. */
static void remove_ended(struct sp_thread *t, void *missing)
{
	int64_t *lost = missing, most = (int64_t)(sp_now_ns() - t->measured_ns);

	if (!is_gone(t))
		return;
	if (*lost > 0 && t->record) {
		most = most < *lost ? most : *lost;
		t->record->cpu_user_ns += (uint64_t)most;
		*lost -= most;
	}
	remove_thread(t);
}

static void remove_all_ended(void)
{
	uint64_t known = 0;
	int64_t lost;

	sp_block_each(add_known, &known);
	lost = lost_ns() - discovery.lost_ns - (int64_t)known;
	sp_block_each(remove_ended, &lost);
}

/* Threads of the process: the links of /proc/self/task but two. */
static int32_t count_tasks(void)
{
	struct stat st;

	return sp_sys(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &st, 0) == 0 ? (int32_t)st.st_nlink - 2 : -1;
}

static int32_t too_many(void)
{
	int32_t tasks = count_tasks();
	return tasks < 0 ? 0 : tasks - (int32_t)sp_registry_count();
}

SP_AT_FORK void sp_discovery_forked(void)
{
	discovery.settled = 0;
	discovery.lost_ns = 0;
	discovery.due_ns = discovery.not_before_ns = 0;
	discovery.period_ns = FIRST_PERIOD_NS;
}

static void scan(void)
{
	uint64_t began = sp_now_ns(), ended;

	discovery.scan++;
	discovery.live_ns = 0;
	if (!sp_task_each(look_at))
		return;
	if (sp_self_discovered())
		remove_all_ended();
	discovery.lost_ns = lost_ns();
	ended = sp_now_ns();
	discovery.settled = too_many();
	discovery.not_before_ns = ended + (ended - began) * COST_FACTOR;
	discovery.due_ns = ended + discovery.period_ns;
	if (discovery.period_ns < PERIOD_NS)
		discovery.period_ns *= 2;
}

/* The first thread is here, and the C library knows of no other: one that it does not know of is met at a tick. */
bool sp_discovery_is_needless(void)
{
	return !sp_agent.attached && sp_is_single_threaded() && (int)sp_sys(SYS_gettid) == sp_agent.pid;
}

void sp_discovery_scan(void)
{
	if (sp_agent.sealed || !sp_try_lock(&discovery.busy))
		return;
	scan();
	sp_unlock(&discovery.busy);
}

void sp_discovery_check(uint64_t now)
{
	int32_t more;

	if (now - sp_load(&discovery.checked_ns) < sp_load(&discovery.check_ns) || sp_agent.sealed ||
		!sp_try_lock(&discovery.busy))
		return;
	sp_store(&discovery.checked_ns, now);
	more = too_many();
	if (more != discovery.settled)
		discovery.period_ns = FIRST_PERIOD_NS;
	if (more != discovery.settled || discovery.check_ns < CHECK_NS)
		sp_store(&discovery.check_ns, CHECK_NS);
	else if (discovery.check_ns < CHECK_MAX_NS)
		sp_store(&discovery.check_ns, discovery.check_ns * 2);
	if (now >= discovery.not_before_ns &&
		(more != discovery.settled || ((more > 0 || sp_self_discovered()) && now >= discovery.due_ns)))
		scan();
	sp_unlock(&discovery.busy);
}

static void scan_main(void *unused)
{
	(void)unused;
	sp_discovery_scan();
	sp_clock_sentinel(sp_now_ns());
}

void sp_discovery_on_unknown(void)
{
	struct sp_thread *t = sp_block_take();

	if (!t)
		return;
	sp_on_stack(scan_main, NULL, sp_thread_stack(t));
	sp_block_give_back(t);
}

void sp_discovery_add(int tid)
{
	struct sp_task task;

	if (sp_agent.sealed || !sp_try_lock(&discovery.busy))
		return;
	if (!sp_registry_find(tid, NULL) && sp_task_read(tid, &task))
		add_thread(tid, &task);
	sp_unlock(&discovery.busy);
}

static void measure_but_caller(struct sp_thread *t, void *caller)
{
	if (t->tid == *(const int *)caller)
		return;
	measure(t);
	sp_thread_look_at_queue(t, sp_now_ns());
}

static void note_wait(struct sp_thread *t, void *caller)
{
	struct sp_thread_record *r = sp_load(&t->record); /* the thread may end meanwhile */

	if (r && t->tid != *(const int *)caller)
		r->open_wait = sp_open_wait(t->tid);
}

void sp_discovery_note_waits(void)
{
	int self = (int)sp_sys(SYS_gettid);

	sp_block_each(note_wait, &self);
}

void sp_discovery_finish(void)
{
	int self = (int)sp_sys(SYS_gettid);

	if (sp_self_discovered() || too_many() != 0)
		sp_discovery_scan();
	sp_block_each(measure_but_caller, &self);
}
