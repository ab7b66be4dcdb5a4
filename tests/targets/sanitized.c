/* For AddressSanitizer: allocates and computes; "overflow": writes behind an allocation. */
#include "tests/targets/common.h"

int main(int argc, char **argv)
{
	volatile char *block = malloc(10);

	for (int i = 0; i < 20000; i++)
		free(malloc(100 + (size_t)i % 100));
	spend(0.2);
	if (argc > 1 && !strcmp(argv[1], "overflow"))
		block[atoi("10")] = 1;
	free((void *)(uintptr_t)block);
	puts("end");
	return 0;
}
