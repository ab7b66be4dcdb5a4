/* Calls that may block, and what kind of waiting each is. The agent counts by kind and tells calls by number; the command
 * names them. */
#ifndef SP_SAMPLER_WAIT_CALLS_H
#define SP_SAMPLER_WAIT_CALLS_H

#include <stdbool.h>

/* X(KIND, name): what a thread waits for. */
#define SP_WAIT_KINDS_LIST(X) \
	X(LOCK, "lock")           /* another thread's or process's lock */ \
	X(CONDITION, "condition") /* something that another thread does */ \
	X(READ, "read")           /* data */ \
	X(WRITE, "write")         /* room for data */ \
	X(SYNC, "sync")           /* data to reach the disk */ \
	X(POLL, "poll")           /* any of several descriptors, or a connection */ \
	X(SLEEP, "sleep")         /* time to pass */ \
	X(CHILD, "child")         /* another process */ \
	X(OTHER, "other")

enum sp_wait_kind {
#define X(kind, name) SP_WAIT_##kind,
	SP_WAIT_KINDS_LIST(X)
#undef X
		SP_WAIT_KINDS
};

/* X(call, KIND). Only at the end may calls be added: profiles of spools know them by number. */
#define SP_WAIT_CALLS_LIST(X) \
	X(pthread_mutex_lock, LOCK) \
	X(pthread_mutex_timedlock, LOCK) \
	X(pthread_mutex_clocklock, LOCK) \
	X(pthread_rwlock_rdlock, LOCK) \
	X(pthread_rwlock_wrlock, LOCK) \
	X(pthread_rwlock_timedrdlock, LOCK) \
	X(pthread_rwlock_timedwrlock, LOCK) \
	X(pthread_rwlock_clockrdlock, LOCK) \
	X(pthread_rwlock_clockwrlock, LOCK) \
	X(mtx_lock, LOCK) \
	X(mtx_timedlock, LOCK) \
	X(flock, LOCK) \
	X(lockf, LOCK) \
	X(fcntl, LOCK) \
	X(pthread_cond_wait, CONDITION) \
	X(pthread_cond_timedwait, CONDITION) \
	X(pthread_cond_clockwait, CONDITION) \
	X(cnd_wait, CONDITION) \
	X(cnd_timedwait, CONDITION) \
	X(sem_wait, CONDITION) \
	X(sem_timedwait, CONDITION) \
	X(sem_clockwait, CONDITION) \
	X(pthread_join, CONDITION) \
	X(pthread_timedjoin_np, CONDITION) \
	X(pthread_clockjoin_np, CONDITION) \
	X(thrd_join, CONDITION) \
	X(pthread_barrier_wait, CONDITION) \
	X(futex, CONDITION) \
	X(read, READ) \
	X(pread, READ) \
	X(readv, READ) \
	X(preadv, READ) \
	X(preadv2, READ) \
	X(recv, READ) \
	X(recvfrom, READ) \
	X(recvmsg, READ) \
	X(recvmmsg, READ) \
	X(write, WRITE) \
	X(pwrite, WRITE) \
	X(writev, WRITE) \
	X(pwritev, WRITE) \
	X(pwritev2, WRITE) \
	X(send, WRITE) \
	X(sendto, WRITE) \
	X(sendmsg, WRITE) \
	X(sendmmsg, WRITE) \
	X(sendfile, WRITE) \
	X(splice, WRITE) \
	X(fsync, SYNC) \
	X(fdatasync, SYNC) \
	X(msync, SYNC) \
	X(sync_file_range, SYNC) \
	X(sync, SYNC) \
	X(syncfs, SYNC) \
	X(poll, POLL) \
	X(ppoll, POLL) \
	X(select, POLL) \
	X(pselect, POLL) \
	X(epoll_wait, POLL) \
	X(epoll_pwait, POLL) \
	X(epoll_pwait2, POLL) \
	X(accept, POLL) \
	X(accept4, POLL) \
	X(nanosleep, SLEEP) \
	X(clock_nanosleep, SLEEP) \
	X(usleep, SLEEP) \
	X(sleep, SLEEP) \
	X(thrd_sleep, SLEEP) \
	X(wait, CHILD) \
	X(wait3, CHILD) \
	X(wait4, CHILD) \
	X(waitpid, CHILD) \
	X(waitid, CHILD) \
	X(system, CHILD) \
	X(pclose, CHILD) \
	X(open, OTHER) \
	X(openat, OTHER) \
	X(connect, OTHER) \
	X(sigwait, OTHER) \
	X(sigsuspend, OTHER) \
	X(pause, OTHER) \
	X(msgrcv, READ) \
	X(msgsnd, WRITE) \
	X(semop, CONDITION) \
	X(semtimedop, CONDITION) \
	X(mq_receive, READ) \
	X(mq_timedreceive, READ) \
	X(mq_send, WRITE) \
	X(mq_timedsend, WRITE) \
	X(copy_file_range, WRITE) \
	X(tee, WRITE) \
	X(vmsplice, WRITE) \
	X(tcdrain, WRITE) \
	X(aio_suspend, POLL) \
	X(lio_listio, POLL) \
	X(io_getevents, POLL) \
	X(io_uring_enter, POLL) \
	X(getaddrinfo, OTHER) \
	X(getnameinfo, OTHER) \
	X(gethostbyname, OTHER) \
	X(gethostbyaddr, OTHER) \
	X(getrandom, OTHER) \
	X(close, OTHER) \
	X(ioctl, OTHER) \
	X(stat, OTHER) \
	X(unlink, OTHER) \
	X(rename, OTHER) \
	X(truncate, OTHER) \
	X(fallocate, OTHER) \
	X(mkdir, OTHER) \
	X(rmdir, OTHER)

enum sp_wait_call {
#define X(call, kind) SP_CALL_##call,
	SP_WAIT_CALLS_LIST(X)
#undef X
		SP_WAIT_CALLS
};

static inline enum sp_wait_kind sp_wait_kind_of(enum sp_wait_call call)
{
	static const unsigned char kinds[SP_WAIT_CALLS] = {
#define X(call, kind) SP_WAIT_##kind,
		SP_WAIT_CALLS_LIST(X)
#undef X
	};

	return (enum sp_wait_kind)kinds[call];
}

/* Whether its first argument is the address of what is waited for. */
static inline bool sp_wait_has_object(enum sp_wait_call call)
{
	return call < SP_CALL_flock || (call >= SP_CALL_pthread_cond_wait && call < SP_CALL_pthread_join) ||
		call == SP_CALL_pthread_barrier_wait || call == SP_CALL_futex;
}

#endif
