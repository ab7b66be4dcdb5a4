/* Finding threads. */
#include "sampler/upkeep/discovery.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sampler/clock/clock.h"
#include "sampler/sys.h"
#include "sampler/threads/registry.h"
#include "sampler/threads/task_file.h"
#include "sampler/threads/thread.h"

#define CHECK_NS 40000000u /* between looks while nothing changes; doubles up to ... */
#define CHECK_MAX_NS 160000000u
#define FIRST_PERIOD_NS 40000000u /* between searches while nothing changes; doubles up to ... */
#define PERIOD_NS 320000000u
#define COST_FACTOR 200u /* a search is paid for by this many times its duration without one */

/* A thread that has used less is not taken in: there is nothing to sample yet, and a thread on its way
 * into pthread_create's hook has used far less. */
#define WORTH_NS 1000000u

static struct {
	uint32_t busy;       /* sp_try_lock of what follows */
	uint32_t scan;       /* number of the search */
	uint32_t found;      /* atomic: threads found and not owned by themselves */
	uint64_t live_ns;    /* CPU time of all threads seen in this search */
	int64_t lost_ns;     /* after the last search: see lost_ns() */
	int32_t settled;     /* threads too many after the last search */
	uint64_t checked_ns; /* atomic */
	uint64_t check_ns;   /* atomic: between two looks */
	uint64_t due_ns;     /* the next search, whatever changes */
	uint64_t not_before_ns;
	uint64_t period_ns;
	/* From the kernel's robust list head of a thread of the C library to its thread pointer, and
	 * to its sp_tls. */
	intptr_t to_pointer, to_tls;
} found = {.period_ns = FIRST_PERIOD_NS};

#define ARCH_GET_FS 0x1003

/* The thread's list of robust mutexes as the C library has registered it; 0 none. tid 0: the caller. */
static uintptr_t robust_head(int tid)
{
	uintptr_t head = 0;
	size_t length;

	return sp_sys(SYS_get_robust_list, tid, &head, &length) == 0 ? head : 0;
}

void sp_found_learn(void)
{
	uintptr_t pointer = 0, head = robust_head(0);

	if (!head || sp_sys(SYS_arch_prctl, ARCH_GET_FS, &pointer) != 0)
		return;
	found.to_pointer = (intptr_t)(pointer - head);
	found.to_tls = (intptr_t)((uintptr_t)&sp_tls - head);
}

/* Whether the calling thread has thread-local storage of its own, as the C library makes it. */
static bool has_storage(void)
{
	uintptr_t pointer = 0, head = robust_head(0);

	return head && found.to_pointer && sp_sys(SYS_arch_prctl, ARCH_GET_FS, &pointer) == 0 &&
		head + (uintptr_t)found.to_pointer == pointer;
}

bool sp_found_at_home(void)
{
	return (int)sp_sys(SYS_gettid) == sp_agent.pid || (!sp_is_single_threaded() && has_storage());
}

struct sp_thread *sp_found_self(void)
{
	if (sp_likely(!sp_load(&found.found)))
		return sp_tls.thread;
	return sp_tids_find((int)sp_sys(SYS_gettid), NULL);
}

struct sp_thread *sp_found_own(void)
{
	int tid = (int)sp_sys(SYS_gettid);
	struct sp_thread *t = sp_load(&found.found) ? sp_tids_find(tid, NULL) : NULL;
	struct sp_task task;

	if (!t || !t->found || t->owned || t->foreign)
		return NULL;
	if (!sp_task_read(tid, &task) || task.start_ticks != t->start_ticks)
		return NULL; /* of another thread that had this id */
	sp_thread_own(t);
	sp_add(&found.found, -1u);
	return t;
}

bool sp_found_enter(struct sp_thread *t)
{
	if (!t->met)
		t->foreign = !has_storage();
	t->met = true;
	if (t->foreign ? t->inside : sp_tls.guard || sp_tls.dead) {
		sp_drop(SP_DROP_REENTRY);
		return false;
	}
	if (t->foreign) {
		t->inside = true;
		return true;
	}
	t->tls = &sp_tls;
	sp_tls.guard = 1;
	return true;
}

void sp_found_leave(struct sp_thread *t)
{
	if (t->foreign)
		t->inside = false;
	else
		sp_leave(t);
}

/* Since the process's start, from clock ticks since the machine's. */
static uint64_t started_ns(uint64_t start_ticks)
{
	uint64_t age_ns = sp_clock_read_ns(CLOCK_BOOTTIME) - start_ticks * SP_TASK_TICK_NS, now = sp_now_ns();

	return age_ns < now ? now - age_ns : 0;
}

