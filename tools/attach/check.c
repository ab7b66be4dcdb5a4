/* Whether a process can be attached to: what speaks against it is told before anything is done to it. */
#include "tools/attach/attach.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiles/spool/process.h"
#include "tools/tools.h"

#define TICKS_A_SECOND 100u
#define REFUSED 1

static int refuse(int pid, const char *why)
{
	sp_complain("attach: process %d %s", pid, why);
	return REFUSED;
}

/* --- /proc/PID/status */

struct status {
	char state;
	int tracer;
	unsigned uid[4], gid[4];
	unsigned seccomp;
	uint64_t caught, blocked;
	bool shadow_stack;
};

static void take_line(const char *line, struct status *s)
{
	unsigned long long mask;

	if (sscanf(line, "SigCgt: %llx", &mask) == 1)
		s->caught = mask;
	if (sscanf(line, "SigBlk: %llx", &mask) == 1)
		s->blocked = mask;
	if (strncmp(line, "x86_Thread_features:", 20) == 0 && strstr(line, "shstk"))
		s->shadow_stack = true;
	(void)(sscanf(line, "State: %c", &s->state) == 1 || sscanf(line, "TracerPid: %d", &s->tracer) == 1 ||
		sscanf(line, "Uid: %u %u %u %u", &s->uid[0], &s->uid[1], &s->uid[2], &s->uid[3]) == 4 ||
		sscanf(line, "Gid: %u %u %u %u", &s->gid[0], &s->gid[1], &s->gid[2], &s->gid[3]) == 4 ||
		sscanf(line, "Seccomp: %u", &s->seccomp) == 1);
}

static bool read_status(int pid, int tid, struct status *s)
{
	char path[64], line[512];
	FILE *file;

	*s = (struct status){0};
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		take_line(line, s);
	if (file)
		fclose(file);
	return s->state;
}

static bool differs(const unsigned id[4])
{
	return id[0] != id[1] || id[0] != id[2] || id[0] != id[3];
}

static int refuse_traced(int pid, int tracer)
{
	char path[64], name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", tracer);
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	sp_complain("attach: process %d is traced by process %d (%s), and can have one tracer only; end that one first",
		pid, tracer, name);
	return REFUSED;
}

static int check_main(struct sp_attach_target *t, const struct status *s)
{
	char why[128];

	if (s->state == 'Z' || s->state == 'X')
		return refuse(t->pid, "has ended already");
	if (s->tracer)
		return refuse_traced(t->pid, s->tracer);
	if (geteuid() != 0 && s->uid[1] != geteuid()) {
		snprintf(why, sizeof(why), "is user %u's; attach as that user or as root", s->uid[1]);
		return refuse(t->pid, why);
	}
	if (differs(s->uid) || differs(s->gid))
		return refuse(t->pid,
			"runs with other rights than its user's (setuid or setgid); what a user can read must "
			"not come from such a one");
	if (s->state == 'T' || s->state == 't') {
		snprintf(why, sizeof(why), "is stopped; let it go on first (kill -CONT %d)", t->pid);
		return refuse(t->pid, why);
	}
	if (s->shadow_stack)
		return refuse(t->pid,
			"has a shadow stack, with which no call can be put into it; start it with smartprof "
			"run");
	t->uid = s->uid[0];
	t->gid = s->gid[0];
	return 0;
}

static bool is_used(const struct status *s, int signal)
{
	return (s->caught | s->blocked) >> (signal - 1) & 1;
}

static int use_signal(struct sp_attach_target *t, int number, const char *name)
{
	t->signal_number = number;
	t->signal = name;
	return 0;
}

/* One whose default is to do nothing, so that none can hurt that comes when the handler is gone; else one that no program
 * uses. One that is blocked may be waited for (signalfd). */
static int pick_signal(struct sp_attach_target *t, const struct status *s)
{
	if (t->agent) /* it has one already */
		return s->caught >> (SIGSTKFLT - 1) & 1 ? use_signal(t, SIGSTKFLT, "SIGSTKFLT")
							: use_signal(t, SIGURG, "SIGURG");
	if (!is_used(s, SIGURG))
		return use_signal(t, SIGURG, "SIGURG");
	if (!is_used(s, SIGSTKFLT))
		return use_signal(t, SIGSTKFLT, "SIGSTKFLT");
	return refuse(t->pid,
		"handles or blocks SIGURG and SIGSTKFLT, with one of which it would be sampled; start it with "
		"smartprof run");
}

/* Each thread may have a filter of its own. */
static int check_threads(struct sp_attach_target *t)
{
	char path[64];
	struct dirent *e;
	struct status s;
	DIR *tasks;
	int status = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	tasks = opendir(path);
	while (tasks && !status && (e = readdir(tasks)))
		if (e->d_name[0] != '.' && read_status(t->pid, atoi(e->d_name), &s) && s.seccomp)
			status = refuse(t->pid,
				"has a seccomp filter, which might kill it for a system call of the agent's; "
				"start it with smartprof run, which adapts to filters");
	if (tasks)
		closedir(tasks);
	return status;
}

/* --- the program */

static bool same_namespace(int pid, const char *kind)
{
	char path[64], ours[64];
	struct stat a, b;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	snprintf(ours, sizeof(ours), "/proc/self/ns/%s", kind);
	return stat(path, &a) == 0 && stat(ours, &b) == 0 && a.st_ino == b.st_ino;
}

static bool has_secure_mode(int pid)
{
	char path[64];
	Elf64_auxv_t entry;
	bool secure = false;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && read(fd, &entry, sizeof(entry)) == (ssize_t)sizeof(entry))
		if (entry.a_type == AT_SECURE)
			secure = entry.a_un.a_val;
	if (fd >= 0)
		close(fd);
	return secure;
}

