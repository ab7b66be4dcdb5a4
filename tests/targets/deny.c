/* Runs a command behind a seccomp filter, as a container does.
 * Usage: deny WHAT[,WHAT…] COMMAND [ARGUMENT…]; WHAT is SYSCALL=ERRNO or SYSCALL=kill with SYSCALL one of
 * event (perf_event_open), timer (timer_create), threadtimer (timer_create on a thread's clock), uname. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

static struct sock_filter filter[64];
static unsigned short length;

static void add(struct sock_filter statement)
{
	filter[length++] = statement;
}

static void load(size_t offset)
{
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

/* Tests `value`, and goes `skip` statements further on when it does not hold. */
static void unless(unsigned short test, unsigned value, unsigned char skip)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, skip));
}

static void deny(const char *what, const char *verdict)
{
	unsigned result =
		strcmp(verdict, "kill") == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | (unsigned)atoi(verdict);

	load(offsetof(struct seccomp_data, nr));
	if (strcmp(what, "event") == 0) {
		unless(BPF_JEQ, SYS_perf_event_open, 1);
	} else if (strcmp(what, "timer") == 0) {
		unless(BPF_JEQ, SYS_timer_create, 1);
	} else if (strcmp(what, "uname") == 0) {
		unless(BPF_JEQ, SYS_uname, 1);
	} else {
		/* The calling thread's clock by its name, or any thread's: negative ids with bit 2. */
		unless(BPF_JEQ, SYS_timer_create, 5);
		load(offsetof(struct seccomp_data, args[0]));
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_THREAD_CPUTIME_ID, 2, 0));
		unless(BPF_JSET, 0x80000000u, 2);
		unless(BPF_JSET, 4, 1);
	}
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, result));
}

int main(int argc, char **argv)
{
	struct sock_fprog program = {0, filter};

	check(argc > 2, "usage: deny WHAT[,WHAT…] COMMAND [ARGUMENT…]");
	for (char *what = strtok(argv[1], ","); what; what = strtok(NULL, ",")) {
		char *verdict = strchr(what, '=');

		check(verdict != NULL, what);
		*verdict = 0;
		deny(what, verdict + 1);
	}
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	program.len = length;
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "PR_SET_SECCOMP");
	execvp(argv[2], argv + 2);
	check(0, argv[2]);
	return 127;
}
