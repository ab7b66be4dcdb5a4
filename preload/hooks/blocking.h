/* Calls that may block: one row a symbol. The functions behind them are looked up when they are first called, for most
 * processes call few of them. */
#ifndef SP_PRELOAD_HOOKS_BLOCKING_H
#define SP_PRELOAD_HOOKS_BLOCKING_H

#include "sampler/agent.h"
#include "sampler/wait_calls.h"

/* X(symbol, call): whatever is passed is passed on, in six registers, and what comes back in one. */
#define SP_BLOCKING_SIMPLE(X) \
	X(pthread_rwlock_timedrdlock, pthread_rwlock_timedrdlock) \
	X(pthread_rwlock_timedwrlock, pthread_rwlock_timedwrlock) \
	X(pthread_rwlock_clockrdlock, pthread_rwlock_clockrdlock) \
	X(pthread_rwlock_clockwrlock, pthread_rwlock_clockwrlock) \
	X(flock, flock) \
	X(lockf, lockf) \
	X(lockf64, lockf) \
	X(pthread_cond_clockwait, pthread_cond_clockwait) \
	X(cnd_wait, cnd_wait) \
	X(cnd_timedwait, cnd_timedwait) \
	X(sem_wait, sem_wait) \
	X(sem_timedwait, sem_timedwait) \
	X(sem_clockwait, sem_clockwait) \
	X(pthread_join, pthread_join) \
	X(pthread_timedjoin_np, pthread_timedjoin_np) \
	X(pthread_clockjoin_np, pthread_clockjoin_np) \
	X(thrd_join, thrd_join) \
	X(pthread_barrier_wait, pthread_barrier_wait) \
	X(read, read) \
	X(__read_chk, read) \
	X(pread, pread) \
	X(pread64, pread) \
	X(__pread_chk, pread) \
	X(__pread64_chk, pread) \
	X(readv, readv) \
	X(preadv, preadv) \
	X(preadv64, preadv) \
	X(preadv2, preadv2) \
	X(preadv64v2, preadv2) \
	X(recv, recv) \
	X(__recv_chk, recv) \
	X(recvfrom, recvfrom) \
	X(recvmsg, recvmsg) \
	X(recvmmsg, recvmmsg) \
	X(write, write) \
	X(pwrite, pwrite) \
	X(pwrite64, pwrite) \
	X(writev, writev) \
	X(pwritev, pwritev) \
	X(pwritev64, pwritev) \
	X(pwritev2, pwritev2) \
	X(pwritev64v2, pwritev2) \
	X(send, send) \
	X(sendto, sendto) \
	X(sendmsg, sendmsg) \
	X(sendmmsg, sendmmsg) \
	X(sendfile, sendfile) \
	X(sendfile64, sendfile) \
	X(splice, splice) \
	X(fsync, fsync) \
	X(fdatasync, fdatasync) \
	X(msync, msync) \
	X(sync_file_range, sync_file_range) \
	X(sync, sync) \
	X(syncfs, syncfs) \
	X(poll, poll) \
	X(__poll_chk, poll) \
	X(ppoll, ppoll) \
	X(__ppoll_chk, ppoll) \
	X(select, select) \
	X(pselect, pselect) \
	X(epoll_wait, epoll_wait) \
	X(epoll_pwait, epoll_pwait) \
	X(epoll_pwait2, epoll_pwait2) \
	X(accept, accept) \
	X(accept4, accept4) \
	X(nanosleep, nanosleep) \
	X(clock_nanosleep, clock_nanosleep) \
	X(usleep, usleep) \
	X(sleep, sleep) \
	X(thrd_sleep, thrd_sleep) \
	X(wait, wait) \
	X(wait3, wait3) \
	X(wait4, wait4) \
	X(waitpid, waitpid) \
	X(waitid, waitid) \
	X(pclose, pclose) \
	X(open, open) \
	X(open64, open) \
	X(__open_2, open) \
	X(__open64_2, open) \
	X(creat, open) \
	X(creat64, open) \
	X(openat, openat) \
	X(openat64, openat) \
	X(__openat_2, openat) \
	X(__openat64_2, openat) \
	X(connect, connect) \
	X(sigsuspend, sigsuspend) \
	X(pause, pause) \
	X(msgrcv, msgrcv) \
	X(msgsnd, msgsnd) \
	X(semop, semop) \
	X(semtimedop, semtimedop) \
	X(mq_receive, mq_receive) \
	X(mq_timedreceive, mq_timedreceive) \
	X(mq_send, mq_send) \
	X(mq_timedsend, mq_timedsend) \
	X(copy_file_range, copy_file_range) \
	X(tee, tee) \
	X(vmsplice, vmsplice) \
	X(tcdrain, tcdrain) \
	X(aio_suspend, aio_suspend) \
	X(aio_suspend64, aio_suspend) \
	X(getaddrinfo, getaddrinfo) \
	X(gethostbyname, gethostbyname) \
	X(gethostbyname2, gethostbyname) \
	X(gethostbyname_r, gethostbyname) \
	X(gethostbyaddr, gethostbyaddr) \
	X(getrandom, getrandom) \
	X(getentropy, getrandom) \
	X(close, close) \
	X(ioctl, ioctl) \
	X(stat, stat) \
	X(stat64, stat) \
	X(lstat, stat) \
	X(lstat64, stat) \
	X(fstatat, stat) \
	X(fstatat64, stat) \
	X(statx, stat) \
	X(__xstat, stat) \
	X(__xstat64, stat) \
	X(__lxstat, stat) \
	X(__lxstat64, stat) \
	X(__fxstatat, stat) \
	X(__fxstatat64, stat) \
	X(unlink, unlink) \
	X(unlinkat, unlink) \
	X(rename, rename) \
	X(renameat, rename) \
	X(renameat2, rename) \
	X(truncate, truncate) \
	X(truncate64, truncate) \
	X(ftruncate, truncate) \
	X(ftruncate64, truncate) \
	X(fallocate, fallocate) \
	X(fallocate64, fallocate) \
	X(posix_fallocate, fallocate) \
	X(posix_fallocate64, fallocate) \
	X(mkdir, mkdir) \
	X(mkdirat, mkdir) \
	X(rmdir, rmdir) \
	X(sigpause, sigsuspend) \
	X(__sigpause, sigsuspend) \
	X(__xpg_sigpause, sigsuspend)

