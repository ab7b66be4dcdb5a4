/* The thread that is to make the call: one that sits in a system call which can be broken off and made again, or that runs
 * code which holds no lock of the loader's or the allocator's. What its stack holds is looked at from outside. */
#include "tools/attach/attach.h"

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "symbolize/symbolize.h"
#include "tools/tools.h"

#define LOOK_NS 5000000000ull /* for so long a thread is looked for */
#define ROUND_NAP_NS 2000000
#define SYSCALLS_ONLY_NS 20000000u /* before threads that run are stopped */
#define THREADS_MAX 256u
#define STACK_BYTES_MAX (256u << 10)
#define ROOM_BYTES (48u << 10) /* that must be mapped below a stack pointer */
#define FRAMES_MAX 256u
#define SHORT_WAIT_MS 1000
#define FUTEX_COMMAND 127u
#define LOCKED_BY_MANY 2u

struct chooser {
	const struct sp_attach_target *target;
	struct sp_symbolizer *symbolizer;
	int *modules; /* of each map; -1: none */
	uint64_t *words;
	struct sp_attach_done *done;
	bool with_running;
};

/* What /proc/PID/task/TID/syscall tells of a thread that waits. */
struct waiting {
	bool running;
	int64_t number; /* -1: it waits in no system call */
	int waited_ms;  /* for so long; -1: not known */
	uint64_t arguments[6], sp, pc;
};

/* --- modules */

static uint64_t bias_of(int pid, const struct sp_attach_map *map)
{
	Elf64_Ehdr header;
	Elf64_Phdr part;

	if (!sp_attach_read(pid, map->start, &header, sizeof(header)) || header.e_type == ET_EXEC)
		return 0;
	for (unsigned i = 0; i < header.e_phnum; i++)
		if (sp_attach_read(pid, map->start + header.e_phoff + i * sizeof(part), &part, sizeof(part)) &&
			part.p_type == PT_LOAD)
			return map->start - (part.p_vaddr & ~4095ull);
	return map->start;
}

static int add_module(struct chooser *c, const struct sp_attach_map *map)
{
	struct sp_symbol_module module = {.path = map->path, .start = map->start};
	char path[PATH_MAX];

	if (strcmp(map->path, "[vdso]") == 0) {
		module.bias = map->start;
	} else {
		if (!sp_attach_map_open_path(path, c->target->pid, map))
			return -1;
		module.path = path;
		module.bias = bias_of(c->target->pid, map);
	}
	return sp_symbolizer_add_module(c->symbolizer, &module);
}

static void add_modules(struct chooser *c)
{
	const struct sp_attach_maps *maps = &c->target->maps;
	int module = -1;

	for (size_t i = 0; i < maps->count; i++) {
		const struct sp_attach_map *m = &maps->list[i], *last = i ? m - 1 : NULL;
		bool first = !last || strcmp(last->path, m->path) != 0 || last->inode != m->inode;

		if (first)
			module = m->inode && m->offset == 0 ? -2 : strcmp(m->path, "[vdso]") == 0 ? -2 : -1;
		/* Only objects with code are opened, by what is mapped of their beginning. */
		if (module == -2 && m->executable) {
			const struct sp_attach_map *head = m;

			while (head > maps->list && head[-1].inode == m->inode && strcmp(head[-1].path, m->path) == 0)
				head--;
			module = add_module(c, head);
		}
		c->modules[i] = module;
	}
}

static int module_at(void *context, uint64_t address)
{
	const struct chooser *c = context;
	const struct sp_attach_map *m = sp_attach_map_at(&c->target->maps, address);

	return m ? c->modules[m - c->target->maps.list] : -1;
}

/* --- stacks */

struct walked {
	uint64_t frames[FRAMES_MAX];
	size_t count;
	bool whole;
};

