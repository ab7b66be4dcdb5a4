/* The keeper; linked statically, and small: no stdio, no malloc. */
#include "tools/monitor/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEFT_WAIT_MS 100    /* what is about to end anyway is not left running */
#define KILLED_WAIT_MS 5000 /* who is not gone by then cannot be ended by us */
#define KILL_AGAIN_MS 20    /* new ones may have come */
#define TREE_MOST 4096

struct keeper {
	int control, children;
	pid_t pid; /* the command's */
	bool ended, ending, killing;
	uint64_t until_ns; /* 0: no limit */
	struct rusage escaped;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- files of /proc */

static char *put_number(char *to, unsigned number)
{
	char digits[12];
	int count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (count)
		*to++ = digits[--count];
	return to;
}

static char *put_text(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	*to = '\0';
	return to;
}

/* "/proc/PID" and what is behind it; returns the length of what was read. */
static size_t read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64], *end = put_number(put_text(path, "/proc/"), (unsigned)pid);
	size_t length = 0;
	ssize_t got;
	int fd;

	put_text(end, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)got; /* a page at a time */
	if (fd >= 0)
		close(fd);
	text[length] = '\0';
	return length;
}

static uint64_t parse_number(const char **text)
{
	uint64_t number = 0;

	while (**text == ' ')
		(*text)++;
	while (**text >= '0' && **text <= '9')
		number = number * 10 + (uint64_t)(*(*text)++ - '0');
	return number;
}

static uint64_t number_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	if (!at)
		return UINT64_MAX;
	at += strlen(key);
	return parse_number(&at);
}

/* Of a process that has ended and was not waited for yet: with all of its threads and the children that it waited for. */
static void read_last(pid_t pid, struct sp_keeper_told *told)
{
	char text[512];
	const char *at = text;
	uint64_t cancelled;

	read_proc(pid, "/schedstat", text, sizeof(text));
	parse_number(&at);
	told->queue_ns = parse_number(&at);
	read_proc(pid, "/io", text, sizeof(text));
	told->read_bytes = number_after(text, "\nread_bytes:");
	told->written_bytes = number_after(text, "\nwrite_bytes:");
	cancelled = number_after(text, "\ncancelled_write_bytes:");
	if (told->written_bytes != UINT64_MAX && cancelled < told->written_bytes)
		told->written_bytes -= cancelled;
}

/* --- the command */

