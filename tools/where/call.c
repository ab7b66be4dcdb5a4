/* System calls in words: what a thread in one waits for. */
#include "tools/where/where.h"

#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"

#define WATCHED 4u /* descriptors of a poll that are named */

static const char *const names[] = {
#define X(name) [SYS_##name] = #name,
#include "tools/where/calls.def"
#undef X
};

/* Those that begin with a descriptor. */
static const short with_descriptor[] = {SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev,
	SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_sendto,
	SYS_sendmsg, SYS_sendmmsg, SYS_accept, SYS_accept4, SYS_connect, SYS_fsync, SYS_fdatasync, SYS_flock, SYS_fcntl,
	SYS_ioctl, SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_sendfile, SYS_splice, SYS_tee, SYS_vmsplice,
	SYS_fallocate, SYS_ftruncate, SYS_getdents64, SYS_sync_file_range, SYS_syncfs, SYS_io_uring_enter, SYS_close,
	SYS_copy_file_range, SYS_fstat, SYS_lseek};

/* Those with a path, and which of their arguments it is. */
static const struct {
	short call, argument;
} with_path[] = {{SYS_open, 0}, {SYS_stat, 0}, {SYS_lstat, 0}, {SYS_access, 0}, {SYS_execve, 0}, {SYS_truncate, 0},
	{SYS_chdir, 0}, {SYS_rename, 0}, {SYS_mkdir, 0}, {SYS_rmdir, 0}, {SYS_creat, 0}, {SYS_link, 0}, {SYS_unlink, 0},
	{SYS_symlink, 1}, {SYS_readlink, 0}, {SYS_chmod, 0}, {SYS_chown, 0}, {SYS_lchown, 0}, {SYS_utime, 0},
	{SYS_statfs, 0}, {SYS_mount, 1}, {SYS_umount2, 0}, {SYS_utimes, 0}, {SYS_getxattr, 0}, {SYS_lgetxattr, 0},
	{SYS_setxattr, 0}, {SYS_listxattr, 0}, {SYS_openat, 1}, {SYS_openat2, 1}, {SYS_mkdirat, 1}, {SYS_newfstatat, 1},
	{SYS_statx, 1}, {SYS_unlinkat, 1}, {SYS_renameat, 1}, {SYS_renameat2, 1}, {SYS_linkat, 1}, {SYS_symlinkat, 2},
	{SYS_readlinkat, 1}, {SYS_fchmodat, 1}, {SYS_fchownat, 1}, {SYS_faccessat, 1}, {SYS_utimensat, 1}};

#define PATH_SHOWN 256u

const char *sp_where_call_name(long call)
{
	return call >= 0 && (size_t)call < sizeof(names) / sizeof(names[0]) ? names[call] : NULL;
}

static void put_fd(struct sp_where_wait *wait, struct sp_buffer *out, int pid, int fd)
{
	char what[sizeof(wait->file)];

	sp_where_fd(what, sizeof(what), pid, fd);
	sp_buffer_printf(out, "fd %d", fd);
	if (*what)
		sp_buffer_printf(out, ": %s", what);
	if (wait->fd >= 0)
		return;
	wait->fd = fd;
	snprintf(wait->file, sizeof(wait->file), "%s", what);
}

static bool read_time(const struct sp_where_process *p, uint64_t address, uint64_t *ns)
{
	struct timespec t;

	if (!address || !p->has_memory || !sp_attach_read(p->pid, address, &t, sizeof(t)) || t.tv_sec < 0 ||
		t.tv_sec > INT_MAX || t.tv_nsec < 0 || t.tv_nsec >= 1000000000)
		return false;
	*ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	return true;
}

/* A time to sleep; clock: the one by which it is a moment, negative: it is a duration. */
static void put_time(struct sp_buffer *out, const struct sp_where_process *p, uint64_t address, int clock)
{
	struct timespec t;
	uint64_t until, now;

	if (!read_time(p, address, &until))
		return;
	if (clock < 0) {
		sp_put_duration(out, until);
	} else if (clock_gettime(clock, &t) == 0) {
		now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
		sp_put_duration(out, until > now ? until - now : 0);
		sp_buffer_puts(out, " more");
	}
}

/* Up to the end of its page, and of the next one where that is there. */
static void put_path(struct sp_buffer *out, const struct sp_where_process *p, uint64_t address)
{
	char path[PATH_SHOWN + 1] = "";
	size_t here = 4096 - address % 4096;

	here = here < PATH_SHOWN ? here : PATH_SHOWN;
	if (!p->has_memory || !sp_attach_read(p->pid, address, path, here))
		return;
	if (here < PATH_SHOWN && !memchr(path, '\0', here) &&
		!sp_attach_read(p->pid, address + here, path + here, PATH_SHOWN - here))
		path[here] = '\0';
	sp_escape_name(out, SP_ESCAPE_PLAIN, path);
}

static void put_polled(struct sp_where_wait *wait, struct sp_buffer *out, const struct sp_where_process *p,
	const uint64_t *arguments)
{
	struct pollfd fds[WATCHED];
	size_t count = arguments[1] < WATCHED ? arguments[1] : WATCHED;

	if (!count || !p->has_memory || !sp_attach_read(p->pid, arguments[0], fds, count * sizeof(*fds))) {
		sp_buffer_printf(out, "%llu descriptors", (unsigned long long)arguments[1]);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		sp_buffer_puts(out, i ? ", " : "");
		put_fd(wait, out, p->pid, fds[i].fd);
	}
	if (arguments[1] > count)
		sp_buffer_printf(out, ", … %llu more", (unsigned long long)(arguments[1] - count));
}

