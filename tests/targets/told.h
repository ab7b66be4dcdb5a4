/* What children of a test program tell, when it is asked for. */
#ifndef SP_TARGETS_TOLD_H
#define SP_TARGETS_TOLD_H

#include <unistd.h>

#include "tests/targets/common.h"

/* Runs act(argument) in a child, which ends then: what it writes to stdout is to be read from the descriptor. */
static inline int told_by_child(void (*act)(int argument), int argument)
{
	int output[2];

	check(pipe(output) == 0, "pipe");
	if (fork() == 0) {
		dup2(output[1], STDOUT_FILENO);
		close(output[1]);
		act(argument);
		exit(0);
	}
	close(output[1]);
	return output[0];
}

/* Writes that to stdout, to its end. */
static inline void tell(int output)
{
	char text[256];
	ssize_t got;

	while ((got = read(output, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)got, stdout);
	close(output);
}

#endif
