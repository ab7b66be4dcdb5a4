/* used_up WHAT SECONDS: computes, takes all there is of its address space or its descriptors, computes, and returns 3. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/targets/common.h"

int main(int argc, char **argv)
{
	double seconds = argument(argc, argv, 2, 0.1);
	size_t n = 1 << 30;

	check(argc > 1, "an argument");
	spend(seconds);
	if (!strcmp(argv[1], "addresses"))
		while (n >= 4096)
			if (mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED)
				n /= 2;
	if (!strcmp(argv[1], "descriptors"))
		while (dup(0) >= 0)
			;
	spend(seconds);
	return 3;
}
