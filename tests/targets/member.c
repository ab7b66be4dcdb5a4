/* member burn MS: uses so much CPU time.
 * member hold KB: allocates so much, in blocks of 1000 bytes.
 * member fork|vfork|spawn|system|popen N MS: has N children, one after the other, that do so.
 * member daemon N MS: its child does, and has N children; itself, it ends at once. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *self;

static void burn(long ms)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < ms);
}

static void hold(long kilobytes)
{
	while (kilobytes--)
		memset(malloc(1000), 1, 1000);
}

static void wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(3);
}

static void by_exec(char *ms, int vforks)
{
	char *const argv[] = {(char *)self, (char *)"burn", ms, NULL};
	pid_t pid = -1;

	if (vforks) {
		pid = vfork();
		if (pid == 0) {
			execv(self, argv);
			_exit(9);
		}
	} else if (posix_spawn(&pid, self, NULL, NULL, argv, environ) != 0) {
		exit(3);
	}
	wait_for(pid);
}

static void by_fork(long ms)
{
	pid_t pid = fork();

	if (pid == 0) {
		burn(ms);
		exit(0);
	}
	wait_for(pid);
}

static void by_shell(char *ms, int pipes)
{
	char command[4096];
	FILE *out;

	snprintf(command, sizeof command, "'%s' burn %s", self, ms);
	if (!pipes && system(command) != 0)
		exit(3);
	if (!pipes)
		return;
	out = popen(command, "r");
	if (!out || pclose(out) != 0)
		exit(3);
}

static void have_child(const char *how, char *ms)
{
	if (strcmp(how, "vfork") == 0 || strcmp(how, "spawn") == 0)
		by_exec(ms, *how == 'v');
	else if (strcmp(how, "system") == 0 || strcmp(how, "popen") == 0)
		by_shell(ms, *how == 'p');
	else
		by_fork(atol(ms));
}

int main(int argc, char **argv)
{
	long n;

	self = realpath("/proc/self/exe", NULL);
	if (argc == 3 && strcmp(argv[1], "burn") == 0) {
		burn(atol(argv[2]));
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "hold") == 0) {
		hold(atol(argv[2]));
		return 0;
	}
	if (argc != 4 || !self)
		return 2;
	if (strcmp(argv[1], "daemon") == 0) {
		if (fork() != 0)
			return 0;
		usleep(200000);
		burn(atol(argv[3]));
	}
	for (n = 0; n < atol(argv[2]); n++)
		have_child(argv[1], argv[3]);
	return 0;
}
