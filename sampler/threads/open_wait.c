/* Open waits, by the system call that a thread is in. */
#include "sampler/threads/open_wait.h"

#include <linux/futex.h>

#include "sampler/sys.h"
#include "sampler/threads/task_file.h"
#include "sampler/wait_calls.h"

/* A mutex is waited for until its word is 2 no more (glibc's lowlevellock.h). */
static enum sp_wait_kind kind_of_futex(const uint64_t arguments[3])
{
	uint32_t operation = (uint32_t)arguments[1] & FUTEX_CMD_MASK;

	return operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2 || (uint32_t)arguments[2] == 2
		? SP_WAIT_LOCK
		: SP_WAIT_CONDITION;
}

static enum sp_wait_kind kind_of(long call, const uint64_t arguments[3])
{
	switch (call) {
	case SYS_futex:
		return kind_of_futex(arguments);
	case SYS_flock:
	case SYS_fcntl:
		return SP_WAIT_LOCK;
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
		return SP_WAIT_READ;
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_sendfile:
	case SYS_splice:
		return SP_WAIT_WRITE;
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_msync:
	case SYS_sync_file_range:
	case SYS_sync:
	case SYS_syncfs:
		return SP_WAIT_SYNC;
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_accept:
	case SYS_accept4:
		return SP_WAIT_POLL;
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
		return SP_WAIT_SLEEP;
	case SYS_wait4:
	case SYS_waitid:
		return SP_WAIT_CHILD;
	}
	return SP_WAIT_OTHER;
}

uint32_t sp_open_wait(int tid)
{
	uint64_t arguments[3];
	long call = sp_task_call(tid, arguments);

	return call < 0 ? 0 : 1 + (uint32_t)kind_of(call, arguments);
}
