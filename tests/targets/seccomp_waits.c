/* One thread waits for a pipe and one for a lock while a third forbids all of them, by a filter that kills, what a profiler
 * would ask the kernel after a wait. Both go on then. */
#include <pthread.h>
#include <sys/wait.h>

#include "tests/targets/seccomp.h"

static int pipes[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *read_one(void *unused)
{
	char byte;

	check(read(pipes[0], &byte, 1) == 1, "read");
	return unused;
}

static void *lock_one(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	return unused;
}

#define KILL(number) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static void forbid_questions(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		KILL(SYS_getpid),
		KILL(SYS_gettid),
		KILL(SYS_getrusage),
		KILL(SYS_sigaltstack),
		KILL(SYS_process_vm_readv),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0, "seccomp");
}

int main(void)
{
	pthread_t reader, locker;
	pid_t child = vfork(); /* whose calls must be told from this process's */

	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	spend(0.1);
	check(pipe(pipes) == 0, "pipe");
	pthread_mutex_lock(&mutex);
	pthread_create(&reader, NULL, read_one, NULL);
	pthread_create(&locker, NULL, lock_one, NULL);
	usleep(50000);
	forbid_questions();
	check(write(pipes[1], "x", 1) == 1, "write");
	pthread_mutex_unlock(&mutex);
	pthread_join(reader, NULL);
	pthread_join(locker, NULL);
	puts("done");
	return 0;
}