/* Those of locks, and what is tried before one is waited for. */
#define SP_BLOCKING_LOCKS(X) \
	X(pthread_mutex_lock) \
	X(pthread_mutex_trylock) \
	X(pthread_mutex_timedlock) \
	X(pthread_mutex_clocklock) \
	X(pthread_rwlock_rdlock) \
	X(pthread_rwlock_wrlock) \
	X(pthread_rwlock_tryrdlock) \
	X(pthread_rwlock_trywrlock) \
	X(mtx_lock) \
	X(mtx_timedlock)

/* X(symbol, call): the others that wait, each with its own hook. */
#define SP_BLOCKING_TIMED(X) \
	X(pthread_mutex_lock, pthread_mutex_lock) \
	X(pthread_mutex_timedlock, pthread_mutex_timedlock) \
	X(pthread_mutex_clocklock, pthread_mutex_clocklock) \
	X(pthread_rwlock_rdlock, pthread_rwlock_rdlock) \
	X(pthread_rwlock_wrlock, pthread_rwlock_wrlock) \
	X(mtx_lock, mtx_lock) \
	X(mtx_timedlock, mtx_timedlock) \
	X(pthread_cond_wait, pthread_cond_wait) \
	X(pthread_cond_timedwait, pthread_cond_timedwait) \
	X(fcntl, fcntl) \
	X(fcntl64, fcntl) \
	X(__recvfrom_chk, recvfrom) \
	X(getnameinfo, getnameinfo)

/* All that have no hook of SP_BLOCKING_SIMPLE. */
#define SP_BLOCKING_SPECIAL(X) \
	SP_BLOCKING_TIMED(X) \
	X(pthread_mutex_trylock) \
	X(pthread_rwlock_tryrdlock) \
	X(pthread_rwlock_trywrlock)

/* Gives the hook `function` a name by which nobody but us can be found: its own may be the program's. */
#define SP_BLOCKING_NAMED(symbol, function) \
	__asm__(".globl sp_hook_" #symbol "\n\t.hidden sp_hook_" #symbol "\n\t.set sp_hook_" #symbol ", " #function);

typedef long sp_blocking_fn(long a, long b, long c, long d, long e, long f);

struct sp_blocking {
#define X(symbol, ...) sp_blocking_fn *symbol;
	SP_BLOCKING_SIMPLE(X)
	SP_BLOCKING_SPECIAL(X)
#undef X
};
extern struct sp_blocking sp_blocking SP_HIDDEN;

/* As SP_REAL: the function behind ours. */
#define SP_BLOCKING(name) \
	({ \
		sp_blocking_fn *next = sp_load(&sp_blocking.name); \
		sp_likely(next) ? next : sp_blocking_find(&sp_blocking.name, #name); \
	})
sp_blocking_fn *sp_blocking_find(sp_blocking_fn **place, const char *name) SP_HIDDEN __attribute__((noinline, cold));

/* The enum sp_wait_call whose hook begins at that address, or has called a function that begins at `inner` from code that the
 * compiler keeps elsewhere; -1: none's. */
int sp_blocking_call_of(uint64_t hook, uint64_t inner) SP_HIDDEN __attribute__((cold));

/* Before there is a second thread: all that a look-up by the loader may be needed for. */
void sp_blocking_find_all(void) SP_HIDDEN;

#endif
