/* past_exit KIND WAY MS: eight threads go on using global objects while main ends the program. A thread that comes upon
 * an object whose destructor ran more than MS milliseconds ago aborts; an instant is what every program grants its threads.
 *
 * KIND: mixed (lists, streams, thread-locals, memory), stdio, malloc, blocked (all signals, by libc), deaf (all of them, by
 * system calls), spawn (processes), create (threads make threads), fork, idle
 * WAY: return, exit, _exit, quick_exit, thread, handler, term */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#define THREADS 8

static std::atomic<long> gone_ns;
static long patience_ns;
extern char **environ;

static long now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

struct registry {
	std::vector<std::string> names;
	std::ostringstream log;
	std::mutex lock;

	registry() : names(64, std::string(100, 'x'))
	{
	}
	~registry()
	{
		std::lock_guard<std::mutex> hold(lock); /* who is using it now has not come too late */
		for (auto &name : names)
			name.assign(100, '\xa5');
		names.clear();
		gone_ns = now_ns(CLOCK_MONOTONIC);
	}
};

static registry global;
static FILE *sink;
static const char *kind;

static bool is(const char *what)
{
	return std::string(kind) == what;
}

static void check()
{
	static const char message[] = "past_exit: a thread used what was destroyed\n";
	long gone = gone_ns;

	if (!gone || now_ns(CLOCK_MONOTONIC) - gone < patience_ns)
		return;
	if (write(2, message, sizeof(message) - 1) > 0)
		abort();
}

static void mix(unsigned round)
{
	thread_local std::string mine(200, 'y');
	std::lock_guard<std::mutex> hold(global.lock);

	if (gone_ns) /* the real thing would crash by chance: the clock decides */
		return;
	global.names[round % global.names.size()].assign(mine, 0, 50 + round % 100);
	if (global.log.tellp() > 100000)
		global.log.str("");
	global.log << mine << round;
}

static void start_one()
{
	static const char *const argv[] = {"true", NULL};
	pid_t pid;

	if (posix_spawn(&pid, "/bin/true", NULL, NULL, (char **)argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

static void fork_one()
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void *nothing(void *)
{
	return NULL;
}

static void *successor(void *arg);

static void work(unsigned round)
{
	pthread_t thread;

	if (is("stdio") && fprintf(sink, "%u %s\n", round, kind) < 0)
		return;
	if (is("malloc"))
		free(malloc(100 + round % 1000000));
	if (is("spawn"))
		start_one();
	if (is("fork"))
		fork_one();
	if (is("create") && pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
	if (is("mixed") || is("blocked") || is("deaf"))
		mix(round);
	if (round % 8 == 0 || is("idle"))
		usleep(is("idle") ? 5000 : 300);
}

static void *use(void *)
{
	unsigned long all = ~0ul;
	sigset_t set;

	sigfillset(&set);
	if (is("blocked"))
		pthread_sigmask(SIG_SETMASK, &set, NULL);
	if (is("deaf"))
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
	for (unsigned round = 0;; round++) {
		check();
		work(round);
		if (is("create") && round % 16 == 15)
			return successor(NULL);
	}
}

static void *successor(void *)
{
	pthread_t next;

	while (pthread_create(&next, NULL, use, NULL))
		usleep(100);
	pthread_detach(next);
	return NULL;
}

static void leave(int)
{
	exit(5);
}
static void *leave_here(void *)
{
	exit(5);
}

static void end(const std::string &way)
{
	pthread_t thread;

	if (way == "quick_exit")
		quick_exit(5);
	if (way == "_exit")
		_exit(5);
	if (way == "thread" && pthread_create(&thread, NULL, leave_here, NULL) == 0)
		pthread_join(thread, NULL);
	if (way == "handler") {
		signal(SIGUSR1, leave);
		raise(SIGUSR1);
	}
	if (way == "term")
		raise(SIGTERM);
	if (way == "exit")
		exit(5);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	kind = argv[1];
	patience_ns = atol(argv[3]) * 1000000l;
	sink = fopen("/dev/null", "w");
	for (int i = 0; i < THREADS; i++)
		successor(NULL);
	std::cout << "threads of past_exit at " << kind << std::endl;
	printf("kept back until the end");
	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < 40000000 + now_ns(CLOCK_MONOTONIC) % 5000000)
		for (volatile int i = 0; i < 10000; i++)
			;
	end(argv[2]);
	return 5;
}
