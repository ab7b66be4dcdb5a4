/* A library whose constructor computes for a while, as those of large frameworks do. */
#include "tests/targets/common.h"

__attribute__((constructor)) static void start(void)
{
	spend(0.2);
}