/* Whether thread `tid` has left the agent already and is on its way out. */
static bool is_leaving(int tid)
{
	uintptr_t head = robust_head(tid);
	struct sp_tls tls;

	return head && found.to_tls &&
		sp_read_memory(&tls, (const void *)(head + (uintptr_t)found.to_tls), sizeof tls) && tls.dead;
}

/* Arms the clocks of a found thread, unless it blocks their signal: then it waits for a thread that
 * wants it to be let go by something we must not touch. */
static void arm(struct sp_thread *t)
{
	if (sp_task_blocks(t->tid)) {
		t->record->flags |= SP_THREAD_BLOCKED;
		sp_clock_stop_process();
	} else {
		t->record->flags &= ~SP_THREAD_BLOCKED;
		sp_clock_arm(t);
	}
}

/* Whether the thread, now that its block is listed, has come by itself meanwhile, or ended: a search may be preempted
 * for as long as many a thread lives. One that comes from now on finds the block. */
static bool has_come_or_gone(const struct sp_thread *t, uint64_t start_ticks)
{
	struct sp_task task;

	return sp_tids_find(t->tid, t) || is_leaving(t->tid) || !sp_task_read(t->tid, &task) || task.exiting ||
		task.start_ticks != start_ticks;
}

static void take_in(int tid, const struct sp_task *task)
{
	struct sp_thread *t = sp_thread_take();
	uint64_t user_ns = task->user_ns, sys_ns = task->sys_ns;

	sp_usage_since_begin(tid, &user_ns, &sys_ns);
	if (!t || !sp_thread_find(t, tid, user_ns, sys_ns))
		return;
	t->start_ticks = task->start_ticks;
	t->measured_ns = sp_now_ns();
	t->seen = found.scan;
	t->root_pc = tid == sp_agent.pid ? 0 : sp_agent.thread_root_pc ? sp_agent.thread_root_pc : 1;
	memcpy(t->record->name, task->name, sizeof t->record->name);
	t->record->start_ns = started_ns(task->start_ticks);
	if (has_come_or_gone(t, task->start_ticks)) {
		sp_thread_forget(t);
		return;
	}
	sp_add(&found.found, 1);
	if (sp_load(&sp_agent.state) == SP_AGENT_ACTIVE)
		arm(t);
}

/* What a thread has used since it was last looked at. One that ticks is a tick behind at most; one that
 * does not may have the signal blocked. */
static void measure(struct sp_thread *t)
{
	struct sp_thread_record *r = t->record;
	uint64_t total = sp_thread_clock(t->tid), known, user;
	struct sp_task task;

	if (!r || total <= (known = r->cpu_user_ns + r->cpu_sys_ns))
		return;
	user = r->cpu_user_ns + total - known;
	if (total - known >= 2 * SP_TASK_TICK_NS && sp_task_read(t->tid, &task)) {
		if (task.user_ns + task.sys_ns)
			user = (uint64_t)((double)total * (double)task.user_ns / (double)(task.user_ns + task.sys_ns));
		if (user < r->cpu_user_ns)
			user = r->cpu_user_ns;
		if (user > total - r->cpu_sys_ns)
			user = total - r->cpu_sys_ns;
		if (sp_task_blocks(t->tid))
			r->flags |= SP_THREAD_BLOCKED;
	}
	r->cpu_user_ns = user;
	r->cpu_sys_ns = total - user;
	t->measured_ns = sp_now_ns();
}

/* What threads have used that are gone and in no record. */
static int64_t lost_ns(void)
{
	struct sp_usage usage;

	sp_process_usage(&usage);
	return (int64_t)(usage.user_ns + usage.sys_ns - found.live_ns - sp_thread_ended_ns());
}

static bool is_gone(const struct sp_thread *t)
{
	return t->found && !t->owned && t->seen != found.scan;
}

static void add_known(struct sp_thread *t, void *sum)
{
	if (is_gone(t) && t->record)
		*(uint64_t *)sum += t->record->cpu_user_ns + t->record->cpu_sys_ns;
}

static void bury(struct sp_thread *t)
{
	sp_clock_disarm(t);
	sp_thread_bury(t);
	sp_add(&found.found, -1u);
}

static bool is_ours(const struct sp_thread *t)
{
	return t->found && !t->owned;
}

/* The one block of a thread that was found in the moment in which it came by itself: of two, its own. */
static struct sp_thread *only_block(int tid)
{
	struct sp_thread *t = sp_tids_find(tid, NULL), *other = t ? sp_tids_find(tid, t) : NULL, *twin;

