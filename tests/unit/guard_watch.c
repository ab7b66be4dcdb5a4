/* What a guardian reads in /proc, and the words of a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/spool/process.h"
#include "tools/guard/guard.h"

static const char status[] =
	"Name:\tredis server\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t812\nPid:\t812\n"
	"Uid:\t103\t103\t103\t103\nNSpid:\t812\t17\t5\nVmPeak:\t 400000 kB\nVmRSS:\t  150000 kB\n"
	"RssAnon:\t  100000 kB\nRssFile:\t   40000 kB\nRssShmem:\t   10000 kB\nVmSwap:\t    2000 kB\n"
	"HugetlbPages:\t    4096 kB\nThreads:\t4\n";

static void what_nothing_but_its_end_gives_back_counts(void **state)
{
	struct sp_guard_facts facts;

	(void)state;
	assert_true(sp_guard_status_parse(&facts, status));
	assert_string_equal(facts.name, "redis server");
	assert_int_equal(facts.uid, 103);
	assert_int_equal(facts.inner_pid, 5);
	assert_true(facts.has_memory);
	assert_int_equal(sp_guard_memory(&facts), 106096ull * 1024);
	assert_int_equal(facts.rss, 150000ull * 1024);
}

static void one_that_is_ending_has_no_memory(void **state)
{
	struct sp_guard_facts facts;

	(void)state;
	assert_true(sp_guard_status_parse(&facts, "Name:\tx\nState:\tZ (zombie)\nUid:\t0\t0\t0\t0\n"));
	assert_false(facts.has_memory);
	assert_false(sp_guard_status_parse(&facts, ""));
	assert_false(sp_guard_status_parse(&facts, "Name:\tx\n"));
}

static void the_exact_sum_is_of_the_same(void **state)
{
	uint64_t memory = 0;

	(void)state;
	assert_true(sp_guard_rollup_parse(&memory,
		"55d0-7ffd ---p 00000000 00:00 0    [rollup]\nRss:   150000 kB\nPss:   140000 kB\nAnonymous:   100000 "
		"kB\n"
		"AnonHugePages:  2048 kB\nShared_Hugetlb:  1024 kB\nPrivate_Hugetlb:  3072 kB\nSwap:  2000 "
		"kB\nSwapPss:  1 kB\n"));
	assert_int_equal(memory, 106096ull * 1024);
	assert_false(sp_guard_rollup_parse(&memory, ""));
}

/* A number that has become another process's. */
static void a_number_alone_is_no_process(void **state)
{
	struct sp_process_stat stat;
	struct sp_guard_facts facts;

	(void)state;
	assert_int_equal(sp_process_stat(getpid(), &stat), 0);
	assert_int_equal(sp_guard_facts_read(&facts, getpid(), stat.start_ticks), 0);
	assert_true(sp_guard_memory(&facts) > 0);
	assert_true(sp_guard_facts_read(&facts, getpid(), stat.start_ticks + 1) < 0);
}

static void words_are_a_shells_without_its_expansions(void **state)
{
	char **words = sp_guard_words("  notify --to 'on call' \"a \\\"b\\\"\" c\\ d $HOME;rm e'f'g ''");

	(void)state;
	assert_non_null(words);
	assert_string_equal(words[0], "notify");
	assert_string_equal(words[2], "on call");
	assert_string_equal(words[3], "a \"b\"");
	assert_string_equal(words[4], "c d");
	assert_string_equal(words[5], "$HOME;rm");
	assert_string_equal(words[6], "efg");
	assert_string_equal(words[7], "");
	assert_null(words[8]);
	free(words);
	assert_null(sp_guard_words(""));
	assert_null(sp_guard_words("   "));
	assert_null(sp_guard_words("a 'b"));
	words = sp_guard_words("a b c d e f g h i j"); /* as many as there can be */
	assert_string_equal(words[9], "j");
	free(words);
}

static void what_nobody_set_gives_way_to_the_limit(void **state)
{
	struct sp_guard_threshold t = {.megabytes = 512};

	(void)state;
	assert_int_equal(sp_guard_threshold_bytes(&t, SP_GUARD_WARNING, 16000000000), 512000000);
	assert_int_equal(sp_guard_threshold_bytes(&t, SP_GUARD_WARNING, 400000000), 200000000);
	assert_int_equal(sp_guard_threshold_bytes(&t, SP_GUARD_PROFILING, 400000000), 360000000);
	t.given = true;
	assert_int_equal(sp_guard_threshold_bytes(&t, SP_GUARD_WARNING, 400000000), 512000000);
	t.percent = 80;
	assert_int_equal(sp_guard_threshold_bytes(&t, SP_GUARD_WARNING, 400000000), 320000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nothing_but_its_end_gives_back_counts),
		cmocka_unit_test(one_that_is_ending_has_no_memory),
		cmocka_unit_test(the_exact_sum_is_of_the_same),
		cmocka_unit_test(a_number_alone_is_no_process),
		cmocka_unit_test(words_are_a_shells_without_its_expansions),
		cmocka_unit_test(what_nobody_set_gives_way_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
