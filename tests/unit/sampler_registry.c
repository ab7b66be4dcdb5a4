/* The registry of threads: from a thread id to its block, while others come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler/threads/registry.h"
#include "sampler/threads/thread.h"
#include "tests/unit/sampler_spool.h"

#define ROUNDS 3000u
#define AT_ONCE 40u
#define STAYING 25

static struct sp_thread *staying[STAYING];

static int set_up(void **state)
{
	(void)state;
	return agent_open("/tmp", 1000);
}

static int tear_down(void **state)
{
	(void)state;
	agent_close();
	return 0;
}

static struct sp_thread *put(int tid)
{
	struct sp_thread *t = sp_block_take();

	t->tid = tid;
	t->listed = sp_registry_add(t);
	return t;
}

/* Its own threads are found for as long as they are there, those that stay always. Returns the number of faults. */
static unsigned come_and_go(unsigned number)
{
	struct sp_thread *mine[AT_ONCE];
	uint64_t random = number + 1;
	unsigned faults = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		int first = 1000 + (int)(number * (ROUNDS * AT_ONCE) + round * AT_ONCE);
		int other = 1 + (int)(next_random(&random) % STAYING);

		for (unsigned i = 0; i < AT_ONCE; i++)
			faults += !(mine[i] = put(first + (int)i))->listed;
		for (unsigned i = 0; i < AT_ONCE; i++)
			faults += sp_registry_find(first + (int)i, NULL) != mine[i];
		faults += sp_registry_find(other, NULL) != staying[other - 1];
		faults += sp_registry_find(first, mine[0]) != NULL;
		for (unsigned i = 0; i < AT_ONCE; i++)
			sp_block_give_back(mine[i]);
		faults += sp_registry_find(first, NULL) != NULL;
	}
	return faults;
}

static void threads_are_found_while_others_come_and_go(void **state)
{
	uint32_t before = sp_registry_count();

	(void)state;
	for (int i = 0; i < STAYING; i++)
		staying[i] = put(1 + i);
	assert_int_equal(run_threads(come_and_go), 0);
	assert_int_equal(sp_registry_count(), before + STAYING);
	for (int i = 0; i < STAYING; i++)
		sp_block_give_back(staying[i]);
	assert_int_equal(sp_registry_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(threads_are_found_while_others_come_and_go, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
