/* Orders to the keeper. */
#include "tools/monitor/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiles/base/buffer.h"
#include "tools/monitor/keeper.h"
#include "tools/tools.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* since Linux 6.3: where files in memory are not executable otherwise */
#endif

extern const char sp_keeper_image[];
extern const uint64_t sp_keeper_image_bytes;

static void note_signals(struct sp_nursery *nursery)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number < 64; number++) {
		struct sigaction now;

		if (sigismember(&mask, number) > 0)
			nursery->signals_blocked |= 1ull << (number - 1);
		if (sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			nursery->signals_ignored |= 1ull << (number - 1);
	}
}

/* To a file in memory, which the limit on files' size is not meant for: that is the commands'. */
static int write_memory(const struct sp_buffer *text, int fd)
{
	struct rlimit given, lifted;
	int error;

	getrlimit(RLIMIT_FSIZE, &given);
	lifted = (struct rlimit){given.rlim_max, given.rlim_max};
	setrlimit(RLIMIT_FSIZE, &lifted);
	error = sp_buffer_write(text, fd);
	setrlimit(RLIMIT_FSIZE, &given);
	return error;
}

/* Returns a descriptor of the program, or a negative errno. */
static int make_program(void)
{
	const struct sp_buffer image = {.data = (char *)sp_keeper_image, .length = sp_keeper_image_bytes};
	int fd = memfd_create("smartprof-keeper", MFD_CLOEXEC | MFD_EXEC), error;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("smartprof-keeper", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = write_memory(&image, fd);
	if (!error)
		return fd;
	close(fd);
	return error;
}

int sp_nursery_open(struct sp_nursery *nursery)
{
	char path[32], name[] = "smartprof-keeper";
	char *argv[] = {name, NULL}, *none[] = {NULL};
	posix_spawn_file_actions_t actions;
	int program = make_program(), ends[2], error;
	pid_t pid;

	*nursery = (struct sp_nursery){.socket = -1};
	note_signals(nursery);
	if (program < 0)
		return program;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		error = -errno;
		close(program);
		return error;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", program);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	error = -posix_spawn(&pid, path, &actions, NULL, argv, none);
	posix_spawn_file_actions_destroy(&actions);
	close(program);
	close(ends[1]);
	if (error)
		close(ends[0]);
	else
		nursery->socket = ends[0];
	return error;
}

void sp_nursery_close(struct sp_nursery *nursery)
{
	if (nursery->socket >= 0)
		close(nursery->socket);
	nursery->socket = -1;
}

static void put_string(struct sp_buffer *out, const char *text)
{
	sp_buffer_add(out, text, strlen(text) + 1);
}

/* What the new name of the tree's file consists of, but for the process's number. */
static void put_tree(struct sp_buffer *out, const struct sp_tree_hold *hold)
{
	char text[128];

	put_string(out, hold->path);
	snprintf(text, sizeof(text), "%s/", hold->directory);
	put_string(out, text);
	snprintf(text, sizeof(text), ".%llu", (unsigned long long)hold->born_ns);
	put_string(out, text);
	put_string(out, strrchr(hold->path, '.'));
}

/* Returns a descriptor of the order, or a negative errno. */
static int write_order(const struct sp_nursery *n, const char *path, char *const *argv, char *const *variables,
	const struct sp_tree_hold *hold)
{
	struct sp_keeper_order order = {.signals_blocked = n->signals_blocked,
		.signals_ignored = n->signals_ignored,
		.umask = sp_umask_given()};
	struct sp_buffer text = {0};
	int fd = memfd_create("smartprof-order", MFD_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	sp_buffer_add(&text, (const char *)&order, sizeof(order));
	put_string(&text, path);
	for (; argv[order.arguments]; order.arguments++)
		put_string(&text, argv[order.arguments]);
	for (; variables[order.variables]; order.variables++)
		put_string(&text, variables[order.variables]);
	if (hold && hold->fd >= 0) {
		order.tree = 4;
		put_tree(&text, hold);
	}
	order.bytes = (uint32_t)(text.length - sizeof(order));
	memcpy(text.data, &order, sizeof(order));
	error = text.length > UINT32_MAX ? -E2BIG : write_memory(&text, fd);
	sp_buffer_free(&text);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static int send_order(const struct sp_nursery *nursery, const int *fds)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(SP_KEEPER_FDS * sizeof(int))];
	} control = {0};
	char byte = 'r';
	struct iovec data = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(SP_KEEPER_FDS * sizeof(int));
	memcpy(CMSG_DATA(header), fds, SP_KEEPER_FDS * sizeof(int));
	while (sendmsg(nursery->socket, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int sp_nursery_start(const struct sp_nursery *nursery, const char *path, char *const *argv, char *const *variables,
	const struct sp_tree_hold *hold, const int *fds)
{
	int sent[SP_KEEPER_FDS], ends[2], order = write_order(nursery, path, argv, variables, hold), error;

	if (order < 0)
		return order;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		error = -errno;
		close(order);
		return error;
	}
	sent[SP_KEEPER_CONTROL] = ends[1];
	sent[SP_KEEPER_ORDER] = order;
	memcpy(sent + SP_KEEPER_IN, fds, 3 * sizeof(*fds));
	error = send_order(nursery, sent);
	close(order);
	close(ends[1]);
	if (!error)
		return ends[0];
	close(ends[0]);
	return error;
}
