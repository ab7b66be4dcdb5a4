/* A tree of processes is seen whole. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/monitor/look.h"

#define CHILDREN 900 /* the kernel tells some 500 in one page */

static void all_children_of_a_process_are_seen(void **state)
{
	static pid_t children[CHILDREN];
	struct sp_look look;
	unsigned made = 0;

	(void)state;
	for (; made < CHILDREN; made++) {
		children[made] = fork();
		if (children[made] < 0)
			break;
		if (children[made] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
	}
	sp_look_begin(&look, getpid());
	sp_look_at(&look, 1000000000);
	for (unsigned i = 0; i < made; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	assert_int_equal(look.most, made);
	sp_look_end(&look);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_children_of_a_process_are_seen)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
