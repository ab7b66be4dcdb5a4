/* The kernel's counters since the program began. */
#include "sampler/threads/usage.h"

#include <sys/resource.h>

#include "sampler/sys.h"
#include "sampler/threads/task_file.h"

static struct {
	struct sp_usage process, thread;
	uint64_t queue_ns; /* of the thread */
	int tid;           /* the thread's, which execve has made the process's first; 0: nothing was before */
} before;

/* A process that used more before execve than it takes to come to that is one that has done something else. */
#define FRESH_NS 3000000u

/* What other threads had used before the agent came to them: open addressing by thread id. */
#define OTHERS 4096u
static struct {
	int tid;
	uint32_t time; /* at which it was noted; a free place has another one than now */
	struct sp_usage used;
	uint64_t queue_ns;
} others[OTHERS] SP_BIG;
static uint32_t other_count, other_time = 1;

/* The thread's place, or a free one. */
static uint32_t find_other(int tid)
{
	uint32_t i = (uint32_t)tid % OTHERS;

	while (others[i].time == other_time && others[i].tid != tid)
		i = (i + 1) % OTHERS;
	return i;
}

static void note_other(int tid)
{
	uint64_t total = sp_clock_read_ns(sp_clock_of_thread(tid));
	uint32_t i = find_other(tid);
	struct sp_task task;

	if (tid == before.tid || other_count >= OTHERS / 2 || !sp_task_read(tid, &task))
		return;
	others[i].tid = tid;
	others[i].time = other_time;
	/* The file's times are rounded down, their sum is known better: the difference may be either's. */
	others[i].used = (struct sp_usage){.user_ns = task.user_ns, .sys_ns = task.sys_ns};
	if (total > task.user_ns + task.sys_ns) {
		others[i].used.user_ns += (total - task.user_ns - task.sys_ns) / 2;
		others[i].used.sys_ns = total - others[i].used.user_ns;
	}
	if (!sp_task_queue_ns(tid, &others[i].queue_ns))
		others[i].queue_ns = 0;
	other_count++;
}

/* What the thread had used before; NULL: nothing. */
static const struct sp_usage *used_before(int tid)
{
	uint32_t i;

	if (tid == before.tid)
		return &before.thread;
	if (sp_likely(!other_count))
		return NULL;
	i = find_other(tid);
	return others[i].time == other_time ? &others[i].used : NULL;
}

static void read_usage(int who, struct sp_usage *usage)
{
	struct rusage ru;

	if (sp_sys(SYS_getrusage, who, &ru) != 0) {
		*usage = (struct sp_usage){0};
		return;
	}
	usage->user_ns = (uint64_t)ru.ru_utime.tv_sec * 1000000000u + (uint64_t)ru.ru_utime.tv_usec * 1000u;
	usage->sys_ns = (uint64_t)ru.ru_stime.tv_sec * 1000000000u + (uint64_t)ru.ru_stime.tv_usec * 1000u;
	usage->max_rss_bytes = usage->most_rss_bytes = (uint64_t)ru.ru_maxrss * 1024u;
	usage->switches = (uint64_t)(ru.ru_nvcsw + ru.ru_nivcsw);
	usage->faults = (uint64_t)(ru.ru_minflt + ru.ru_majflt);
}

static void add_rest(struct sp_usage *usage, uint64_t total_ns)
{
	if (total_ns > usage->user_ns + usage->sys_ns)
		usage->user_ns = total_ns - usage->sys_ns;
}

static uint64_t beyond(uint64_t value, uint64_t base)
{
	return value > base ? value - base : 0;
}

static void subtract(struct sp_usage *usage, const struct sp_usage *base)
{
	usage->user_ns = beyond(usage->user_ns, base->user_ns);
	usage->sys_ns = beyond(usage->sys_ns, base->sys_ns);
	usage->switches = beyond(usage->switches, base->switches);
	usage->faults = beyond(usage->faults, base->faults);
	if (usage->max_rss_bytes <= base->max_rss_bytes)
		usage->max_rss_bytes = 0;
}

void sp_usage_begin(int tid)
{
	uint64_t total;

	read_usage(RUSAGE_SELF, &before.process);
	total = sp_clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	if (total < before.process.user_ns + before.process.sys_ns) /* other threads have used something */
		read_usage(RUSAGE_THREAD, &before.thread);
	else
		before.thread = before.process;
	add_rest(&before.thread, total);
	before.tid = tid;
	before.queue_ns = 0;
	if (before.thread.user_ns + before.thread.sys_ns > FRESH_NS)
		sp_task_queue_ns(before.tid, &before.queue_ns);
}

void sp_usage_begin_all(void)
{
	sp_usage_begin((int)sp_sys(SYS_gettid));
	other_count = 0;
	other_time++;
	sp_task_each(note_other);
}

uint64_t sp_usage_before_ns(void)
{
	return before.tid ? before.process.user_ns + before.process.sys_ns : 0;
}

bool sp_usage_bound_queue(uint64_t wall_ns, uint64_t *queue_ns)
{
	if (!before.tid || !sp_task_queue_ns(before.tid, queue_ns))
		return false;
	if (!before.queue_ns)
		before.queue_ns = beyond(*queue_ns, beyond(wall_ns, sp_thread_clock(before.tid)));
	*queue_ns = beyond(*queue_ns, before.queue_ns);
	return true;
}

SP_AT_FORK void sp_usage_forked(void)
{
	before.tid = 0;
	other_count = 0;
}

static void subtract_before(int tid, struct sp_usage *usage)
{
	const struct sp_usage *base = used_before(tid);

	if (base)
		subtract(usage, base);
}

void sp_thread_usage(int tid, struct sp_usage *usage)
{
	read_usage(RUSAGE_THREAD, usage);
	subtract_before(tid, usage);
}

void sp_thread_usage_now(int tid, struct sp_usage *usage)
{
	read_usage(RUSAGE_THREAD, usage);
	add_rest(usage, sp_clock_read_ns(CLOCK_THREAD_CPUTIME_ID));
	subtract_before(tid, usage);
}

void sp_process_usage(struct sp_usage *usage)
{
	read_usage(RUSAGE_SELF, usage);
	if (before.tid)
		subtract(usage, &before.process);
}

uint64_t sp_process_clock_ns(void)
{
	return beyond(sp_clock_read_ns(CLOCK_PROCESS_CPUTIME_ID), sp_usage_before_ns());
}

uint64_t sp_thread_clock(int tid)
{
	const struct sp_usage *base = used_before(tid);

	return beyond(sp_clock_read_ns(sp_clock_of_thread(tid)), base ? base->user_ns + base->sys_ns : 0);
}

void sp_usage_since_begin(int tid, uint64_t *user_ns, uint64_t *sys_ns)
{
	const struct sp_usage *base = used_before(tid);

	if (!base)
		return;
	*user_ns = beyond(*user_ns, base->user_ns);
	*sys_ns = beyond(*sys_ns, base->sys_ns);
}

bool sp_thread_queue_ns(int tid, uint64_t *queue_ns)
{
	uint32_t i = other_count ? find_other(tid) : 0;

	if (!sp_task_queue_ns(tid, queue_ns))
		return false;
	if (tid == before.tid)
		*queue_ns = beyond(*queue_ns, before.queue_ns);
	else if (other_count && others[i].time == other_time)
		*queue_ns = beyond(*queue_ns, others[i].queue_ns);
	return true;
}