static bool walk(struct chooser *c, const struct user_regs_struct *r, struct walked *w)
{
	const struct sp_attach_map *map = sp_attach_map_at(&c->target->maps, r->rsp);
	struct sp_copied_stack stack = {.registers = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp,
						r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip},
		.words = c->words,
		.low = r->rsp & ~7ull,
		.module_at = module_at,
		.context = c};
	uint64_t bytes = map ? map->end - stack.low : 0;
	enum sp_copied_end end;

	w->count = 0;
	w->whole = false;
	if (bytes > STACK_BYTES_MAX)
		bytes = STACK_BYTES_MAX;
	if (!bytes || !sp_attach_read(c->target->pid, stack.low, c->words, bytes & ~7ull))
		return false;
	stack.count = bytes / 8;
	w->count = sp_symbolizer_walk(c->symbolizer, &stack, w->frames, FRAMES_MAX, &end);
	w->whole = end != SP_COPIED_LOST;
	return w->count > 0;
}

static enum sp_attach_kind kind_at(const struct chooser *c, uint64_t address)
{
	const struct sp_attach_map *m = sp_attach_map_at(&c->target->maps, address);

	return m ? m->kind : SP_MAP_NONE;
}

/* Where a handler of a signal returns to: what it has interrupted may hold anything. */
static bool ends_handler(const struct chooser *c, uint64_t address)
{
	uint8_t code[9];

	return sp_attach_read(c->target->pid, address, code, sizeof(code)) &&
		memcmp(code, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05", sizeof(code)) == 0;
}

/* The thread's outermost frames are the C library's, and before them the program's _start may stand. */
static size_t inner_frames(const struct chooser *c, const struct walked *w)
{
	size_t n = w->count;

	if (n > 1 && kind_at(c, w->frames[n - 1] - 1) == SP_MAP_OTHER &&
		kind_at(c, w->frames[n - 2] - 1) == SP_MAP_LIBC)
		n--;
	while (n > 0 && kind_at(c, w->frames[n - 1] - 1) == SP_MAP_LIBC)
		n--;
	return n;
}

/* Why such a thread must not make the call; NULL: it may. */
static const char *judge(const struct chooser *c, const struct walked *w, bool in_call)
{
	size_t inner = inner_frames(c, w);

	if (!w->whole || inner == w->count)
		return "the stacks of its threads cannot be followed to their beginning";
	for (size_t i = 0; i < w->count; i++) {
		uint64_t address = w->frames[i] - (i > 0);
		enum sp_attach_kind kind = kind_at(c, address);

		if (kind == SP_MAP_LOADER)
			return "a thread is loading or unloading a library";
		if (kind == SP_MAP_ALLOCATOR || kind == SP_MAP_AGENT)
			return "its threads are in the allocator";
		if (kind == SP_MAP_LIBC && ends_handler(c, w->frames[i]))
			return "its threads are in handlers of signals";
		if (kind == SP_MAP_LIBC && !in_call && i < inner)
			return "its threads are in the C library, where they may hold its locks";
	}
	return NULL;
}

/* --- threads */

/* Milliseconds; -1: not known. */
static int waited_ms(int pid, int tid)
{
	uint64_t ns = sp_waited_ns(pid, tid);

	return ns == SP_WAITED_UNKNOWN ? -1 : ns / 1000000 < INT_MAX ? (int)(ns / 1000000) : INT_MAX;
}

static bool look_at(int pid, int tid, struct waiting *w)
{
	unsigned long long a[6], sp, pc;
	char path[64], line[256];
	long long number;
	FILE *file;
	bool good;
	int got;

	*w = (struct waiting){0};
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	file = fopen(path, "re");
	good = file && fgets(line, sizeof(line), file);
	if (file)
		fclose(file);
	if (!good)
		return false;
	w->running = strncmp(line, "running", 7) == 0;
	if (w->running)
		return true;
	got = sscanf(line, "%lld %llx %llx %llx %llx %llx %llx %llx %llx", &number, &a[0], &a[1], &a[2], &a[3], &a[4],
		&a[5], &sp, &pc);
	if (got != 9)
		return false;
	w->number = number;
	for (int i = 0; i < 6; i++)
		w->arguments[i] = a[i];
	w->sp = sp;
	w->pc = pc;
	w->waited_ms = number == SYS_epoll_wait || number == SYS_epoll_pwait ? waited_ms(pid, tid) : 0;
	return true;
}

/* Calls that can be broken off and made again without anybody seeing it. */
static bool is_restartable(const struct waiting *w)
{
	static const int calls[] = {SYS_read, SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_nanosleep,
		SYS_clock_nanosleep, SYS_accept, SYS_accept4, SYS_recvfrom, SYS_recvmsg, SYS_wait4, SYS_waitid,
		SYS_pause, SYS_rt_sigsuspend, SYS_restart_syscall};

	if (w->number == SYS_futex) /* one that waits for a lock may have others */
		return !((w->arguments[1] & FUTEX_COMMAND) == 0 && (uint32_t)w->arguments[2] == LOCKED_BY_MANY);
	if (w->number == SYS_epoll_wait || w->number == SYS_epoll_pwait)
		/* It waits once more: for what is left of its time, or for all of it where that is short. */
		return (int)w->arguments[3] < 0 || (int)w->arguments[3] <= SHORT_WAIT_MS || w->waited_ms >= 0;
	if (w->number == SYS_epoll_pwait2)
		return !w->arguments[3];
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (w->number == calls[i])
			return true;
	return false;
}

static uint64_t blocked_signals(int pid, int tid)
{
	unsigned long long mask = ~0ull;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "SigBlk: %llx", &mask) == 1)
			break;
	if (file)
		fclose(file);
	return mask;
}

