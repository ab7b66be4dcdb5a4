/* Threads as /proc tells of them. Nothing here stops a thread. */
#include "tools/where/where.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/base/memory.h"
#include "tools/tools.h"

static const char *field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? at + strlen(name) : NULL;
}

/* "202 0x7f… 0x189 … 0xSP 0xPC", "running", or "-1 0xSP 0xPC" where it was stopped in the kernel but in no call. */
static void read_call(struct sp_where_task *task, int pid)
{
	char text[256], *at = text;
	long got = sp_proc_read(text, sizeof(text), "/proc/%d/task/%d/syscall", pid, task->tid);

	task->has_call = false;
	task->refused = got == -EACCES || got == -EPERM;
	if (got <= 0 || (!isdigit((unsigned char)text[0]) && text[0] != '-'))
		return;
	task->call = strtol(text, &at, 10);
	for (size_t i = 0; task->call >= 0 && i < 6; i++)
		task->arguments[i] = strtoull(at, &at, 16);
	task->sp = strtoull(at, &at, 16);
	task->pc = strtoull(at, &at, 16);
	task->has_call = task->pc != 0;
}

static bool read_status(struct sp_where_task *task, int pid)
{
	char text[4096], *end;
	const char *at;

	if (sp_proc_read(text, sizeof(text), "/proc/%d/task/%d/status", pid, task->tid) <= 0)
		return false;
	at = field(text, "Name:\t");
	if (at)
		snprintf(task->name, sizeof(task->name), "%.*s", (int)strcspn(at, "\n"), at);
	at = field(text, "\nState:\t");
	task->state = at ? *at : '?';
	task->inner_tid = task->tid;
	at = field(text, "\nNSpid:\t");
	while (at && isdigit((unsigned char)*at)) {
		task->inner_tid = (int)strtol(at, &end, 10);
		at = *end == '\t' ? end + 1 : end;
	}
	return true;
}

bool sp_where_again(const struct sp_where_process *p, struct sp_where_task *task)
{
	struct sp_where_task now = *task;

	read_call(&now, p->pid);
	if (now.has_call == task->has_call && now.call == task->call && now.sp == task->sp && now.pc == task->pc &&
		memcmp(now.arguments, task->arguments, sizeof(now.arguments)) == 0)
		return true;
	if (read_status(&now, p->pid))
		now.since_ns = sp_waited_ns(p->pid, now.tid);
	*task = now;
	return false;
}

uint64_t sp_where_switches(const struct sp_where_process *p, int tid)
{
	char text[4096];
	const char *at;

	if (sp_proc_read(text, sizeof(text), "/proc/%d/task/%d/status", p->pid, tid) <= 0)
		return UINT64_MAX;
	at = field(text, "\nvoluntary_ctxt_switches:\t");
	return at ? strtoull(at, NULL, 10) : UINT64_MAX;
}

static int by_tid(const void *left, const void *right)
{
	const struct sp_where_task *a = left, *b = right;

	return a->tid < b->tid ? -1 : a->tid > b->tid;
}

static void read_tasks(struct sp_where_process *p)
{
	char path[48];
	size_t room = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", p->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct sp_where_task task = {.tid = atoi(entry->d_name)};

		if (task.tid <= 0 || !read_status(&task, p->pid))
			continue;
		read_call(&task, p->pid);
		task.since_ns = sp_waited_ns(p->pid, task.tid);
		sp_grow(&p->tasks, &room, p->count + 1, sizeof(*p->tasks));
		p->tasks[p->count++] = task;
	}
	if (dir)
		closedir(dir);
	if (p->count)
		qsort(p->tasks, p->count, sizeof(*p->tasks), by_tid);
}

static int refuse(const char *pid, const char *why)
{
	sp_complain("where: process %s %s", pid, why);
	return SP_EXIT_USAGE;
}

static int check_program(int pid, const char *name)
{
	char path[48];
	Elf64_Ehdr header = {0};
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return refuse(name, "is a part of the kernel, or ending: there is nothing to see");
	if (fd < 0)
		return refuse(name, "is not yours to look at; ask as its user, or as root");
	got = read(fd, &header, sizeof(header));
	close(fd);
	if (got == (ssize_t)sizeof(header) && (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64))
		return refuse(name, "is not a program for x86-64");
	return 0;
}

static int parse_pid(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	return isdigit((unsigned char)*text) && !*end && pid > 0 && pid <= INT_MAX ? (int)pid : 0;
}

int sp_where_read(struct sp_where_process *p, const char *pid)
{
	struct sp_where_task first = {0};
	uint64_t word;
	int status;

	*p = (struct sp_where_process){.pid = parse_pid(pid)};
	if (!p->pid) {
		sp_complain("where: '%s' is no process id; give it a number, as ps shows it", pid);
		return SP_EXIT_USAGE;
	}
	first.tid = p->pid;
	if (!read_status(&first, p->pid))
		return refuse(pid, "is not there: it has ended, or counts in another pid namespace under that number");
	if (first.state == 'Z' || first.state == 'X')
		return refuse(pid, "has ended, and waits for its parent to take notice");
	status = check_program(p->pid, pid);
	if (status)
		return status;
	memcpy(p->name, first.name, sizeof(p->name));
	read_tasks(p);
	if (!p->count)
		return refuse(pid, "has ended");
	if (sp_attach_maps_read(&p->maps, p->pid) < 0 || !p->maps.count)
		return refuse(pid, "is not yours to look at; ask as its user, or as root");
	p->has_memory = sp_attach_read(p->pid, p->maps.list[0].start, &word, sizeof(word));
	return 0;
}

void sp_where_free(struct sp_where_process *p)
{
	sp_attach_maps_free(&p->maps);
	free(p->tasks);
	*p = (struct sp_where_process){0};
}
