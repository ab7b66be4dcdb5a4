/* Threads that pthread_create's caller did not make. Usage: found_threads HOW [SECONDS [MAIN]]
 * HOW: libc      by the C library's own pthread_create, looked up by hand
 *      namespace by that of another copy of the C library (dlmopen)
 *      clone     by clone(), sharing main's thread-local storage
 *      bare      by the bare system call, sharing it
 *      nowhere   by the bare system call, with a thread pointer below which there is nothing
 *      blocked   as libc, with all signals blocked
 * The thread computes for SECONDS of CPU time in found_work; main for MAIN, then waits. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/common.h"

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static double seconds = 1;
static volatile int alive = 1; /* cleared by the kernel when a bare thread ends */

static NOINLINE void found_work(void)
{
	spend(seconds);
}

static void *run(void *unused)
{
	found_work();
	return unused;
}

static int run_clone(void *unused)
{
	(void)unused;
	found_work();
	return 0;
}

static void run_bare(void)
{
	found_work();
	syscall(SYS_exit, 0);
}

/* No libc in between: nothing sees it but the kernel. */
static void bare(unsigned long flags, char *stack, void *tls)
{
	long tid;
	register long child_tid __asm__("r10") = (long)&alive;
	register long pointer __asm__("r8") = (long)tls;
	void **top = (void **)(stack + (256 << 10)) - 2;

	top[0] = (void *)run_bare;
	__asm__ volatile("syscall\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "pop %%rax\n\t"
			 "call *%%rax\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(tid)
			 : "a"(SYS_clone), "D"(flags), "S"(top), "d"(NULL), "r"(child_tid), "r"(pointer)
			 : "rcx", "r11", "memory");
	check(tid > 0, "clone");
}

static char *pages(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap");
	return p;
}

static void wait_for_bare(void)
{
	int now;

	while ((now = alive))
		syscall(SYS_futex, &alive, FUTEX_WAIT, now, NULL, NULL, 0);
}

int main(int argc, char **argv)
{
	unsigned long flags =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
	const char *how = argc > 1 ? argv[1] : "libc";
	char *stack = pages(256 << 10), *nowhere = pages(8192);
	create_fn *create = NULL;
	sigset_t all, before;
	pthread_t thread;

	seconds = argument(argc, argv, 2, seconds);
	if (strcmp(how, "clone") == 0) {
		check(clone(run_clone, stack + (256 << 10), (int)flags, NULL, NULL, NULL, &alive) > 0, "clone");
	} else if (strcmp(how, "bare") == 0) {
		bare(flags, stack, NULL);
	} else if (strcmp(how, "nowhere") == 0) {
		check(mprotect(nowhere, 4096, PROT_NONE) == 0, "mprotect");
		bare(flags | CLONE_SETTLS, stack, nowhere + 4096);
	} else {
		void *libc = strcmp(how, "namespace") == 0 ? dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW)
							   : dlopen("libc.so.6", RTLD_NOW);

		check(libc != NULL, "libc");
		create = (create_fn *)dlsym(libc, "pthread_create");
		check(create != NULL, "pthread_create");
		sigfillset(&all);
		if (strcmp(how, "blocked") == 0)
			pthread_sigmask(SIG_SETMASK, &all, &before);
		check(create(&thread, NULL, run, NULL) == 0, "pthread_create");
		if (strcmp(how, "blocked") == 0)
			pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	spend(argument(argc, argv, 3, 0.3));
	if (create)
		check(pthread_join(thread, NULL) == 0, "pthread_join");
	else
		wait_for_bare();
	puts("done");
	return 0;
}
