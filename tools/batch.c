/* Rendering many spools, several at a time, in child processes: a spool cannot hold up or break what comes after it.
 *
 * A child takes one spool after the other, so that it reads a module once for all of them, until there are none left. One
 * that ends early, or waits for something that does not come, leaves behind which spool it was at. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "symbolize/base/memory.h"
#include "tools/tools.h"

#define CHILDREN_MAX 8u
#define POLL_MS 20
#define IDLE_SECONDS 10  /* without CPU time: it waits for a file that does not come */
#define FETCH_SECONDS 90 /* the same where it may wait for servers */
#define WHOLE_SECONDS 600
#define KILL_TRIES 50             /* a process that a file system holds may not even die */
#define CHILD_CPU_NS 20000000000u /* then another one goes on: limits are for what one spool takes */
#define NONE ((size_t)-1)

/* What a child reports about a spool. */
struct answer {
	size_t spool; /* NONE: it is done */
	int child, err;
	char path[sizeof(((struct sp_render_result *)0)->path)];
	char why[256];
};

struct child {
	pid_t pid;
	clockid_t clock;
	uint64_t used_ns, moved_ns, began_ns;
};

/* Shared with the children. */
struct board {
	size_t next;             /* atomic */
	size_t at[CHILDREN_MAX]; /* atomic: the spool that a child is at */
	bool first[CHILDREN_MAX];
};

struct batch {
	const struct sp_spool_file *files;
	size_t count;
	const struct sp_render_options *options;
	sp_rendered_fn *each;
	void *context;
	unsigned idle_seconds;
	struct board *board;
	struct child children[CHILDREN_MAX];
	int ends[2]; /* ours, theirs */
};

/* --- in a child */

static bool say(const struct batch *b, struct answer *answer)
{
	return send(b->ends[1], answer, sizeof(*answer), MSG_NOSIGNAL) == (ssize_t)sizeof(*answer);
}

static bool render_one(const struct batch *b, int child, size_t i, const struct sp_render_options *options)
{
	struct sp_render_result result;
	static struct answer answer;
	bool said;

	__atomic_store_n(&b->board->at[child], i, __ATOMIC_SEQ_CST);
	answer.spool = i;
	answer.child = child;
	answer.err = sp_render_spool(b->files[i].path, options, &result);
	snprintf(answer.path, sizeof(answer.path), "%s", result.path);
	snprintf(answer.why, sizeof(answer.why), "%s", result.why);
	said = say(b, &answer);
	__atomic_store_n(&b->board->at[child], NONE, __ATOMIC_SEQ_CST);
	b->board->first[child] = false;
	return said;
}

static void child_main(const struct batch *b, int child, size_t first)
{
	struct sp_symbolizer_pool pool = {0};
	struct sp_symbolizer_options symbols =
		b->options->symbols ? *b->options->symbols : (struct sp_symbolizer_options){0};
	struct sp_render_options options = *b->options;
	static struct answer done;
	size_t i = first;

	sp_limit_rendering();
	symbols.pool = &pool;
	options.symbols = &symbols;
	if (i == NONE)
		i = __atomic_fetch_add(&b->board->next, 1, __ATOMIC_SEQ_CST);
	while (i < b->count && render_one(b, child, i, &options) && sp_time_ns(CLOCK_PROCESS_CPUTIME_ID) < CHILD_CPU_NS)
		i = __atomic_fetch_add(&b->board->next, 1, __ATOMIC_SEQ_CST);
	done = (struct answer){.spool = NONE, .child = child};
	_exit(say(b, &done) ? 0 : 1);
}

/* --- in the parent */

static bool has_ended(pid_t child)
{
	pid_t got = waitpid(child, NULL, WNOHANG);

	return got == child || (got < 0 && errno != EINTR);
}

/* first: the spool to begin with, or NONE. False: there can be no more processes. */
static bool start_child(struct batch *b, int i, size_t first)
{
	struct child *c = &b->children[i];

	fflush(NULL);
	b->board->at[i] = first;
	b->board->first[i] = true;
	c->pid = fork();
	if (c->pid == 0)
		child_main(b, i, first);
	if (c->pid < 0)
		return false;
	if (clock_getcpuclockid(c->pid, &c->clock) != 0)
		c->clock = CLOCK_MONOTONIC;
	c->began_ns = c->moved_ns = sp_time_ns(CLOCK_MONOTONIC);
	c->used_ns = 0;
	return true;
}

static void fail_spool(struct batch *b, size_t spool, int err, const char *why)
{
	struct sp_render_result result = {.why = why};

	b->each(&b->files[spool], err, &result, b->context);
}

