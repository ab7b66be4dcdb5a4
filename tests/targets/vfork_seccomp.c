/* A vfork child puts a filter upon itself and becomes another program, as a sandboxing launcher
 * does. The parent has no filter and goes on computing in after_child. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

static NOINLINE void *after_child(void *unused)
{
	spend(0.5);
	return unused;
}

int main(void)
{
	struct sock_filter filter[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {1, filter};
	pthread_t thread;
	int status;
	pid_t pid;

	spend(0.2);
	pid = vfork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "the child");
	/* Also in a thread made afterwards: it needs a clock of its own. */
	check(pthread_create(&thread, NULL, after_child, NULL) == 0, "pthread_create");
	pthread_join(thread, NULL);
	after_child(NULL);
	puts("done");
	return 0;
}
