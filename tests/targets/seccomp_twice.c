/* Installs a strict filter, computes and allocates, and installs it again, which one that forbids getpid allows.
 * Usage: seccomp_twice THREADS: computing meanwhile, and filtered as well. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static volatile int stop;

static void *busy(void *unused)
{
	while (!stop) {
		spin(1000);
		free(malloc(1000));
	}
	return unused;
}

static void work(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		spin(20000);
		free(malloc(3000));
	}
}

static void forbid(unsigned flags)
{
	/* Not even the return from a signal handler. */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_write),
		ALLOW(SYS_exit_group),
		ALLOW(SYS_exit),
		ALLOW(SYS_seccomp),
		ALLOW(SYS_brk),
		ALLOW(SYS_mmap),
		ALLOW(SYS_munmap),
		ALLOW(SYS_mprotect),
		ALLOW(SYS_madvise),
		ALLOW(SYS_futex),
		ALLOW(SYS_rt_sigprocmask),
		ALLOW(SYS_newfstatat),
		ALLOW(SYS_fstat),
		ALLOW(SYS_getrandom),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0, "seccomp");
}

int main(int argc, char **argv)
{
	int threads = (int)argument(argc, argv, 1, 0);
	pthread_t thread[16];

	for (int i = 0; i < threads && i < 16; i++)
		check(pthread_create(&thread[i], NULL, busy, NULL) == 0, "pthread_create");
	work(1500);
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	forbid(SECCOMP_FILTER_FLAG_TSYNC);
	work(1500);
	forbid(0);
	work(1500);
	stop = 1;
	for (int i = 0; i < threads && i < 16; i++)
		pthread_join(thread[i], NULL);
	puts("done");
	return 0;
}
