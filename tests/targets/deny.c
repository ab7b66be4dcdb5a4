/* Runs a command behind a seccomp filter, as a container does.
 * Usage: deny WHAT[,WHAT…] COMMAND [ARGUMENT…]; WHAT is SYSCALL=ERRNO or SYSCALL=kill with SYSCALL one of those in `calls`,
 * threadtimer (timer_create on a thread's clock), advice:N (madvise with that advice). */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

static const struct {
	const char *name;
	unsigned number;
} calls[] = {{"event", SYS_perf_event_open}, {"timer", SYS_timer_create}, {"uname", SYS_uname}, {"statx", SYS_statx},
	{"getrandom", SYS_getrandom}, {"rseq", SYS_rseq}, {"clone3", SYS_clone3}, {"close_range", SYS_close_range},
	{"memfd_create", SYS_memfd_create}, {"process_vm_readv", SYS_process_vm_readv}, {"faccessat2", SYS_faccessat2},
	{"openat2", SYS_openat2}, {"copy_file_range", SYS_copy_file_range}, {"mlock2", SYS_mlock2},
	{"membarrier", SYS_membarrier}, {"pidfd_open", SYS_pidfd_open}, {"prlimit64", SYS_prlimit64},
	{"rename", SYS_rename}};

static struct sock_filter filter[128];
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

/* The calling thread's clock by its name, or any thread's: negative ids with bit 2. */
static void deny_thread_timers(void)
{
	unless(BPF_JEQ, SYS_timer_create, 5);
	load(offsetof(struct seccomp_data, args[0]));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_THREAD_CPUTIME_ID, 2, 0));
	unless(BPF_JSET, 0x80000000u, 2);
	unless(BPF_JSET, 4, 1);
}

static void deny_advice(unsigned advice)
{
	unless(BPF_JEQ, SYS_madvise, 3);
	load(offsetof(struct seccomp_data, args[2]));
	unless(BPF_JEQ, advice, 1);
}

static void deny(const char *what, const char *verdict)
{
	unsigned result =
		strcmp(verdict, "kill") == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | (unsigned)atoi(verdict);
	size_t i = 0;

	load(offsetof(struct seccomp_data, nr));
	if (strcmp(what, "threadtimer") == 0) {
		deny_thread_timers();
	} else if (strncmp(what, "advice:", 7) == 0) {
		deny_advice((unsigned)atoi(what + 7));
	} else {
		while (i < sizeof(calls) / sizeof(*calls) && strcmp(calls[i].name, what) != 0)
			i++;
		check(i < sizeof(calls) / sizeof(*calls), what);
		unless(BPF_JEQ, calls[i].number, 1);
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
