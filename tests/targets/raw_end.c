/* raw_end SECONDS: works for so long and ends, with status 7, by a system call instruction of its own, which nobody is told of. */
#include <sys/syscall.h>

#include "tests/targets/common.h"

int main(int argc, char **argv)
{
	long result;

	spend(argument(argc, argv, 1, 0.3));
	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_exit_group), "D"(7) : "rcx", "r11", "memory");
	return (int)result;
}
