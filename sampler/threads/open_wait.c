/* Open waits, by the system call that a thread is in. */
#include "sampler/threads/open_wait.h"

#include <fcntl.h>
#include <linux/futex.h>

#include "sampler/sys.h"
#include "sampler/threads/task_file.h"

/* X(system call, call): those that may block, whatever is passed. */
#define SYSTEM_CALLS(X) \
	X(flock, flock) \
	X(read, read) \
	X(pread64, pread) \
	X(readv, readv) \
	X(preadv, preadv) \
	X(preadv2, preadv2) \
	X(recvfrom, recvfrom) \
	X(recvmsg, recvmsg) \
	X(recvmmsg, recvmmsg) \
	X(msgrcv, msgrcv) \
	X(mq_timedreceive, mq_timedreceive) \
	X(write, write) \
	X(pwrite64, pwrite) \
	X(writev, writev) \
	X(pwritev, pwritev) \
	X(pwritev2, pwritev2) \
	X(sendto, sendto) \
	X(sendmsg, sendmsg) \
	X(sendmmsg, sendmmsg) \
	X(sendfile, sendfile) \
	X(splice, splice) \
	X(tee, tee) \
	X(vmsplice, vmsplice) \
	X(copy_file_range, copy_file_range) \
	X(msgsnd, msgsnd) \
	X(mq_timedsend, mq_timedsend) \
	X(semop, semop) \
	X(semtimedop, semtimedop) \
	X(fsync, fsync) \
	X(fdatasync, fdatasync) \
	X(msync, msync) \
	X(sync_file_range, sync_file_range) \
	X(sync, sync) \
	X(syncfs, syncfs) \
	X(ppoll, ppoll) \
	X(pselect6, pselect) \
	X(epoll_pwait, epoll_pwait) \
	X(epoll_pwait2, epoll_pwait2) \
	X(accept, accept) \
	X(accept4, accept4) \
	X(io_getevents, io_getevents) \
	X(io_pgetevents, io_getevents) \
	X(io_uring_enter, io_uring_enter) \
	X(nanosleep, nanosleep) \
	X(clock_nanosleep, clock_nanosleep) \
	X(wait4, wait4) \
	X(waitid, waitid) \
	X(openat, openat) \
	X(openat2, openat) \
	X(close, close) \
	X(connect, connect) \
	X(ioctl, ioctl) \
	X(getrandom, getrandom) \
	X(newfstatat, stat) \
	X(statx, stat) \
	X(unlinkat, unlink) \
	X(renameat, rename) \
	X(renameat2, rename) \
	X(truncate, truncate) \
	X(ftruncate, truncate) \
	X(fallocate, fallocate) \
	X(rt_sigtimedwait, sigwait) \
	X(rt_sigsuspend, sigsuspend)

/* That newer kinds of processors have not got. */
#ifdef SYS_open
#define OLD_SYSTEM_CALLS(X) \
	X(poll, poll) \
	X(select, select) \
	X(epoll_wait, epoll_wait) \
	X(open, open) \
	X(stat, stat) \
	X(lstat, stat) \
	X(unlink, unlink) \
	X(rename, rename) \
	X(pause, pause)
#else
#define OLD_SYSTEM_CALLS(X)
#endif

static bool futex_waits(uint64_t operation)
{
	uint32_t command = (uint32_t)operation & FUTEX_CMD_MASK;

	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
		command == FUTEX_LOCK_PI2;
}

const unsigned char sp_wait_system_calls[SP_WAIT_SYSTEM_CALLS] = {[SYS_futex] = 1 + SP_CALL_futex,
	[SYS_fcntl] = 1 + SP_CALL_fcntl,
	[449 /* futex_waitv, Linux 5.16 */] = 1 + SP_CALL_futex,
#define X(name, call) [SYS_##name] = 1 + SP_CALL_##call,
	SYSTEM_CALLS(X) OLD_SYSTEM_CALLS(X)
#undef X
};

bool sp_wait_may_block(long number, uint64_t second)
{
	return number == SYS_futex ? futex_waits(second)
				   : number != SYS_fcntl || second == F_SETLKW || second == F_OFD_SETLKW;
}

/* A mutex is waited for until its word is 2 no more (glibc's lowlevellock.h). */
static bool is_mutex(long number, const uint64_t arguments[3])
{
	uint32_t operation = (uint32_t)arguments[1] & FUTEX_CMD_MASK;

	return number == SYS_futex &&
		(operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2 || (uint32_t)arguments[2] == 2);
}

static enum sp_wait_kind kind_of(long number, const uint64_t arguments[3])
{
	int call = sp_wait_of_system_call(number, arguments[1]);

	if (is_mutex(number, arguments))
		return SP_WAIT_LOCK;
	return call < 0 ? SP_WAIT_OTHER : sp_wait_kind_of((enum sp_wait_call)call);
}

uint32_t sp_open_wait(int tid)
{
	uint64_t arguments[3];
	long call = sp_task_call(tid, arguments);

	return call < 0 ? 0 : 1 + (uint32_t)kind_of(call, arguments);
}