static uint64_t own_rss(void)
{
	char text[128];
	const char *at = text;

	read_proc(getpid(), "/statm", text, sizeof(text));
	parse_number(&at);
	return parse_number(&at) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void set_signals(const struct sp_keeper_order *order)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (int number = 1; number < 64; number++) {
		uint64_t bit = 1ull << (number - 1);

		if (number != SIGKILL && number != SIGSTOP)
			signal(number, order->signals_ignored & bit ? SIG_IGN : SIG_DFL);
		if (order->signals_blocked & bit)
			sigaddset(&mask, number);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* The rest of the order, in the command's process: it is the first of its tree. Returns its variable. */
static char *name_tree(const char *const *strings)
{
	static char path[256], variable[128];
	char *end = put_number(put_text(path, strings[1]), (unsigned)getpid());

	put_text(put_text(end, strings[2]), strings[3]);
	end = put_number(put_text(variable, "SMARTPROF_TREE="), (unsigned)getpid());
	put_text(put_text(end, strings[2]), ":");
	return rename(strings[0], path) == 0 ? variable : NULL;
}

/* words: what is executed, its arguments and NULL, its environment and NULL, the strings of the tree. */
static void execute(const struct sp_keeper_order *order, const int *fds, char **words)
{
	char **variables = words + 1 + order->arguments + 1;

	for (int i = SP_KEEPER_IN; i <= SP_KEEPER_ERR; i++)
		if (dup2(fds[i], i - SP_KEEPER_IN) < 0)
			return;
	if (order->tree) {
		variables[order->variables] = name_tree((const char *const *)variables + order->variables + 1);
		variables[order->variables + 1] = NULL;
	}
	set_signals(order);
	umask(order->umask);
	execve(words[0], words + 1, variables);
	if (errno == ENOEXEC) { /* a text without #! */
		words[1] = words[0];
		words[0] = "sh";
		execve("/bin/sh", words, variables);
		errno = ENOEXEC;
	}
}

static char **find_words(const struct sp_keeper_order *order)
{
	size_t strings = 1 + order->arguments + order->variables + order->tree, next = 0;
	size_t count = strings + 3;
	char **words = mmap(NULL, count * sizeof(*words), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(order + 1);

	if (words == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < strings; i++) {
		next += i == 1 + order->arguments || i == 1 + order->arguments + order->variables; /* NULL */
		words[next++] = at;
		at += strlen(at) + 1;
	}
	return words;
}

static void tell(const struct keeper *k, struct sp_keeper_told *told)
{
	while (send(k->control, told, sizeof(*told), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* Returns whether it runs. */
static bool start(struct keeper *k, const int *fds)
{
	struct sp_keeper_told told = {.news = SP_KEEPER_STARTED, .keeper = getpid()};
	struct sp_keeper_order *order = mmap(NULL, sizeof(*order), PROT_READ, MAP_PRIVATE, fds[SP_KEEPER_ORDER], 0);
	char **words = NULL;
	int failed[2];

	if (order != MAP_FAILED)
		order = mremap(order, sizeof(*order), sizeof(*order) + order->bytes, MREMAP_MAYMOVE);
	if (order != MAP_FAILED)
		words = find_words(order);
	told.error = words && pipe2(failed, O_CLOEXEC) == 0 ? 0 : ENOMEM;
	told.at_ns = now_ns();
	k->pid = told.pid = told.error ? -1 : fork();
	if (k->pid == 0) {
		execute(order, fds, words);
		told.error = errno;
		if (write(failed[1], &told.error, sizeof(told.error)) < 0)
			_exit(126);
		_exit(127);
	}
	if (k->pid > 0) {
		close(failed[1]);
		while (read(failed[0], &told.error, sizeof(told.error)) < 0 && errno == EINTR)
			;
		close(failed[0]);
	} else if (!told.error) {
		told.error = errno;
	}
	for (int i = SP_KEEPER_ORDER; i < SP_KEEPER_FDS; i++)
		close(fds[i]);
	tell(k, &told);
	return told.error == 0;
}

/* --- what there is of it */

/* The children of a process, of all of its threads where `threads`; adds them to pids. */
static size_t add_children(pid_t pid, pid_t *pids, size_t count)
{
	static char text[TREE_MOST * 11];
	char name[48], *end = put_number(put_text(name, "/task/"), (unsigned)pid);
	const char *at = text;

	put_text(end, "/children");
	read_proc(pid, name, text, sizeof(text));
	while (*at && count < TREE_MOST) {
		pid_t child = (pid_t)parse_number(&at);

		if (child <= 0)
			break;
		pids[count++] = child;
		while (*at == ' ')
			at++;
	}
	return count;
}

/* Children of other threads than the first come to us when their parent has ended, and are found then. */
static void signal_tree(int number)
{
	static pid_t pids[TREE_MOST];
	size_t count = add_children(getpid(), pids, 0);

	for (size_t i = 0; i < count; i++)
		count = add_children(pids[i], pids, count);
	for (size_t i = 0; i < count; i++) {
		kill(pids[i], number);
		if (number == SIGTERM)
			kill(pids[i], SIGCONT);
	}
}

static void add_usage(struct rusage *sum, const struct rusage *more)
{
	sum->ru_utime.tv_sec += more->ru_utime.tv_sec;
	sum->ru_utime.tv_usec += more->ru_utime.tv_usec; /* may be above a million */
	sum->ru_stime.tv_sec += more->ru_stime.tv_sec;
	sum->ru_stime.tv_usec += more->ru_stime.tv_usec;
	if (more->ru_maxrss > sum->ru_maxrss)
		sum->ru_maxrss = more->ru_maxrss;
	sum->ru_minflt += more->ru_minflt;
	sum->ru_majflt += more->ru_majflt;
	sum->ru_inblock += more->ru_inblock;
	sum->ru_oublock += more->ru_oublock;
	sum->ru_nvcsw += more->ru_nvcsw;
	sum->ru_nivcsw += more->ru_nivcsw;
}

/* Returns whether anything is left. */
static bool reap(struct keeper *k)
{
	struct sp_keeper_told told = {.news = SP_KEEPER_ENDED};
	siginfo_t who;

	for (;;) {
		who.si_pid = 0;
		if (waitid(P_ALL, 0, &who, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno != EINTR)
			return false;
		if (who.si_pid == 0)
			return true;
		told.at_ns = now_ns();
		if (who.si_pid == k->pid)
			read_last(who.si_pid, &told);
		if (wait4(who.si_pid, &told.status, __WALL, &told.usage) != who.si_pid)
			continue;
		if (who.si_pid != k->pid) {
			add_usage(&k->escaped, &told.usage);
			continue;
		}
		told.pid = k->pid;
		k->pid = 0;
		k->ended = true;
		if (!k->ending)
			k->until_ns = now_ns() + LEFT_WAIT_MS * 1000000ull;
		tell(k, &told);
	}
}

static void end_all(struct keeper *k, bool at_once)
{
	k->ending = true;
	k->killing = k->killing || at_once;
	signal_tree(k->killing ? SIGKILL : SIGTERM);
	k->until_ns = now_ns() + (k->killing ? KILLED_WAIT_MS : SP_KEEPER_GRACE_MS) * 1000000ull;
}

/* What waits as long for its end is looked at again. Returns false: no longer waited for. */
static bool in_time(struct keeper *k)
{
	if (k->killing)
		signal_tree(SIGKILL);
	if (!k->until_ns || now_ns() < k->until_ns)
		return true;
	if (k->ending && !k->killing) {
		end_all(k, true);
		return true;
	}
	return false;
}

static void listen_to(struct keeper *k)
{
	char order = SP_KEEPER_KILL;
	ssize_t got = recv(k->control, &order, 1, MSG_DONTWAIT);

	if (got > 0 || got == 0)
		end_all(k, got == 0 || order == SP_KEEPER_KILL);
	if (got == 0) { /* nobody is there any more */
		close(k->control);
		k->control = -1;
	}
}

static void keep(int *fds)
{
	struct keeper k = {.control = fds[SP_KEEPER_CONTROL]};
	struct sp_keeper_told over = {.news = SP_KEEPER_OVER};
	struct signalfd_siginfo signals[8];
	static pid_t pids[TREE_MOST];
	sigset_t child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	k.children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	over.floor_bytes = own_rss();
	if (!start(&k, fds))
		_exit(0);
	while (reap(&k)) {
		struct pollfd polled[2] = {{.fd = k.children, .events = POLLIN}, {.fd = k.control, .events = POLLIN}};
		int wait_ms = k.killing ? KILL_AGAIN_MS : k.until_ns ? LEFT_WAIT_MS / 4 : -1;

		poll(polled, 2, wait_ms);
		while (read(k.children, signals, sizeof(signals)) > 0)
			;
		if (polled[1].revents)
			listen_to(&k);
		if (!in_time(&k)) {
			over.left = (uint32_t)add_children(getpid(), pids, 0);
			break;
		}
	}
	over.at_ns = now_ns();
	over.usage = k.escaped;
	tell(&k, &over);
	if (k.control >= 0) /* whoever looks at what is left looks at our children */
		poll(&(struct pollfd){.fd = k.control}, 1, -1);
	_exit(0);
}

/* --- the nursery */

static bool receive(int *fds)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(SP_KEEPER_FDS * sizeof(int))];
	} control;
	char byte;
	struct iovec data = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room)};
	ssize_t got;

	do
		got = recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0 || !CMSG_FIRSTHDR(&message))
		return false;
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), SP_KEEPER_FDS * sizeof(int));
	return true;
}

int main(void)
{
	int fds[SP_KEEPER_FDS];
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_IGN);
	prctl(PR_SET_NAME, "smartprof-keep");
	while (receive(fds)) {
		if (fork() == 0) {
			close(STDIN_FILENO);
			keep(fds);
		}
		for (int i = 0; i < SP_KEEPER_FDS; i++)
			close(fds[i]);
	}
	return 0;
}