/* What an epoll descriptor watches, by its "tfd:" lines. */
static void put_watched(struct sp_where_wait *wait, struct sp_buffer *out, int pid, int fd)
{
	char path[64], line[160];
	unsigned count = 0;
	FILE *file;
	int watched;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "tfd: %d", &watched) != 1 || ++count > WATCHED)
			continue;
		sp_buffer_puts(out, count == 1 ? " of " : ", ");
		put_fd(wait, out, pid, watched);
	}
	if (count > WATCHED)
		sp_buffer_printf(out, ", … %u more", count - WATCHED);
	if (file)
		fclose(file);
}

static void put_lock(struct sp_buffer *out, const struct sp_where_process *p, const struct sp_where_lock *lock)
{
	sp_buffer_printf(out, "%s at 0x%llx", lock->kind, (unsigned long long)lock->address);
	if (*lock->place)
		sp_buffer_printf(out, " (%s)", lock->place);
	sp_where_put_holder(out, p, lock);
}

/* FUTEX_WAIT of a mutex waits for the word to be 2 no more, which says that it is taken and waited for. */
static void put_futex(struct sp_where_wait *wait, struct sp_buffer *out, const struct sp_where_process *p,
	const uint64_t *arguments)
{
	unsigned operation = (unsigned)arguments[1] & FUTEX_CMD_MASK;
	bool inherits = operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2;
	bool waits = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;

	if (!inherits && !waits) {
		sp_buffer_printf(out, "0x%llx", (unsigned long long)arguments[0]);
		return;
	}
	sp_where_lock_read(&wait->lock, p, arguments[0],
		inherits || (uint32_t)arguments[2] == 2 || (arguments[2] & FUTEX_WAITERS));
	put_lock(out, p, &wait->lock);
}

static void put_child(struct sp_buffer *out, int which)
{
	if (which > 0)
		sp_buffer_printf(out, "process %d", which);
	else
		sp_buffer_puts(out, which == -1 ? "any child" : "a child of a group");
}

/* clone's flags are its first argument, clone3's stand first in what that leads to. */
static void put_vfork(struct sp_buffer *out, const struct sp_where_process *p, const struct sp_where_task *task)
{
	uint64_t flags = task->arguments[0];

	if (task->call == SYS_clone3 &&
		(!p->has_memory || !sp_attach_read(p->pid, task->arguments[0], &flags, sizeof(flags))))
		return;
	if (task->call == SYS_vfork || (flags & CLONE_VFORK))
		sp_buffer_puts(out, "until its child runs a program, or ends");
}

static void put_arguments(struct sp_where_wait *wait, struct sp_buffer *out, const struct sp_where_process *p,
	const struct sp_where_task *task)
{
	const uint64_t *a = task->arguments;

	for (size_t i = 0; i < sizeof(with_descriptor) / sizeof(with_descriptor[0]); i++)
		if (task->call == with_descriptor[i])
			put_fd(wait, out, p->pid, (int)a[0]);
	for (size_t i = 0; i < sizeof(with_path) / sizeof(with_path[0]); i++)
		if (task->call == with_path[i].call)
			put_path(out, p, a[with_path[i].argument]);
	switch (task->call) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		put_watched(wait, out, p->pid, (int)a[0]);
		break;
	case SYS_poll:
	case SYS_ppoll:
		put_polled(wait, out, p, a);
		break;
	case SYS_select:
	case SYS_pselect6:
		sp_buffer_printf(out, "descriptors below %d", (int)a[0]);
		break;
	case SYS_futex:
		put_futex(wait, out, p, a);
		break;
	case SYS_nanosleep:
		put_time(out, p, a[0], -1);
		break;
	case SYS_clock_nanosleep:
		put_time(out, p, a[2], a[1] & TIMER_ABSTIME ? (int)a[0] : -1);
		break;
	case SYS_vfork:
	case SYS_clone:
	case SYS_clone3:
		put_vfork(out, p, task);
		break;
	case SYS_wait4:
		put_child(out, (int)a[0]);
		break;
	}
}

static const char *state_in_words(char state)
{
	switch (state) {
	case 'R':
		return "running, or ready to run";
	case 'T':
		return "stopped by a signal";
	case 't':
		return "stopped by a debugger";
	case 'D':
		return "waiting in the kernel for a disk or the like";
	case 'Z':
	case 'X':
		return "ended";
	case 'I':
		return "idle";
	}
	return "waiting in the kernel";
}

void sp_where_wait_read(struct sp_where_wait *wait, const struct sp_where_process *p, const struct sp_where_task *task)
{
	const char *name = sp_where_call_name(task->call);
	struct sp_buffer out = {0};

	*wait = (struct sp_where_wait){.fd = -1};
	if (!task->has_call || task->call < 0) {
		snprintf(wait->what, sizeof(wait->what), "%s", state_in_words(task->state));
		return;
	}
	if (name)
		sp_buffer_puts(&out, name);
	else
		sp_buffer_printf(&out, "system call %ld", task->call);
	sp_buffer_puts(&out, "(");
	put_arguments(wait, &out, p, task);
	sp_buffer_puts(&out, ")");
	if (task->state == 'T' || task->state == 't')
		sp_buffer_printf(&out, ", %s", state_in_words(task->state));
	snprintf(wait->what, sizeof(wait->what), "%s", out.data);
	sp_buffer_free(&out);
}
