/* Threads that the C library makes for itself: notifications by SIGEV_THREAD that compute, asynchronous
 * I/O (all signals blocked there), names looked up in the background. main waits in calls that a
 * signal would break. Usage: library_threads [SECONDS]: of each notification. */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "tests/targets/common.h"

static double seconds = 0.2;
static sem_t notified;

static void on_timer(union sigval unused)
{
	(void)unused;
	spend(seconds);
	sem_post(&notified);
}

static void read_much(void)
{
	static char buffer[1 << 20];
	struct aiocb block = {
		.aio_fildes = open("/dev/zero", O_RDONLY | O_CLOEXEC), .aio_buf = buffer, .aio_nbytes = sizeof(buffer)};
	const struct aiocb *list[] = {&block};

	check(block.aio_fildes >= 0, "/dev/zero");
	for (int i = 0; i < 300; i++) {
		check(aio_read(&block) == 0, "aio_read");
		while (aio_error(&block) == EINPROGRESS)
			check(aio_suspend(list, 1, NULL) == 0, "aio_suspend");
		check(aio_return(&block) == (ssize_t)sizeof(buffer), "aio_return");
	}
	close(block.aio_fildes);
}

int main(int argc, char **argv)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_timer};
	struct itimerspec soon = {{0, 0}, {0, 1000000}};
	struct gaicb name = {.ar_name = "127.0.0.1"}, *names[] = {&name};
	timer_t timer;

	seconds = argument(argc, argv, 1, seconds);
	check(sem_init(&notified, 0, 0) == 0, "sem_init");
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	for (int i = 0; i < 2; i++) {
		check(timer_settime(timer, 0, &soon, NULL) == 0, "timer_settime");
		/* Not restarted after a handler when it has a time limit. */
		struct timespec limit;
		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_sec += 60;
		check(sem_timedwait(&notified, &limit) == 0, "sem_timedwait");
	}
	check(getaddrinfo_a(GAI_WAIT, names, 1, NULL) == 0, "getaddrinfo_a");
	check(gai_error(&name) == 0, "gai_error");
	read_much();
	puts("done");
	return 0;
}
