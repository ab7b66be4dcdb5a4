/* Lives on exceptions for some CPU seconds: instructions that are refused, of which a handler hears.
 * Usage: exceptions segv|jump|masked|fpe|ill|trap|bus|raise SECONDS; "jump" leaves the handler by siglongjmp, "masked"
 * has it run with all signals blocked. */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/targets/common.h"

static sigjmp_buf again;
static int skip, jump; /* bytes of the instruction */
static char *beyond;   /* a page behind its file's end */

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	if (jump)
		siglongjmp(again, 1);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += skip;
}

static NOINLINE void refused(const char *how)
{
	if (!strcmp(how, "fpe"))
		__asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" ::: "eax", "ecx", "edx"); /* divl: 2 bytes */
	else if (!strcmp(how, "ill"))
		__asm__ volatile("ud2");
	else if (!strcmp(how, "trap"))
		__asm__ volatile("int3");
	else if (!strcmp(how, "raise"))
		kill(getpid(), SIGUSR1);
	else
		__asm__ volatile("movl (%%rax), %%ecx" ::"a"(beyond) : "ecx", "memory"); /* 2 bytes */
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "segv";
	double end = argument(argc, argv, 2, 1);
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS, SIGUSR1};
	FILE *empty = tmpfile();

	jump = !strcmp(how, "jump");
	skip = strcmp(how, "trap") && strcmp(how, "raise") ? 2 : 0;
	if (!strcmp(how, "masked"))
		sigfillset(&action.sa_mask);
	beyond = strcmp(how, "bus") ? (char *)8 : mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(empty), 0);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		check(sigaction(signals[i], &action, NULL) == 0, "sigaction");
	while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 1000; i++)
			if (!jump || !sigsetjmp(again, 1))
				refused(how);
	return 0;
}
