/* Reading /proc/self/task without libc. */
#include "sampler/threads/task_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sampler/digits.h"
#include "sampler/sys.h"

#define PF_EXITING 4u /* include/linux/sched.h */

struct entry { /* struct linux_dirent64 */
	uint64_t inode;
	int64_t offset;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

static long read_at(int tid, const char *leaf, size_t offset, char *to, size_t size)
{
	static const char folder[] = "/proc/self/task/";
	char path[64], digits[12], *p = path + sizeof folder - 1;
	uint32_t n = (uint32_t)tid, i = 0;
	long fd, got;

	memcpy(path, folder, sizeof folder);
	do
		digits[i++] = (char)('0' + n % 10);
	while (n /= 10);
	while (i)
		*p++ = digits[--i];
	memcpy(p, leaf, strlen(leaf) + 1);
	fd = sp_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	got = sp_sys(SYS_pread64, fd, to, size - 1, offset);
	sp_sys(SYS_close, fd);
	to[got > 0 ? got : 0] = 0;
	return got;
}

static long read_file(int tid, const char *leaf, char *to, size_t size)
{
	return read_at(tid, leaf, 0, to, size);
}

static uint64_t read_decimal(const char *p)
{
	return sp_take_decimal(&p);
}

bool sp_task_read(int tid, struct sp_task *task)
{
	char text[512];
	const char *open = text, *close = NULL, *p;
	size_t length;
	int field;

	if (read_file(tid, "/stat", text, sizeof text) <= 0)
		return false;
	while (*open && *open != '(')
		open++;
	for (p = open; *p; p++) /* the name may hold anything, parentheses too */
		if (*p == ')')
			close = p;
	if (!close || !close[1])
		return false;
	memset(task, 0, sizeof *task);
	length = (size_t)(close - open - 1);
	memcpy(task->name, open + 1, length < sizeof task->name ? length : sizeof task->name - 1);
	/* proc_pid_stat(5): fields 9 flags, 14 utime, 15 stime, 22 starttime. */
	for (p = close + 2, field = 3; *p && field <= 22; field++) {
		if (field == 9)
			task->exiting = read_decimal(p) & PF_EXITING;
		else if (field == 14)
			task->user_ns = read_decimal(p) * SP_TASK_TICK_NS;
		else if (field == 15)
			task->sys_ns = read_decimal(p) * SP_TASK_TICK_NS;
		else if (field == 22)
			task->start_ticks = read_decimal(p);
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	return field > 22;
}

/* The three lines that follow each other from "SigPnd:" on; NULL when they are not in the text as a whole. */
static const char *find_signals(const char *text, size_t length)
{
	const char *pending = sp_find_value(text, "\nSigPnd:\t");

	return pending && (size_t)(text + length - pending) >= 3 * 25 ? pending : NULL;
}

int sp_task_signals(int tid, struct sp_task_signals *signals)
{
	char text[2048];
	const char *at = NULL;
	size_t offset;
	long got = 0;

	for (offset = 0; !at; offset += sizeof text / 2) { /* before them stand the user's groups, which may be many */
		got = read_at(tid, "/status", offset, text, sizeof text);
		if (got <= 0)
			return got < 0 && got != -ENOENT ? (int)got : -ESRCH;
		at = offset ? NULL : sp_find_value(text, "\nState:\t");
		if (at && (*at == 'Z' || *at == 'X'))
			return -ESRCH;
		at = find_signals(text, (size_t)got);
	}
	signals->pending = sp_take_hexadecimal(&at);
	at = sp_find_value(at, "\nSigBlk:\t");
	signals->blocked = at ? sp_take_hexadecimal(&at) : ~0ull;
	at = at ? sp_find_value(at, "\nvoluntary_ctxt_switches:\t") : NULL;
	signals->sleeps = at ? sp_take_decimal(&at) : UINT64_MAX;
	return 0;
}

bool sp_task_queue_ns(int tid, uint64_t *queue_ns)
{
	char text[80];
	const char *at = text;

	if (read_file(tid, "/schedstat", text, sizeof text) <= 0 || !sp_take_decimal(&at) || *at++ != ' ')
		return false;
	*queue_ns = sp_take_decimal(&at);
	return true;
}

/* "202 0x7f0012 0x189 0x0 …", "running", or "-1 …" */
long sp_task_call(int tid, uint64_t arguments[3])
{
	char text[256];
	const char *at = text;
	long call;
	int i;

	if (read_file(tid, "/syscall", text, sizeof text) <= 0 || *at < '0' || *at > '9')
		return -1;
	call = (long)sp_take_decimal(&at);
	for (i = 0; i < 3; i++) {
		if (at[0] != ' ' || at[1] != '0' || at[2] != 'x')
			return -1;
		at += 3;
		arguments[i] = sp_take_hexadecimal(&at);
	}
	return call;
}

bool sp_task_blocks(int tid)
{
	uint64_t ours = 1ull << (sp_agent.config.signal - 1), arguments[3], awaited;
	struct sp_task_signals signals;

	/* Those that it waits for are not told as blocked meanwhile. */
	if (sp_task_call(tid, arguments) == SYS_rt_sigtimedwait &&
		sp_read_memory(&awaited, (const void *)(uintptr_t)arguments[0], sizeof awaited) && awaited & ours)
		return true;
	return sp_task_signals(tid, &signals) == 0 && signals.blocked & ours;
}

static uint64_t kib_of(const char *text, const char *key)
{
	const char *kib = sp_find_value(text, key);

	while (kib && *kib == ' ')
		kib++;
	return kib ? read_decimal(kib) * 1024 : 0;
}

bool sp_task_memory(struct sp_task_memory *memory)
{
	char text[4096];

	memset(memory, 0, sizeof *memory);
	if (read_file(sp_agent.pid, "/status", text, sizeof text) <= 0)
		return false;
	memory->peak_rss_bytes = kib_of(text, "\nVmHWM:\t");
	memory->rss_bytes = kib_of(text, "\nVmRSS:\t");
	memory->anonymous_bytes = kib_of(text, "\nRssAnon:\t");
	memory->swapped_bytes = kib_of(text, "\nVmSwap:\t");
	memory->huge_bytes = kib_of(text, "\nHugetlbPages:\t");
	return memory->rss_bytes != 0;
}

bool sp_task_each(void (*fn)(int tid))
{
	char buffer[1024] __attribute__((aligned(8)));
	long fd = sp_sys(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), got, at;

	if (fd < 0)
		return false;
	while ((got = sp_sys(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
		for (at = 0; at < got;) {
			const struct entry *e = (const struct entry *)(buffer + at);
			if (e->name[0] != '.')
				fn((int)read_decimal(e->name));
			at += e->bytes;
		}
	}
	sp_sys(SYS_close, fd);
	return got == 0;
}
