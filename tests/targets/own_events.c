/* A program with signals of its own on SIGPROF: a perf event of its CPU time, and a pipe that tells of data.
 * Usage: own_events [closed]: the event's descriptor is closed, its mapping keeps it alive.
 * Prints how many signals came of each: some 300, and 50. */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

static volatile sig_atomic_t of_event, of_pipe;
static int reader;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_fd == reader)
		of_pipe++;
	else
		of_event++;
}

static void route(int fd)
{
	struct f_owner_ex owner = {F_OWNER_TID, (int)syscall(SYS_gettid)};

	check(fcntl(fd, F_SETSIG, SIGPROF) == 0 && fcntl(fd, F_SETOWN_EX, &owner) == 0 &&
			fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) == 0,
		"fcntl");
}

int main(int argc, char **argv)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof attr,
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.sample_period = 1000000,
		.wakeup_events = 1,
		.exclude_kernel = 1};
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), pipes[2];
	char byte;

	check(sigaction(SIGPROF, &action, NULL) == 0 && pipe(pipes) == 0, "sigaction");
	reader = pipes[0];
	route(reader);
	if (fd >= 0) {
		check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED, "mmap");
		route(fd);
		if (argc > 1 && strcmp(argv[1], "closed") == 0)
			close(fd);
	}
	for (int i = 0; i < 50; i++) {
		spend(0.006);
		check(write(pipes[1], "", 1) == 1 && read(reader, &byte, 1) == 1, "pipe");
	}
	printf("%d %d\n", fd < 0 ? -1 : of_event, of_pipe);
	return 0;
}