/* A thread that the C library has not made has no list of robust locks there. */
static bool is_libc_thread(int tid)
{
	size_t length;
	void *head = NULL;

	return syscall(SYS_get_robust_list, tid, &head, &length) == 0 && head;
}

static bool has_room(const struct chooser *c, uint64_t sp)
{
	const struct sp_attach_map *map = sp_attach_map_at(&c->target->maps, sp);

	return map && (strcmp(map->path, "[stack]") == 0 || sp - map->start >= ROOM_BYTES);
}

static int unfit(struct chooser *c, const char *why)
{
	snprintf(c->done->why, sizeof(c->done->why), "%s", why);
	return -EAGAIN;
}

/* Whether the thread is still where it was seen before it was stopped. */
static bool is_as_seen(const struct waiting *w, const struct user_regs_struct *r)
{
	if (w->running)
		return (int64_t)r->orig_rax < 0;
	return (int64_t)r->orig_rax == w->number && r->rsp == w->sp && r->rip == w->pc;
}

/* Stops it, looks once more, and has the call made. */
static int try_thread(struct chooser *c, int tid, const struct waiting *w, const struct sp_attach_call *call)
{
	struct user_regs_struct registers;
	struct sp_attach_hold hold;
	static struct walked walked;
	const char *why;
	int err = sp_attach_hold(&hold, c->target->pid, tid, w->waited_ms > 0 ? w->waited_ms : 0, &registers);

	if (err)
		return err == -EPERM ? err : unfit(c, err == -EBUSY ? "it is being stopped" : "its threads are ending");
	why = !is_as_seen(w, &registers) ? "its threads never rest for a moment"
		: !has_room(c, registers.rsp) || !walk(c, &registers, &walked)
		? "its threads have no room on their stacks"
		: judge(c, &walked, !w->running);
	if (why) {
		sp_attach_let_go(&hold);
		c->done->tries++;
		return unfit(c, why);
	}
	err = sp_attach_inject(&hold, &registers, call, &c->done->stopped_ns);
	c->done->tid = tid;
	c->done->left = err == -EINPROGRESS;
	return err == -EAGAIN ? unfit(c, "another thread has locked the loader") : err;
}

/* As far as the stack of a thread that waits tells without stopping it; its other registers are not known. */
static const char *look_from_outside(struct chooser *c, const struct waiting *w)
{
	struct user_regs_struct r = {.rsp = w->sp, .rip = w->pc};
	static struct walked walked;

	if (!walk(c, &r, &walked))
		return NULL;
	for (size_t i = 0; i < walked.count; i++)
		if (kind_at(c, walked.frames[i] - (i > 0)) == SP_MAP_LOADER)
			return "a thread is loading or unloading a library";
	return NULL;
}