static int check_program(const struct sp_attach_target *t)
{
	char path[64];
	Elf64_Ehdr header;
	int fd;
	ssize_t got = -1;

	snprintf(path, sizeof(path), "/proc/%d/exe", t->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return refuse(t->pid, "is a part of the kernel, or ending");
	if (fd < 0)
		return refuse(t->pid, "cannot be looked at; attach as root");
	got = read(fd, &header, sizeof(header));
	close(fd);
	if (got == (ssize_t)sizeof(header) && header.e_ident[EI_CLASS] != ELFCLASS64)
		return refuse(t->pid, "is a 32-bit program, and the agent is 64-bit");
	if (got == (ssize_t)sizeof(header) && header.e_machine != EM_X86_64)
		return refuse(t->pid, "is not a program for x86-64");
	if (has_secure_mode(t->pid))
		return refuse(t->pid,
			"was started with more rights than its caller's (setuid or file capabilities); what a "
			"user can read must not come from such a one");
	if (!same_namespace(t->pid, "pid"))
		return refuse(t->pid, "is in another pid namespace; run smartprof inside its container");
	return 0;
}

static int check_agent(struct sp_attach_target *t)
{
	const struct sp_attach_map *agent = sp_attach_map_of(&t->maps, SP_MAP_AGENT);
	char why[128];

	if (!agent)
		return 0;
	if (strstr(agent->path, SP_ATTACH_LIBRARY)) {
		t->agent = agent->start;
		return 0;
	}
	snprintf(why, sizeof(why), "has the agent from its start; smartprof report %d shows its profile", t->pid);
	return refuse(t->pid, why);
}

/* What libc's sigaction makes handlers return to: mov $15, %rax; syscall. */
static uint64_t find_sigreturn(const uint8_t *file, size_t bytes)
{
	static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	const uint8_t *at = memmem(file, bytes, code, sizeof(code));

	return at ? (uint64_t)(at - file) : 0;
}

static uint64_t address_of(const struct sp_attach_maps *maps, const struct sp_attach_map *first, uint64_t offset)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct sp_attach_map *m = &maps->list[i];

		if (m->inode == first->inode && m->kind == first->kind && m->executable && offset >= m->offset &&
			offset - m->offset < m->end - m->start)
			return m->start + (offset - m->offset);
	}
	return 0;
}

static int check_libc(struct sp_attach_target *t)
{
	const struct sp_attach_map *libc = sp_attach_map_of(&t->maps, SP_MAP_LIBC);
	char path[PATH_MAX];
	uint8_t *file = NULL;
	size_t bytes = 0;
	uint64_t dlopen_value = 0;

	for (size_t i = 0; !libc && i < t->maps.count; i++)
		if (strstr(t->maps.list[i].path, "ld-musl") || strstr(t->maps.list[i].path, "libc.musl"))
			return refuse(t->pid, "uses musl, and the agent needs glibc");
	if (!libc)
		return refuse(t->pid, "is statically linked, so nothing in it can load the agent");
	if (sp_attach_map_open_path(path, t->pid, libc))
		file = sp_attach_file(path, &bytes);
	if (!file)
		return refuse(t->pid,
			"uses a C library whose file is gone or was replaced since; restart it, or attach as "
			"root");
	if (sp_attach_symbol(file, bytes, "_dl_find_object") || sp_attach_symbol(file, bytes, "__libc_early_init"))
		dlopen_value = sp_attach_symbol(file, bytes, "dlopen");
	t->libc = libc->start;
	t->dlopen = dlopen_value ? libc->start + dlopen_value : 0;
	t->sigreturn = address_of(&t->maps, libc, find_sigreturn(file, bytes));
	free(file);
	if (t->dlopen && t->sigreturn)
		return 0;
	return refuse(t->pid, "uses a C library older than glibc 2.35, in which the agent cannot work");
}

/* Whoever interrupts it in its own allocator must not call that again. Nobody can write to a file that is run. */
static bool defines_malloc(int pid)
{
	bool defines = true;
	char path[64];
	struct stat st;
	void *file;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return true;
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file != MAP_FAILED) {
		defines = sp_attach_symbol(file, (size_t)st.st_size, "malloc") != 0;
		munmap(file, (size_t)st.st_size);
	}
	close(fd);
	return defines;
}

static uint64_t run_ns(int pid)
{
	struct sp_process_stat stat;
	struct timespec now;
	uint64_t ns, began;

	if (sp_process_stat(pid, &stat) != 0 || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
		return 1;
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	began = stat.start_ticks * (1000000000u / TICKS_A_SECOND);
	return ns > began ? ns - began : 1;
}

int sp_attach_check(struct sp_attach_target *t, int pid)
{
	struct status s;
	int status, err;

	*t = (struct sp_attach_target){.pid = pid};
	if (pid == getpid())
		return refuse(pid, "is this command");
	if (pid <= 0 || !read_status(pid, pid, &s)) {
		sp_complain("attach: there is no process %d; ps shows which there are", pid);
		return SP_EXIT_USAGE;
	}
	status = check_main(t, &s);
	if (!status)
		status = check_program(t);
	if (status)
		return status;
	err = sp_attach_maps_read(&t->maps, pid);
	if (err)
		return refuse(pid, "cannot be looked at; attach as root");
	status = check_agent(t);
	if (!status)
		status = check_libc(t);
	if (!status)
		status = check_threads(t);
	if (!status)
		status = pick_signal(t, &s);
	t->has_own_malloc = defines_malloc(pid);
	t->run_ns = run_ns(pid);
	return status;
}

void sp_attach_free(struct sp_attach_target *t)
{
	sp_attach_maps_free(&t->maps);
}
