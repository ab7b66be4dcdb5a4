/* Waits in every way that a signal can break, between short bursts of computing.
 * Usage: polls [ROUNDS]; exit status 1 when any wait returned EINTR. */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "tests/targets/common.h"

static int broken, waits;

static void count(const char *what, int result)
{
	waits++;
	if (result < 0 && errno == EINTR) {
		broken++;
		fprintf(stderr, "%s: EINTR\n", what);
	}
}

int main(int argc, char **argv)
{
	int rounds = (int)argument(argc, argv, 1, 500), pipes[2], epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	sem_t semaphore;

	check(pipe(pipes) == 0 && epoll >= 0, "pipe");
	check(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event) == 0, "epoll_ctl");
	sem_init(&semaphore, 0, 0);
	for (int i = 0; i < rounds; i++) {
		struct pollfd p = {.fd = pipes[0], .events = POLLIN};
		struct timespec millisecond = {0, 1000000}, later;
		struct timeval tv = {0, 1000};
		fd_set set;

		spin(200000);
		count("poll", poll(&p, 1, 1));
		spin(100000);
		count("epoll_wait", epoll_wait(epoll, &event, 1, 1));
		spin(100000);
		count("nanosleep", nanosleep(&millisecond, NULL));
		clock_gettime(CLOCK_REALTIME, &later);
		later.tv_nsec += 1000000;
		if (later.tv_nsec >= 1000000000) {
			later.tv_sec++;
			later.tv_nsec -= 1000000000;
		}
		spin(100000);
		count("sem_timedwait", sem_timedwait(&semaphore, &later));
		FD_ZERO(&set);
		FD_SET(pipes[0], &set);
		spin(100000);
		count("select", select(pipes[0] + 1, &set, NULL, NULL, &tv));
		/* Hardly any user time, many system calls: where a clock that counts the kernel hits. */
		for (int j = 0; j < 50; j++)
			count("poll 0", poll(&p, 1, 0));
	}
	printf("%d of %d waits broken\n", broken, waits);
	return broken != 0;
}
