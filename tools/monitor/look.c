/* Looking at a tree of processes. Files of /proc that are read again and again stay open; what a process used is told by its own clock, which is
 * exact and needs no file. */
#include "tools/monitor/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/buffer.h"
#include "profiles/base/time.h"
#include "symbolize/base/memory.h"

#define SHARED_COST_SHARE 50u
#define COST_SHARE 200u /* one look takes at most so small a part of the time to the next */
#define INTERVAL_MOST_NS 1000000000ull
#define STEADY 0.05       /* so much may change while it is found out what is shared */
#define SHARED_AGAIN 0.01 /* it is found out again when the sum has changed so much */
#define PROCESSES_MOST 4096u

void sp_look_begin(struct sp_look *look, pid_t keeper)
{
	*look = (struct sp_look){.keeper = keeper, .interval_ns = SP_LOOK_FIRST_NS};
}

static size_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

/* --- one process */

static struct sp_look_process *find(struct sp_look *look, pid_t pid)
{
	for (size_t i = 0; i < look->count; i++)
		if (look->processes[i].pid == pid)
			return &look->processes[i];
	return NULL;
}

static struct sp_look_process *add(struct sp_look *look, pid_t pid)
{
	struct sp_look_process *process;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = look->count < PROCESSES_MOST ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return NULL;
	sp_grow(&look->processes, &look->capacity, look->count + 1, sizeof(*look->processes));
	process = &look->processes[look->count++];
	*process = (struct sp_look_process){.pid = pid, .stat = fd};
	process->clocked = clock_getcpuclockid(pid, &process->clock) == 0;
	return process;
}

/* Returns false when it is gone. */
static bool read_stat(struct sp_look_process *process)
{
	static long tick_ns, page;
	uint64_t user, sys, children_user, children_sys, own;
	char text[1024], state;
	const char *after;
	long rss;
	ssize_t got = pread(process->stat, text, sizeof(text) - 1, 0);

	if (got <= 0)
		return false;
	text[got] = '\0';
	if (!tick_ns) {
		tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
		page = sysconf(_SC_PAGESIZE);
	}
	after = strrchr(text, ')'); /* the name may be anything */
	if (!after ||
		sscanf(after,
			") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			" %*d %*d %u %*d %*u %*u %ld",
			&state, &process->parent, &user, &sys, &children_user, &children_sys, &process->threads,
			&rss) != 8)
		return false;
	own = process->clocked ? sp_time_ns(process->clock) : 0;
	if (!own)
		own = (user + sys) * (uint64_t)tick_ns;
	own += (children_user + children_sys) * (uint64_t)tick_ns;
	if (own > process->cpu_ns)
		process->cpu_ns = own;
	process->rss_bytes = state == 'Z' || rss < 0 ? 0 : (uint64_t)rss * (uint64_t)page;
	return true;
}

static uint64_t read_queue(pid_t pid, pid_t tid)
{
	char path[64], text[128];
	uint64_t queue = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	read_file(path, text, sizeof(text));
	return sscanf(text, "%*u %" SCNu64, &queue) == 1 ? queue : 0;
}

/* --- the tree */

static void visit(struct sp_look *look, pid_t pid);

/* A read gives no more than a page of it. */
static void read_children(struct sp_buffer *list, pid_t pid, pid_t tid)
{
	char path[64], text[4096];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (got = read(fd, text, sizeof(text))) > 0)
		sp_buffer_add(list, text, (size_t)got);
	if (fd >= 0)
		close(fd);
}

static void visit_children(struct sp_look *look, pid_t pid, pid_t tid)
{
	struct sp_buffer list = {0};
	char *at;

	read_children(&list, pid, tid);
	at = list.data;
	for (long child; at && (child = strtol(at, &at, 10)) > 0;)
		visit(look, (pid_t)child);
	sp_buffer_free(&list);
}

static void visit(struct sp_look *look, pid_t pid)
{
	struct sp_look_process *process = find(look, pid);
	uint64_t queue = 0;
	char path[64];
	unsigned threads;
	DIR *tasks = NULL;

	if (process && process->seen)
		return;
	if (!process)
		process = add(look, pid);
	if (!process || !read_stat(process))
		return;
	process->seen = true;
	threads = process->threads;
	if (threads > 1) {
		snprintf(path, sizeof(path), "/proc/%d/task", pid);
		tasks = opendir(path);
	}
	if (!tasks) {
		queue = read_queue(pid, pid);
		visit_children(look, pid, pid);
	}
	for (struct dirent *task; tasks && (task = readdir(tasks));) {
		pid_t tid = (pid_t)strtol(task->d_name, NULL, 10);

		if (tid <= 0)
			continue;
		queue += read_queue(pid, tid);
		visit_children(look, pid, tid);
	}
	if (tasks)
		closedir(tasks);
	process = find(look, pid); /* visiting may have moved them */
	if (process && queue > process->queue_ns)
		process->queue_ns = queue;
}

