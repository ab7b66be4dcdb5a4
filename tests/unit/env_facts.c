/* What processes of a tree share of what they have read of the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "env/facts.h"

static void the_first_fills_it_in_and_the_others_take_it(void **state)
{
	static struct sp_facts shared, first, second;
	struct sp_machine read, taken;
	struct sp_container_signs signs = {0}, same = {0};

	(void)state;
	memset(&read, 0, sizeof(read));
	memset(&taken, 0, sizeof(taken));
	sp_facts_read(&first, &shared, &read, &signs);
	assert_true(read.memory_bytes > 0);
	shared.machine.memory_bytes = 12345; /* shows where it comes from */
	sp_facts_read(&second, &shared, &taken, &same);
	assert_int_equal(taken.memory_bytes, 12345);
	assert_int_equal(taken.usable_millicores, read.usable_millicores);
	assert_string_equal(taken.libc, read.libc);
	assert_string_equal(taken.hypervisor, read.hypervisor);
	assert_string_equal(taken.kernel, read.kernel);
	assert_int_equal(!taken.cores_limit.name, !read.cores_limit.name);
	assert_int_equal(!taken.memory_limit.name, !read.memory_limit.name);
	assert_memory_equal(&same, &signs, sizeof(signs));
}

static void under_other_conditions_it_is_read_again(void **state)
{
	static struct sp_facts shared, own;
	struct sp_machine machine;
	struct sp_container_signs signs = {0};

	(void)state;
	memset(&machine, 0, sizeof(machine));
	sp_facts_read(&own, &shared, &machine, &signs);
	shared.key ^= 2;
	shared.machine.memory_bytes = 12345;
	memset(&machine, 0, sizeof(machine));
	sp_facts_read(&own, &shared, &machine, &signs);
	assert_true(machine.memory_bytes != 12345);
	assert_int_equal(shared.machine.memory_bytes, 12345);
}

static void strings_that_do_not_end_are_ended(void **state)
{
	static struct sp_facts shared, own;
	struct sp_machine machine;
	struct sp_container_signs signs = {0};

	(void)state;
	memset(&machine, 0, sizeof(machine));
	sp_facts_read(&own, &shared, &machine, &signs);
	memset(shared.strings, 'x', sizeof(shared.strings));
	memset(&shared.machine, 'x', sizeof(shared.machine));
	sp_facts_read(&own, &shared, &machine, &signs);
	assert_int_equal(strlen(machine.libc), SP_FACT_BYTES - 1);
	assert_int_equal(strlen(machine.kernel), sizeof(machine.kernel) - 1);
	assert_int_equal(strlen(machine.memory_limit.group), sizeof(machine.memory_limit.group) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_fills_it_in_and_the_others_take_it),
		cmocka_unit_test(under_other_conditions_it_is_read_again),
		cmocka_unit_test(strings_that_do_not_end_are_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
