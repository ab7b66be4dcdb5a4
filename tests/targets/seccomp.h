/* A filter on the system calls a profiler would use to arm a new clock. */
#ifndef SP_TESTS_TARGETS_SECCOMP_H
#define SP_TESTS_TARGETS_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/targets/common.h"

/* verdict: SECCOMP_RET_KILL_PROCESS, or SECCOMP_RET_ERRNO with an errno. */
static inline void forbid_new_clocks(unsigned verdict)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_timer_create, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, verdict),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "PR_SET_SECCOMP");
}

#endif
