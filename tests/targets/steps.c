/* How many instructions of its own process calls that do not block take: one line for each, "NAME INSTRUCTIONS READINGS", the last of the
 * cycle counter. There is a second thread. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/targets/common.h"

static volatile long instructions, readings;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int null, epoll, full[2];

/* The counter is read for the program, which would find that much time passes between its instructions. */
static void on_step(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	const unsigned char *at = (const unsigned char *)registers[REG_RIP];

	(void)number;
	(void)info;
	instructions++;
	if (at[0] != 0x0f || at[1] != 0x31)
		return;
	readings++;
	registers[REG_RAX] = 1000 * readings;
	registers[REG_RDX] = 0;
	registers[REG_RIP] += 2;
}

/* The processor traps after each instruction while this is set. */
static inline void set_trap(unsigned long flag)
{
	__asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\torq %0, (%%rsp)\n\tpopfq" : : "r"(flag) : "memory", "cc");
}

static void do_lock(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

static void do_read(void)
{
	char byte;

	check(pread(null, &byte, 1, 0) == 0, "pread");
}

static void do_poll(void)
{
	check(poll(NULL, 0, 0) == 0, "poll");
}

static void do_poll_ready(void)
{
	struct pollfd ready = {full[0], POLLIN, 0};

	check(poll(&ready, 1, -1) == 1, "poll");
}

static void do_epoll(void)
{
	struct epoll_event event;

	check(epoll_wait(epoll, &event, 1, 0) == 0, "epoll_wait");
}

/* The least of some calls: one now and then is looked at. */
static NOINLINE void count(const char *name, void (*call)(void))
{
	long least = 0, read = 0;

	for (int i = 0; i < 3; i++) /* what happens at the first time does not count */
		call();
	for (int i = 0; i < 20; i++) {
		instructions = readings = 0;
		set_trap(0x100);
		call();
		set_trap(0);
		if (i == 0 || instructions < least) {
			least = instructions;
			read = readings;
		}
	}
	printf("%s %ld %ld\n", name, least, read);
}

static void *rest(void *unused)
{
	pause();
	return unused;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	pthread_t thread;

	null = open("/dev/null", O_RDONLY);
	epoll = epoll_create1(0);
	check(pipe(full) == 0 && write(full[1], "x", 1) == 1, "pipe");
	sigaction(SIGTRAP, &action, NULL);
	pthread_create(&thread, NULL, rest, NULL);
	count("lock", do_lock);
	count("read", do_read);
	count("poll", do_poll);
	count("poll_ready", do_poll_ready);
	count("epoll_wait", do_epoll);
	return 0;
}
