/* A program that defines the C library's functions itself, for every library in the process, and a variable of
 * the loader's. Each hands the call on, but one that comes from the profiler ends the program with status 99.
 * Prints what it has computed. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* clang-format off */
#define NAMES(X) \
	X(clock_gettime) X(clock_getres) X(gettimeofday) X(time) X(getrusage) X(times) X(memcpy) X(memmove) \
	X(memset) X(memcmp) X(bcmp) X(memchr) X(mempcpy) X(strlen) X(strnlen) X(strcmp) X(strncmp) X(strchr) \
	X(strrchr) X(strstr) X(strspn) X(strcspn) X(stpcpy) X(stpncpy) X(strcpy) X(strcat) X(strdup) X(strndup) \
	X(strtol) X(strtoul) X(strtod) X(atoi) X(snprintf) X(sprintf) X(vsnprintf) X(fprintf) X(dprintf) X(puts) \
	X(fwrite) X(fflush) X(fflush_unlocked) X(fileno) X(fileno_unlocked) X(ftrylockfile) X(funlockfile) \
	X(getenv) X(setenv) X(secure_getenv) X(putenv) X(getauxval) X(sysconf) X(getpagesize) X(read) X(write) \
	X(pread) X(pwrite) X(open) X(openat) X(close) X(fstat) X(stat) X(lstat) X(access) X(faccessat) X(mkdir) \
	X(unlink) X(rename) X(readlink) X(getcwd) X(pipe) X(pipe2) X(dup2) X(fcntl) X(ioctl) X(mmap) X(munmap) \
	X(mprotect) X(madvise) X(mincore) X(fallocate) X(ftruncate) X(sigaction) X(signal) X(sigprocmask) \
	X(pthread_sigmask) X(sigaltstack) X(sigemptyset) X(sigfillset) X(sigaddset) X(sigdelset) X(sigismember) \
	X(sigorset) X(raise) X(kill) X(tgkill) X(nanosleep) X(clock_nanosleep) X(usleep) X(sleep) X(poll) X(select) \
	X(sched_yield) X(syscall) X(prctl) X(gettid) X(getpid) X(getppid) X(getuid) X(geteuid) X(isatty) X(uname) \
	X(waitpid) X(wait4) X(execve) X(execv) X(execvp) X(clone) X(__clone) X(vfork) X(timer_create) \
	X(timer_settime) X(timer_delete) X(setitimer) X(dlopen) X(dlclose) X(dladdr) X(dladdr1) X(_dl_find_object) \
	X(dl_iterate_phdr) X(pthread_self) X(pthread_key_create) X(pthread_getspecific) X(pthread_setspecific) \
	X(pthread_setcancelstate) X(pthread_attr_init) X(pthread_attr_destroy) X(pthread_attr_getstacksize) \
	X(pthread_attr_getguardsize) X(pthread_mutex_lock) X(pthread_mutex_unlock) X(pthread_once) X(on_exit) \
	X(__cxa_atexit) X(__cxa_at_quick_exit) X(__register_atfork) X(__errno_location) X(mallinfo2) X(strerror) \
	X(strerrordesc_np) X(qsort) X(abort)
/* clang-format on */

struct r_debug _r_debug; /* never filled */

typedef int find_object(void *, struct dl_find_object *);
typedef void *find_symbol(void *, const char *);

static bool is_profiler(void *caller)
{
	static find_object *find;
	struct dl_find_object object;
	const char *name, *end;

	if (!find)
		find = (find_object *)dlvsym(RTLD_NEXT, "_dl_find_object", "GLIBC_2.35");
	if (find(caller, &object) != 0)
		return false;
	for (name = end = object.dlfo_link_map->l_name; *end; end++)
		if (*end == '/')
			name = end + 1;
	return end - name == 15 && name[0] == 'l' && name[3] == 's' && name[4] == 'm'; /* libsmartprof.so */
}

static void say(const char *text)
{
	const char *end = text;
	long result;

	while (*end)
		end++;
	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_write), "D"(2), "S"(text), "d"(end - text) : "rcx", "r11");
}

/* What is behind a name; `caller` is where the call comes from. */
__attribute__((used)) static void *behind(const char *name, void *caller)
{
	static find_symbol *find;
	long result;

	if (is_profiler(caller)) {
		say("own_libc: the profiler calls ");
		say(name);
		say("\n");
		__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_exit_group), "D"(99) : "rcx", "r11");
	}
	if (!find)
		find = (find_symbol *)dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
	return find(RTLD_NEXT, name);
}

#define X(name) \
	__asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n" \
		"	push %rdi\n	push %rsi\n	push %rdx\n	push %rcx\n	push %r8\n	push " \
		"%r9\n	push %rax\n" \
		"	lea 0f(%rip), %rdi\n	mov 56(%rsp), %rsi\n	call behind\n	mov %rax, %r11\n" \
		"	pop %rax\n	pop %r9\n	pop %r8\n	pop %rcx\n	pop %rdx\n	pop " \
		"%rsi\n	pop %rdi\n	jmp *%r11\n" \
		".section .rodata\n0: .asciz \"" #name "\"\n.text\n");
NAMES(X)
X(dlsym)
#undef X

static uint64_t spin(uint64_t rounds)
{
	volatile uint64_t x = 1;

	while (rounds--)
		x = x * 6364136223846793005u + 1442695040888963407u;
	return x;
}

static void *work(void *arg)
{
	char *kept[64] = {NULL};
	size_t i;

	for (i = 0; i < 100000; i++) {
		free(kept[i % 64]);
		kept[i % 64] = malloc(100 + i % 1000);
	}
	for (i = 0; i < 64; i++)
		free(kept[i]);
	*(uint64_t *)arg = spin(60000000);
	return NULL;
}

int main(void)
{
	uint64_t a, b;
	pthread_t thread;
	int status = -1;
	pid_t child;

	if (pthread_create(&thread, NULL, work, &a) != 0)
		return 1;
	work(&b);
	pthread_join(thread, NULL);
	child = fork();
	if (child == 0)
		exit((int)(spin(30000000) & 15));
	waitpid(child, &status, 0);
	printf("%d %d\n", a == b, WEXITSTATUS(status));
	return 0;
}
