/* Rendering in a child process, so that one spool cannot hold up or break what comes after it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "profiles/base/memory.h"
#include "profiles/output/render.h"
#include "tools/tools.h"

#define POLL_NS 20000000
#define IDLE_SECONDS 10  /* without CPU time: it waits for a file that does not come */
#define FETCH_SECONDS 90 /* the same where it may wait for servers */
#define WHOLE_SECONDS 600
#define KILL_TRIES 50 /* a process that a file system holds may not even die */

/* What the child has to say. */
struct answer {
	int err;
	char path[sizeof(((struct sp_render_result *)0)->path)];
	char why[256];
};

static void render_here(const char *path, const struct sp_render_options *options, int out)
{
	struct sp_render_result result;
	struct answer answer = {0};

	sp_limit_rendering();
	answer.err = sp_render_spool(path, options, &result);
	snprintf(answer.path, sizeof(answer.path), "%s", result.path);
	snprintf(answer.why, sizeof(answer.why), "%s", result.why);
	_exit(write(out, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = {0, 0};

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool has_ended(pid_t child)
{
	pid_t got = waitpid(child, NULL, WNOHANG);

	return got == child || (got < 0 && errno != EINTR);
}

/* Waits for the child while it works. False: it was killed. */
static bool watch(pid_t child, unsigned idle_seconds)
{
	const struct timespec nap = {0, POLL_NS};
	uint64_t began = clock_ns(CLOCK_MONOTONIC), moved = began, used = 0, now, cpu;
	clockid_t clock;

	if (clock_getcpuclockid(child, &clock) != 0)
		clock = CLOCK_MONOTONIC;
	while (!has_ended(child)) {
		now = clock_ns(CLOCK_MONOTONIC);
		cpu = clock_ns(clock);
		if (cpu != used) {
			used = cpu;
			moved = now;
		}
		if (now - moved > idle_seconds * 1000000000ull || now - began > WHOLE_SECONDS * 1000000000ull) {
			kill(child, SIGKILL);
			for (int i = 0; i < KILL_TRIES && !has_ended(child); i++)
				nanosleep(&nap, NULL);
			return false;
		}
		nanosleep(&nap, NULL);
	}
	return true;
}

int sp_render_watched(const char *path, const struct sp_render_options *options, struct sp_render_result *result)
{
	static struct answer answer; /* `why` stays until the next */
	int fds[2];
	bool in_time;
	pid_t child;

	*result = (struct sp_render_result){.why = "cannot be rendered: no process can be started for it"};
	fflush(NULL);
	if (pipe(fds) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		close(fds[0]);
		render_here(path, options, fds[1]);
	}
	close(fds[1]);
	in_time = child > 0 &&
		watch(child, options->symbols && options->symbols->debuginfod_seconds ? FETCH_SECONDS : IDLE_SECONDS);
	if (child > 0 && in_time && read(fds[0], &answer, sizeof(answer)) == (ssize_t)sizeof(answer)) {
		snprintf(result->path, sizeof(result->path), "%s", answer.path);
		result->why = answer.why;
		close(fds[0]);
		return answer.err;
	}
	close(fds[0]);
	if (child > 0)
		result->why = in_time ? "is damaged: it takes more than 4 GB of memory or two minutes of CPU time"
				      : "takes too long: a file it names does not answer";
	return child < 0 ? -EAGAIN : in_time ? -EFBIG : -ETIMEDOUT;
}
