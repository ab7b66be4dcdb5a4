/* Waiting for file systems: see patience.h.
 *
 * A thread that hangs in the kernel would keep this process from ending. A process may be left behind: it shares our
 * memory, so that nothing need be handed over, and is killed while it is in a system call, so that it never runs on. */
#include "symbolize/disk/patience.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "symbolize/base/memory.h"

#define PATIENCE_MS 2000
#define STACK_BYTES (256u << 10)
#define DEAD_MAX 32u

static struct {
	pthread_mutex_t lock;
	char *directories[DEAD_MAX]; /* where something did not answer */
	unsigned count;
} dead = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* mountinfo's field after " - " (proc_pid_mountinfo(5)). */
static bool may_hang(const char *line)
{
	static const char *const types[] = {"nfs", "cifs", "smb", "fuse ", "fuse.", "fuseblk", "9p", "ceph", "lustre",
		"afs", "autofs", "gfs2", "ocfs2", "beegfs", "gpfs", "virtiofs"};
	const char *type = strstr(line, " - ");

	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strncmp(type + 3, types[i], strlen(types[i])))
			return true;
	return false;
}

static bool something_may_hang;

static void look_at_mounts(void)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;

	something_may_hang = !mounts;
	while (mounts && !something_may_hang && getline(&line, &size, mounts) > 0)
		something_may_hang = may_hang(line);
	free(line);
	if (mounts)
		fclose(mounts);
}

static bool is_dead(const char *path)
{
	bool found = false;

	pthread_mutex_lock(&dead.lock);
	for (unsigned i = 0; i < dead.count && !found; i++)
		found = !strncmp(path, dead.directories[i], strlen(dead.directories[i]));
	pthread_mutex_unlock(&dead.lock);
	return found;
}

/* What is in /proc may be anywhere. */
static void give_up(const char *path)
{
	const char *slash = strrchr(path, '/');

	pthread_mutex_lock(&dead.lock);
	if (slash && slash > path && strncmp(path, "/proc/", 6) != 0 && dead.count < DEAD_MAX)
		dead.directories[dead.count++] = sp_text("%.*s", (int)(slash + 1 - path), path);
	pthread_mutex_unlock(&dead.lock);
}

struct call {
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static int run(void *arg)
{
	struct call *call = arg;

	call->result = call->fn(call->arg);
	return 0;
}

/* Returns 0, -ETIMEDOUT, or why there is no such process. */
static int run_beside(struct call *call, uint8_t *stack)
{
	int pidfd = -1, status, rc = 0;
	pid_t pid = clone(run, stack + STACK_BYTES, CLONE_VM | CLONE_PIDFD, call, &pidfd);
	struct pollfd poll_for = {.fd = pidfd, .events = POLLIN};

	if (pid < 0)
		return -errno;
	while ((rc = poll(&poll_for, 1, PATIENCE_MS)) < 0 && errno == EINTR)
		;
	if (rc <= 0)
		kill(pid, SIGKILL);
	waitpid(pid, &status, __WALL | (rc <= 0 ? WNOHANG : 0));
	close(pidfd);
	return rc <= 0 ? -ETIMEDOUT : 0;
}

int sp_patiently(int (*fn)(void *arg), void *arg, const char *path)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct call *call;
	uint8_t *memory;
	int rc;

	pthread_once(&once, look_at_mounts);
	if (!something_may_hang)
		return fn(arg);
	if (is_dead(path))
		return -ETIMEDOUT;
	memory = mmap(NULL, STACK_BYTES + sizeof(*call), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	call = (struct call *)(memory + STACK_BYTES);
	*call = (struct call){fn, arg, 0};
	rc = run_beside(call, memory);
	if (rc == -ETIMEDOUT) {
		give_up(path);
		return rc; /* the memory is still in use */
	}
	rc = rc ? fn(arg) : call->result;
	munmap(memory, STACK_BYTES + sizeof(*call));
	return rc;
}
