/* Threads made with C11's thrd_create do all the work. */
#include <threads.h>

#include "tests/targets/common.h"

static NOINLINE int c11_work(void *unused)
{
	(void)unused;
	spend(0.4);
	return 5;
}

int main(void)
{
	thrd_t thread[2];

	for (int i = 0; i < 2; i++)
		check(thrd_create(&thread[i], c11_work, NULL) == thrd_success, "thrd_create");
	for (int i = 0; i < 2; i++) {
		int result = 0;

		thrd_join(thread[i], &result);
		printf("%d\n", result);
	}
	return 0;
}
