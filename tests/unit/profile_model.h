/* For the tests of the model: a spool that a test fills, and the profile that is built from it. */
#ifndef SP_TESTS_PROFILE_MODEL_H
#define SP_TESTS_PROFILE_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/model/model.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})
#define MS 1000u

static struct spool spool;
static struct sp_snapshot snapshot;
static struct sp_profile *profile;

__attribute__((unused)) static int set_up(void **state)
{
	(void)state;
	spool_open(&spool);
	profile = NULL;
	return 0;
}

__attribute__((unused)) static int tear_down(void **state)
{
	(void)state;
	sp_profile_free(profile);
	sp_snapshot_free(&snapshot);
	spool_close(&spool);
	return 0;
}

__attribute__((unused)) static void load(void)
{
	spool_snapshot(&spool, &snapshot);
	profile = sp_profile_from_snapshot(&snapshot, NULL, NULL, NULL);
}

__attribute__((unused)) static const struct sp_function *function(const char *name)
{
	for (size_t i = 0; i < profile->function_count; i++)
		if (strcmp(profile->functions[i].name, name) == 0)
			return &profile->functions[i];
	fail_msg("no function %s", name);
	return NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