	if (!other || (!is_ours(t) && !is_ours(other)))
		return t;
	twin = is_ours(t) ? t : other;
	sp_clock_disarm(twin);
	sp_thread_forget(twin);
	sp_add(&found.found, -1u);
	return twin == t ? other : t;
}

/* A thread in /proc/self/task. */
static void look_at(int tid)
{
	struct sp_thread *t = only_block(tid);
	struct sp_task task;
	uint64_t used = sp_thread_clock(tid);

	found.live_ns += used;
	if (t && !is_ours(t))
		return;
	if ((!t && (used < WORTH_NS || is_leaving(tid))) || !sp_task_read(tid, &task))
		return;
	if (t && t->start_ticks == task.start_ticks) {
		t->seen = found.scan;
		if (!t->armed) {
			measure(t);
			arm(t);
		}
		return;
	}
	if (t)
		bury(t); /* the id is another thread's now */
	if (!task.exiting)
		take_in(tid, &task);
}

/* It has ended since the last search: what has gone missing since then was its own, as far as the time
 * that has passed allows. */
static void bury_gone(struct sp_thread *t, void *missing)
{
	int64_t *lost = missing, most = (int64_t)(sp_now_ns() - t->measured_ns);

	if (!is_gone(t))
		return;
	if (*lost > 0 && t->record) {
		most = most < *lost ? most : *lost;
		t->record->cpu_user_ns += (uint64_t)most;
		*lost -= most;
	}
	bury(t);
}

static void bury_all_gone(void)
{
	uint64_t known = 0;
	int64_t lost;

	sp_thread_each(add_known, &known);
	lost = lost_ns() - found.lost_ns - (int64_t)known;
	sp_thread_each(bury_gone, &lost);
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
	return tasks < 0 ? 0 : tasks - (int32_t)sp_tids_count();
}

void sp_found_forked(void)
{
	found.found = 0;
	found.settled = 0;
	found.lost_ns = 0;
	found.due_ns = found.not_before_ns = 0;
	found.period_ns = FIRST_PERIOD_NS;
}

static void scan(void)
{
	uint64_t began = sp_now_ns(), ended;

	found.scan++;
	found.live_ns = 0;
	if (!sp_task_each(look_at))
		return;
	if (found.found)
		bury_all_gone();
	found.lost_ns = lost_ns();
	ended = sp_now_ns();
	found.settled = too_many();
	found.not_before_ns = ended + (ended - began) * COST_FACTOR;
	found.due_ns = ended + found.period_ns;
	if (found.period_ns < PERIOD_NS)
		found.period_ns *= 2;
}

void sp_found_scan(void)
{
	if (sp_agent.sealed || !sp_try_lock(&found.busy))
		return;
	scan();
	sp_unlock(&found.busy);
}

void sp_found_check(uint64_t now)
{
	int32_t more;

	if (now - sp_load(&found.checked_ns) < sp_load(&found.check_ns) || sp_agent.sealed || !sp_try_lock(&found.busy))
		return;
	sp_store(&found.checked_ns, now);
	more = too_many();
	if (more != found.settled)
		found.period_ns = FIRST_PERIOD_NS;
	if (more != found.settled || found.check_ns < CHECK_NS)
		sp_store(&found.check_ns, CHECK_NS);
	else if (found.check_ns < CHECK_MAX_NS)
		sp_store(&found.check_ns, found.check_ns * 2);
	if (now >= found.not_before_ns && (more != found.settled || ((more > 0 || found.found) && now >= found.due_ns)))
		scan();
	sp_unlock(&found.busy);
}

static void scan_main(void *unused)
{
	(void)unused;
	sp_found_scan();
	sp_clock_sentinel(sp_now_ns());
}

void sp_found_stranger(void)
{
	struct sp_thread *t = sp_thread_take();

	if (!t)
		return;
	sp_on_stack(scan_main, NULL, sp_thread_stack(t));
	sp_thread_untake(t);
}

void sp_found_take(int tid)
{
	struct sp_task task;

	if (sp_agent.sealed || !sp_try_lock(&found.busy))
		return;
	if (!sp_tids_find(tid, NULL) && sp_task_read(tid, &task))
		take_in(tid, &task);
	sp_unlock(&found.busy);
}

static void measure_but_caller(struct sp_thread *t, void *caller)
{
	if (t->tid != *(const int *)caller)
		measure(t);
}

void sp_found_finish(void)
{
	int self = (int)sp_sys(SYS_gettid);

	sp_found_scan();
	sp_thread_each(measure_but_caller, &self);
}
