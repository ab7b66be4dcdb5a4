/* Takes SIGPROF past sigaction(), with an ITIMER_PROF every 10 ms, and prints how many signals its handler got.
 * Usage: takes_sigprof profil|syscall|bare|sigset [EARLIER-SECONDS [ALLOCATED-BYTES]] */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/targets/common.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static volatile sig_atomic_t got;
static unsigned short histogram[65536];

static void handler(int signal)
{
	(void)signal;
	got++;
}

__attribute__((naked)) static void restore(void)
{
	__asm__ volatile("movl $15, %eax\n\tsyscall"); /* rt_sigreturn */
}

static void take_by_syscall(int bare)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} action = {handler, 0x04000000 | SA_RESTART, restore, 0};

	if (bare) {
		register long size __asm__("r10") = 8;
		long result;

		__asm__ volatile("syscall"
				 : "=a"(result)
				 : "a"(SYS_rt_sigaction), "D"(SIGPROF), "S"(&action), "d"(NULL), "r"(size)
				 : "rcx", "r11", "memory");
		check(result == 0, "bare rt_sigaction");
		return;
	}
	check(syscall(SYS_rt_sigaction, SIGPROF, &action, NULL, 8) == 0, "rt_sigaction");
}

static int histogram_sum(void)
{
	int sum = 0;

	for (size_t i = 0; i < sizeof histogram / sizeof *histogram; i++)
		sum += histogram[i];
	return sum;
}

int main(int argc, char **argv)
{
	struct itimerval every = {{0, 10000}, {0, 10000}};
	size_t bytes = (size_t)argument(argc, argv, 3, 0);

	spend(argument(argc, argv, 2, 0));
	check(argc > 1, "usage");
	if (strcmp(argv[1], "profil") == 0)
		check(profil(histogram, sizeof histogram, (size_t)((uintptr_t)main & ~0xffffull), 65536) == 0,
			"profil");
	else if (strcmp(argv[1], "sigset") == 0)
		sigset(SIGPROF, handler);
	else
		take_by_syscall(strcmp(argv[1], "bare") == 0);
	if (strcmp(argv[1], "profil") != 0)
		setitimer(ITIMER_PROF, &every, NULL);
	for (size_t i = 0; i < bytes; i += 4096) {
		void *volatile p = malloc(4096);
		(void)p;
	}
	spend(0.5);
	printf("%d\n", strcmp(argv[1], "profil") == 0 ? histogram_sum() : (int)got);
	return 0;
}
