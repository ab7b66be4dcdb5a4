/* Installs a filter that kills on the system calls a profiler would use to arm a new clock, then
 * computes and starts threads. Usage: seccomp_kill [errno]: with "errno" they fail with EPERM. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/targets/common.h"

static void *run(void *unused)
{
	for (int i = 0; i < 1000; i++)
		free(malloc(3000));
	spend(0.3);
	return unused;
}

int main(int argc, char **argv)
{
	(void)argv;
	unsigned verdict = argc > 1 ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_timer_create, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, verdict),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	pthread_t thread;

	spend(0.3);
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "PR_SET_SECCOMP");
	check(pthread_create(&thread, NULL, run, NULL) == 0, "pthread_create");
	run(NULL);
	pthread_join(thread, NULL);
	puts("done");
	return 0;
}
