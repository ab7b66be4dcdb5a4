/* Libraries that fake time are the programs', not the command's: it is to be true about what it measures, and files and processes have the
 * machine's times. jemalloc would not even begin with one: it asks it for a clock while it holds its lock, and that one allocates.
 *
 * So before any library has begun, the command starts itself anew without them, and gives them back to the programs that it starts. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/tools.h"

#define PRELOAD "LD_PRELOAD="
#define ASIDE "SP_PRELOAD="

/* No function may be called here: those of the C library may be anybody's by now. */
static long call(long number, const void *a, const void *b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static bool begins_with(const char *text, const char *with)
{
	while (*with && *text == *with) {
		text++;
		with++;
	}
	return !*with;
}

static bool has(const char *text, const char *part)
{
	for (; *text; text++)
		if (begins_with(text, part))
			return true;
	return false;
}

static void begin_anew(int argc, char **argv, char **variables)
{
	char path[PATH_MAX], **found = variables;
	long length;

	(void)argc;
	while (*found && !(begins_with(*found, PRELOAD) && has(*found, "libfaketime")))
		found++;
	length = *found ? call(SYS_readlink, "/proc/self/exe", path, sizeof(path) - 1) : 0;
	if (length <= 0)
		return;
	path[length] = '\0';
	for (size_t i = 0; i < sizeof(ASIDE) - 1; i++)
		(*found)[i] = ASIDE[i];
	call(SYS_execve, path, argv, (long)variables);
	for (size_t i = 0; i < sizeof(PRELOAD) - 1; i++) /* as it was */
		(*found)[i] = PRELOAD[i];
}

__attribute__((section(".preinit_array"), used)) static void (*const at_first)(int, char **, char **) = begin_anew;

void sp_give_back_preload(void)
{
	const char *aside = getenv("SP_PRELOAD");

	if (!aside)
		return;
	setenv("LD_PRELOAD", aside, 1);
	unsetenv("SP_PRELOAD");
}
