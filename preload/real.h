/* The functions behind the interposed ones: the next definition in the lookup order. */
#ifndef SP_PRELOAD_REAL_H
#define SP_PRELOAD_REAL_H

#include <aio.h>
#include <link.h>
#include <mqueue.h>
#include <netdb.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <threads.h>
#include <time.h>
#include <sys/time.h>
#include <sys/profil.h>

#include "sampler/agent.h"

/* One row a function: X(return type, name, argument types). */
#define SP_REAL_FUNCTIONS(X) \
	X(void *, malloc, (size_t)) \
	X(void, free, (void *)) \
	X(void *, calloc, (size_t, size_t)) \
	X(void *, realloc, (void *, size_t)) \
	X(void *, reallocarray, (void *, size_t, size_t)) \
	X(int, posix_memalign, (void **, size_t, size_t)) \
	X(void *, aligned_alloc, (size_t, size_t)) \
	X(void *, memalign, (size_t, size_t)) \
	X(void *, valloc, (size_t)) \
	X(void *, pvalloc, (size_t)) \
	X(size_t, malloc_usable_size, (void *)) \
	X(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)) \
	X(int, thrd_create, (thrd_t *, thrd_start_t, void *)) \
	X(int, clone, (int (*)(void *), void *, int, void *, ...)) \
	X(int, pthread_sigmask, (int, const sigset_t *, sigset_t *)) \
	X(int, sigprocmask, (int, const sigset_t *, sigset_t *)) \
	X(int, aio_read, (struct aiocb *)) \
	X(int, aio_write, (struct aiocb *)) \
	X(int, aio_fsync, (int, struct aiocb *)) \
	X(int, lio_listio, (int, struct aiocb *const *, int, struct sigevent *)) \
	X(int, timer_create, (clockid_t, struct sigevent *, timer_t *)) \
	X(int, mq_notify, (mqd_t, const struct sigevent *)) \
	X(int, getaddrinfo_a, (int, struct gaicb **, int, struct sigevent *)) \
	X(int, sigaction, (int, const struct sigaction *, struct sigaction *)) \
	X(int, sigaltstack, (const stack_t *, stack_t *)) \
	X(sighandler_t, signal, (int, sighandler_t)) \
	X(sighandler_t, sigset, (int, sighandler_t)) \
	X(int, sigignore, (int)) \
	X(int, profil, (unsigned short *, size_t, size_t, unsigned)) \
	X(int, sprofil, (struct prof *, int, struct timeval *, unsigned)) \
	X(void, __monstartup, (unsigned long, unsigned long)) \
	X(void, moncontrol, (int)) \
	X(sighandler_t, sysv_signal, (int, sighandler_t)) \
	X(int, sigtimedwait, (const sigset_t *, siginfo_t *, const struct timespec *)) \
	X(int, signalfd, (int, const sigset_t *, int)) \
	X(int, setuid, (uid_t)) \
	X(int, seteuid, (uid_t)) \
	X(int, setreuid, (uid_t, uid_t)) \
	X(int, setresuid, (uid_t, uid_t, uid_t)) \
	X(pid_t, fork, (void)) \
	X(int, forkpty, (int *, char *, const struct termios *, const struct winsize *)) \
	X(int, daemon, (int, int)) \
	X(pid_t, vfork, (void)) \
	X(int, posix_spawn, \
		(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, \
			char *const *)) \
	X(int, posix_spawnp, \
		(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, \
			char *const *)) \
	X(int, system, (const char *)) \
	X(FILE *, popen, (const char *, const char *)) \
	X(int, execve, (const char *, char *const *, char *const *)) \
	X(int, execvpe, (const char *, char *const *, char *const *)) \
	X(int, fexecve, (int, char *const *, char *const *)) \
	X(int, execveat, (int, const char *, char *const *, char *const *, int)) \
	X(int, dl_iterate_phdr, (int (*)(struct dl_phdr_info *, size_t, void *), void *)) \
	X(int, dlclose, (void *)) \
	X(int, mlockall, (int)) \
	X(void, _exit, (int)) \
	X(void, quick_exit, (int)) \
	X(int, setrlimit, (int, const struct rlimit *)) \
	X(int, prlimit, (pid_t, int, const struct rlimit *, struct rlimit *)) \
	X(int, prctl, (int, unsigned long, unsigned long, unsigned long, unsigned long))

struct sp_real {
#define X(ret, name, args) ret(*name) args;
	SP_REAL_FUNCTIONS(X)
#undef X
};
extern struct sp_real sp_real SP_HIDDEN;

/* The next definition of one function: SP_REAL(execve)(...). Looked up when it is first needed,
 * which most of them never are in a process that lives a millisecond. A look-up may take the loader's
 * lock, which another thread might hold while it waits for this one: so all that are left are looked
 * up before there is a second thread. */
#define SP_REAL(name) \
	({ \
		if (sp_unlikely(!sp_real.name)) \
			sp_real.name = (__typeof__(sp_real.name))sp_real_find(#name); \
		sp_real.name; \
	})
void *sp_real_find(const char *name) SP_HIDDEN;
void sp_real_find_all(void) SP_HIDDEN;

/* The program's malloc, where it is not ours: the executable's own, or that of a library which stands before
 * ours in LD_PRELOAD. NULL where it is ours. Any context. */
const void *sp_real_malloc_bypass(void) SP_HIDDEN;

/* Finds it; the constructor's. */
void sp_real_find_malloc_bypass(void) SP_HIDDEN;

/* The definition that the object which `caller` lies in would find in itself and in what it was linked
 * with, or in the object `loaded` if that is not NULL, by soname, and in the process; NULL when there is
 * none but ours. For what is not in the global lookup order: modules loaded by dlopen and their libraries. */
void *sp_real_find_beside(const char *name, const void *caller, const char *loaded) SP_HIDDEN;

#endif
