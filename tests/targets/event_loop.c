/* Waits for events at one place: event_loop poll|few. Each round waits for 2 ms and serves for 2 ms of CPU time, in which it looks
 * three times at another place; 101 rounds or 14. */
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void serve(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec now;
	double end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	end = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + 0.002;
	for (int i = 0; i < 3; i++)
		poll(&p, 1, 0);
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((double)now.tv_sec + (double)now.tv_nsec / 1e9 < end);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 && !strcmp(argv[1], "few") ? 14 : 101, pipe_fds[2];
	struct pollfd p = {.events = POLLIN};

	if (pipe(pipe_fds) != 0)
		return 1;
	p.fd = pipe_fds[0];
	for (int i = 0; i < rounds; i++) {
		poll(&p, 1, 2);
		serve(p.fd);
	}
	return 0;
}