/* Every spool that no child has taken. */
static void fail_rest(struct batch *b)
{
	size_t i;

	while ((i = b->board->next++) < b->count)
		fail_spool(b, i, -EAGAIN, "cannot be rendered: no process can be started for it");
}

static bool is_left(const struct batch *b)
{
	return __atomic_load_n(&b->board->next, __ATOMIC_SEQ_CST) < b->count;
}

static unsigned living(const struct batch *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < CHILDREN_MAX; i++)
		n += b->children[i].pid > 0;
	return n;
}

/* The child is gone; err: why, if it was at a spool. What it has done before may have been too much for it. */
static void bury(struct batch *b, int i, int err)
{
	size_t at = __atomic_load_n(&b->board->at[i], __ATOMIC_SEQ_CST);
	bool again = at != NONE && !b->board->first[i];

	b->children[i].pid = 0;
	if (at != NONE && !again)
		fail_spool(b, at, err,
			err == -ETIMEDOUT ? "takes too long: a file it names does not answer"
					  : "is damaged: it takes more than 4 GB of memory or two minutes of CPU time");
	if ((again || is_left(b)) && !start_child(b, i, again ? at : NONE)) {
		b->children[i].pid = 0;
		if (again)
			fail_spool(b, at, -EAGAIN, "cannot be rendered: no process can be started for it");
		if (!living(b))
			fail_rest(b);
	}
}

/* Reads what has come so far. */
static void hear(struct batch *b)
{
	static struct answer answer;
	struct sp_render_result result;

	while (recv(b->ends[0], &answer, sizeof(answer), MSG_DONTWAIT) == (ssize_t)sizeof(answer)) {
		struct child *c = &b->children[answer.child];

		c->began_ns = c->moved_ns = sp_time_ns(CLOCK_MONOTONIC);
		if (answer.spool == NONE) {
			while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
				;
			bury(b, answer.child, 0);
			continue;
		}
		snprintf(result.path, sizeof(result.path), "%s", answer.path);
		result.why = answer.why;
		b->each(&b->files[answer.spool], answer.err, &result, b->context);
	}
}

/* Whether it has stopped working. */
static bool is_stuck(const struct batch *b, struct child *c)
{
	uint64_t now = sp_time_ns(CLOCK_MONOTONIC), cpu = sp_time_ns(c->clock);

	if (cpu != c->used_ns) {
		c->used_ns = cpu;
		c->moved_ns = now;
	}
	return now - c->moved_ns > b->idle_seconds * 1000000000ull || now - c->began_ns > WHOLE_SECONDS * 1000000000ull;
}

static void look_after(struct batch *b)
{
	const struct timespec nap = {0, POLL_MS * 1000000};

	for (int i = 0; i < (int)CHILDREN_MAX; i++) {
		struct child *c = &b->children[i];

		if (c->pid <= 0)
			continue;
		if (has_ended(c->pid)) {
			pid_t pid = c->pid;

			hear(b);
			if (c->pid == pid)
				bury(b, i, -EFBIG);
		} else if (is_stuck(b, c)) {
			kill(c->pid, SIGKILL);
			for (int k = 0; k < KILL_TRIES && !has_ended(c->pid); k++)
				nanosleep(&nap, NULL);
			bury(b, i, -ETIMEDOUT);
		}
	}
}

static unsigned children_for(size_t count)
{
	cpu_set_t set;
	unsigned n = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;

	n = n < CHILDREN_MAX ? n : CHILDREN_MAX;
	return n < count ? n : (unsigned)count;
}

static void run(struct batch *b)
{
	struct pollfd p = {.fd = b->ends[0], .events = POLLIN};
	unsigned n = children_for(b->count);

	for (unsigned i = 0; i < n; i++)
		if (!start_child(b, (int)i, NONE))
			b->children[i].pid = 0;
	if (!living(b))
		fail_rest(b);
	while (living(b)) {
		if (poll(&p, 1, POLL_MS) > 0)
			hear(b);
		look_after(b);
	}
}

int sp_render_all(const struct sp_spool_file *files, size_t count, const struct sp_render_options *options,
	sp_rendered_fn *each, void *context)
{
	struct batch b = {.files = files, .count = count, .options = options, .each = each, .context = context};
	int err = 0;

	if (!count)
		return 0;
	b.idle_seconds = options->symbols && options->symbols->debuginfod_seconds ? FETCH_SECONDS : IDLE_SECONDS;
	b.board = mmap(NULL, sizeof(*b.board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b.board == MAP_FAILED)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b.ends) < 0) {
		err = -errno;
	} else {
		run(&b);
		close(b.ends[0]);
		close(b.ends[1]);
	}
	munmap(b.board, sizeof(*b.board));
	return err;
}
