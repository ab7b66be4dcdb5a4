/* Handles SIGTERM with the System V function, looks what is installed, goes back to the default
 * action with another function, and dies of it. */
#include <signal.h>

#include "tests/targets/common.h"

static volatile sig_atomic_t handled;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

int main(void)
{
	struct sigaction now;

	spend(0.1);
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	sigset(SIGTERM, handler);
	raise(SIGTERM);
	sigaction(SIGTERM, NULL, &now);
	printf("handled %d times\n", (int)handled);
	puts(now.sa_handler == handler ? "the handler" : "not the handler");
	signal(SIGTERM, SIG_DFL);
	sigaction(SIGTERM, NULL, &now);
	puts(now.sa_handler == SIG_DFL ? "default" : "not the default");
	fflush(stdout);
	raise(SIGTERM);
	puts("survived");
	return 0;
}