/* Forgets who is gone. */
static void settle(struct sp_look *look)
{
	size_t kept = 0;

	for (size_t i = 0; i < look->count; i++) {
		struct sp_look_process *process = &look->processes[i];

		if (process->seen) {
			process->seen = false;
			look->processes[kept++] = *process;
			continue;
		}
		close(process->stat);
		look->gone_queue_ns += process->queue_ns;
		if (process->parent == look->keeper) /* who was waited for by another one is in that one's time */
			look->gone_cpu_ns += process->cpu_ns;
	}
	look->count = kept;
}

/* Proportional to how many have each page; 0: not to be known. */
static uint64_t read_pss(pid_t pid)
{
	char path[64], text[1024];
	const char *at;
	uint64_t kb = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	read_file(path, text, sizeof(text));
	at = strstr(text, "\nPss:");
	return at && sscanf(at, "\nPss: %" SCNu64, &kb) == 1 ? kb * 1024 : 0;
}

static bool is_near(uint64_t a, uint64_t b, double part)
{
	return fabs((double)a - (double)b) <= part * (double)b;
}

/* Of all as they are now. Returns whether they stayed as they were meanwhile. */
static bool read_shared(struct sp_look *look, uint64_t sum)
{
	uint64_t now = 0, shared = 0;
	bool all = true;

	for (size_t i = 0; i < look->count; i++) {
		struct sp_look_process *process = &look->processes[i];
		uint64_t part = process->rss_bytes ? read_pss(process->pid) : 0;

		if (!process->rss_bytes)
			continue;
		all = read_stat(process) && process->rss_bytes && all;
		if (process->rss_bytes && !part)
			look->shared_unknown = true;
		now += process->rss_bytes;
		shared += part < process->rss_bytes ? process->rss_bytes - part : 0;
	}
	look->shared_bytes = look->shared_unknown ? 0 : shared;
	return all && is_near(now, sum, STEADY);
}

/* Costs more than all else, and is put off while nothing has changed. Returns whether shared_bytes is true of now. */
static bool find_shared(struct sp_look *look, uint64_t sum, uint32_t alive, uint64_t at_ns)
{
	uint64_t began = sp_time_ns(CLOCK_THREAD_CPUTIME_ID);

	if (look->shared_unknown || (alive == look->told_processes && is_near(sum, look->told_bytes, SHARED_AGAIN)))
		return true;
	if (SHARED_COST_SHARE * look->shared_cost_ns > at_ns)
		return false;
	look->told_bytes = sum;
	look->told_processes = read_shared(look, sum) ? alive : 0;
	look->shared_cost_ns += sp_time_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	return look->told_processes > 0;
}

void sp_look_at(struct sp_look *look, uint64_t at_ns)
{
	uint64_t began = sp_time_ns(CLOCK_THREAD_CPUTIME_ID), sum = 0, cpu = 0, cost;
	uint32_t alive = 0;

	visit_children(look, look->keeper, look->keeper);
	settle(look);
	for (size_t i = 0; i < look->count; i++) {
		sum += look->processes[i].rss_bytes;
		alive += look->processes[i].rss_bytes > 0;
		cpu += look->processes[i].cpu_ns;
	}
	cost = COST_SHARE * (sp_time_ns(CLOCK_THREAD_CPUTIME_ID) - began);
	if (alive > 1 && !find_shared(look, sum, alive, at_ns))
		sum = look->last.rss_bytes; /* too much is not told; it is found out in a moment */
	else if (alive > 1)
		sum -= look->shared_bytes < sum ? look->shared_bytes : 0;
	cpu += look->gone_cpu_ns;
	look->last = (struct sp_monitor_point){.at_ns = at_ns,
		.cpu_ns = cpu > look->last.cpu_ns ? cpu : look->last.cpu_ns,
		.rss_bytes = sum,
		.processes = alive};
	if (sum > look->peak_bytes)
		look->peak_bytes = sum;
	if (alive > look->most)
		look->most = alive;
	look->interval_ns = cost < SP_LOOK_FIRST_NS ? SP_LOOK_FIRST_NS
		: cost > INTERVAL_MOST_NS           ? INTERVAL_MOST_NS
						    : cost;
}

uint64_t sp_look_queue_ns(const struct sp_look *look, pid_t pid)
{
	for (size_t i = 0; i < look->count; i++)
		if (look->processes[i].pid == pid)
			return look->processes[i].queue_ns;
	return 0;
}

uint64_t sp_look_queue_others_ns(const struct sp_look *look, pid_t pid)
{
	uint64_t sum = look->gone_queue_ns;

	for (size_t i = 0; i < look->count; i++)
		sum += look->processes[i].pid != pid ? look->processes[i].queue_ns : 0;
	return sum;
}

void sp_look_end(struct sp_look *look)
{
	for (size_t i = 0; i < look->count; i++)
		close(look->processes[i].stat);
	free(look->processes);
	look->processes = NULL;
	look->count = look->capacity = 0;
}