static size_t list_threads(int pid, int *tids)
{
	char path[64];
	struct dirent *e;
	size_t count = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && count < THREADS_MAX && (e = readdir(tasks)))
		if (e->d_name[0] != '.')
			tids[count++] = atoi(e->d_name);
	if (tasks)
		closedir(tasks);
	return count;
}

/* One look at all threads. -EAGAIN: none was fit. */
static int look_round(struct chooser *c, const struct sp_attach_call *call)
{
	int tids[THREADS_MAX], pid = c->target->pid, err = -EAGAIN;
	struct waiting seen[THREADS_MAX];
	size_t count = list_threads(pid, tids);

	if (!count)
		return -ESRCH;
	for (size_t i = 0; i < count; i++) {
		const char *why;

		if (!look_at(pid, tids[i], &seen[i]))
			seen[i] = (struct waiting){.number = -1};
		why = seen[i].running || seen[i].number < 0 ? NULL : look_from_outside(c, &seen[i]);
		if (why)
			return unfit(c, why);
	}
	for (int running = 0; running <= (int)c->with_running && err == -EAGAIN; running++)
		for (size_t i = 0; i < count && err == -EAGAIN; i++) {
			if (seen[i].running != running ||
				(running ? c->target->has_own_malloc : !is_restartable(&seen[i])))
				continue;
			if (!is_libc_thread(tids[i]) ||
				blocked_signals(pid, tids[i]) >> (c->target->signal_number - 1) & 1)
				continue;
			err = try_thread(c, tids[i], &seen[i], call);
		}
	return err;
}

static int choose(struct chooser *c, const struct sp_attach_call *call)
{
	uint64_t began_ns = sp_time_ns(CLOCK_MONOTONIC), passed_ns = 0;
	int err = -EAGAIN;

	unfit(c, "its threads are in system calls that cannot be broken off");
	while (err == -EAGAIN && passed_ns < LOOK_NS) {
		c->with_running = passed_ns >= SYSCALLS_ONLY_NS;
		err = look_round(c, call);
		if (err == -EAGAIN)
			nanosleep(&(struct timespec){.tv_nsec = ROUND_NAP_NS * (c->with_running ? 5 : 1)}, NULL);
		passed_ns = sp_time_ns(CLOCK_MONOTONIC) - began_ns;
	}
	return err;
}

/* While a thread is in our hands nothing may end this command but SIGKILL. */
static void block_ending(sigset_t *before)
{
	sigset_t ending;

	sigemptyset(&ending);
	for (size_t i = 0; i < 6; i++)
		sigaddset(&ending, (const int[]){SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCHLD}[i]);
	sigprocmask(SIG_BLOCK, &ending, before);
}

/* The kernel takes some milliseconds for the first event of a thread on a machine, while it patches its own code: they are
 * ours, and not the process's that is stopped. Closed when the agent has its own. -1: there is none to be had. */
static int open_event(void)
{
	struct perf_event_attr attr = {.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

int sp_attach_load(const struct sp_attach_target *target, const struct sp_attach_library *library,
	struct sp_attach_done *done)
{
	struct sp_attach_call call = {.function = target->agent ? target->agent + library->call : target->dlopen,
		.text = target->agent ? NULL : library->path,
		.argument = RTLD_NOW | RTLD_NODELETE,
		.sigreturn = target->sigreturn,
		.maps = &target->maps};
	struct sp_symbolizer_options options = {.names_only = true};
	struct chooser c = {.target = target, .done = done};
	int err, event = open_event();
	sigset_t before;

	*done = (struct sp_attach_done){0};
	c.symbolizer = sp_symbolizer_new(&options);
	c.modules = calloc(target->maps.count + 1, sizeof(*c.modules));
	c.words = malloc(STACK_BYTES_MAX);
	if (!c.modules || !c.words)
		abort();
	add_modules(&c);
	block_ending(&before);
	err = choose(&c, &call);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (event >= 0)
		close(event);
	sp_symbolizer_free(c.symbolizer);
	free(c.modules);
	free(c.words);
	return err;
}
