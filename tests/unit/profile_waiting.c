/* Waiting: the sum of threads' time closes, and is told where it says something. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/markdown/markdown.h"
#include "profiles/markdown/validate.h"
#include "profiles/model/facts.h"
#include "profiles/model/merge.h"
#include "profiles/model/wait_rows.h"
#include "profiles/model/waits.h"
#include "profiles/spool/window.h"
#include "tests/unit/profile_written.h"

#define MS 1000000ull

static void assert_same_waiting(const struct sp_waiting *a, const struct sp_waiting *b)
{
	assert_int_equal(a->wall_ns, b->wall_ns);
	assert_int_equal(a->cpu_ns, b->cpu_ns);
	assert_int_equal(a->queue_ns, b->queue_ns);
	assert_int_equal(a->queue_known, b->queue_known);
	assert_int_equal(a->blocked_ns, b->blocked_ns);
	assert_int_equal(a->kinds_known, b->kinds_known);
	assert_memory_equal(a->kind_ns, b->kind_ns, sizeof(a->kind_ns));
	assert_int_equal(a->throttled_ns, b->throttled_ns);
	assert_int_equal(a->throttled_periods, b->throttled_periods);
	assert_int_equal(a->throttle_known, b->throttle_known);
}

static struct sp_thread_record *main_thread(void)
{
	struct sp_thread_record *t = (struct sp_thread_record *)spool_records(&written.spool, SP_SEC_THREADS) + 1;

	t->state = 1; /* to the end */
	return t;
}

/* A process of 10 s with 1 s of CPU, and a worker of 4 s that waited for a CPU for a second and a half. */
static void fill(void)
{
	struct sp_thread_record *t;

	written.spool.header->end_ns = 10000 * MS;
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 1)), 600000, 400000);
	t = main_thread();
	t->queue_ns = 500 * MS;
	t->queue_at_ns = 10000 * MS;
	t = spool_thread(&written.spool, "worker", 11, 200000, 50000);
	t->start_ns = 1000 * MS;
	t->end_ns = 5000 * MS;
	t->queue_ns = 1500 * MS;
	t->queue_at_ns = 5000 * MS;
}

static void assert_closes(const struct sp_waiting *w)
{
	assert_int_equal(w->cpu_ns + w->queue_ns + w->blocked_ns, w->wall_ns);
}

static const char *fact(const char *key)
{
	return sp_profile_fact(written.profile, key);
}

static void the_sum_closes(void **state)
{
	(void)state;
	fill();
	written_render(false);
	assert_closes(&written.profile->waiting);
	for (size_t i = 0; i < written.profile->thread_count; i++)
		assert_closes(&written.profile->threads[i].waiting);
	assert_string_equal(fact("thread_seconds"), "14.000");
	assert_string_equal(fact("run_queue_seconds"), "2.000");
	assert_string_equal(fact("blocked_seconds"), "10.750");
	assert_written_says("# Waiting\n\nThe time of 2 threads from start to end");
	assert_written_says("| on a CPU, user | 800.0 ms | 5.7% |\n| on a CPU, system | 450.0 ms | 3.2% |\n"
			    "| waiting for a CPU | 2.00 s | 14.3% |\n| \\[blocked elsewhere\\] | 10.75 s | 76.8% |\n"
			    "| all | 14.00 s | 100.0% |\n");
	assert_written_says("Its 2 threads were on a CPU for 8.9 % of their time, waited for one for 14.3 %, and were "
			    "blocked for 76.8 %. ");
	assert_written_says("| worker | 11 |  | 0 B | none | 250.0 ms | no clock available | 4.00 s | 1.50 s | 2.25 s "
			    "|\n");
}

/* Readings that were not made at the same moment, and damaged ones. */
static void the_sum_closes_whatever_was_read(void **state)
{
	struct sp_thread_record *t;

	(void)state;
	fill();
	t = main_thread() + 1;
	t->cpu_user_ns = 5000 * MS; /* longer than it lived */
	t->queue_ns = UINT64_MAX;
	t = spool_thread(&written.spool, "odd", 12, 10, 0);
	t->start_ns = UINT64_MAX;
	t = main_thread() - 1;
	t->merged = 3;
	t->lived_ns = t->queue_ns = UINT64_MAX;
	written_render(false);
	assert_closes(&written.profile->waiting);
	for (size_t i = 0; i < written.profile->thread_count; i++) {
		assert_closes(&written.profile->threads[i].waiting);
		assert_true(written.profile->threads[i].waiting.wall_ns <= 30000 * MS);
	}
}

static void short_threads_count(void **state)
{
	struct sp_thread_record *sum;

	(void)state;
	fill();
	sum = main_thread() - 1;
	sum->merged = 100;
	sum->cpu_user_ns = 20 * MS;
	sum->lived_ns = 2000 * MS;
	sum->queue_ns = 980 * MS;
	written.spool.header->cpu.self_user_ns += 20 * MS;
	written_render(false);
	assert_string_equal(fact("thread_seconds"), "16.000");
	assert_string_equal(fact("run_queue_seconds"), "2.980");
	assert_written_says("| 2.00 s | 980.0 ms | 1.00 s |\n");
}

/* Where the kernel does not tell of its queue. */
static void an_unknown_queue_is_not_zero(void **state)
{
	(void)state;
	fill();
	main_thread()->queue_at_ns = 0;
	written_render(false);
	assert_null(fact("run_queue_seconds"));
	assert_written_says("| waiting for a CPU, or \\[blocked elsewhere\\] | 12.75 s |");
	assert_written_says("| 10.00 s |  | 9.00 s |\n");
	assert_written_says("and waited for one or for something else for the rest.");
}

static void a_busy_process_is_not_bothered_with_it(void **state)
{
	(void)state;
	written.spool.header->end_ns = 1000 * MS;
	main_thread()->queue_at_ns = 1;
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 1)), 950000, 0);
	written_render(false);
	assert_string_equal(fact("thread_seconds"), "1.000");
	assert_null(strstr(written.text.data, "# Waiting"));
	assert_null(strstr(written.text.data, "blocked for"));
}

/* One thread joins the other: the process did not wait. */
static void a_process_that_keeps_a_core_busy_has_not_waited(void **state)
{
	struct sp_thread_record *t;

	(void)state;
	written.spool.header->end_ns = 1000 * MS;
	main_thread()->queue_at_ns = 1;
	t = spool_thread(&written.spool, "worker", 11, 980000, 0);
	t->end_ns = 1000 * MS;
	t->queue_at_ns = 1;
	written_render(false);
	assert_written_says("# Waiting\n");
	assert_null(strstr(written.text.data, "blocked for"));
	t->cpu_user_ns = 500 * MS;
	t->queue_ns = 480 * MS;
	written.spool.header->cpu.self_user_ns -= 480 * MS;
	written_render_again();
	assert_written_says("were on a CPU for 25.0 % of their time, waited for one for 24.0 %");
}

static void want_of_a_cpu_is_advised_on(void **state)
{
	(void)state;
	fill();
	written.spool.header->usable_millicores = 2000;
	main_thread()->queue_ns = 3000 * MS;
	written_render(false);
	assert_written_says(
		"Next: threads could have run for 32 % of their time and got no CPU; have fewer of them run "
		"at a time, or give the process more than the 2 cores");
}

/* Who has one thread cannot have fewer, and what kept it waiting was others. */
static void one_thread_is_not_told_to_have_fewer(void **state)
{
	(void)state;
	written.spool.header->end_ns = 10000 * MS;
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 1)), 1600000, 400000);
	main_thread()->queue_ns = 7000 * MS;
	main_thread()->queue_at_ns = 10000 * MS;
	written_render(false);
	assert_written_says("It was on a CPU for 20.0 % of its time, waited for one for 70.0 %, and was blocked for");
	assert_null(strstr(written.text.data, "threads could have run"));
}

static void a_used_up_quota_is_told_apart(void **state)
{
	struct sp_profile *p;
	const char *why;

	(void)state;
	fill();
	main_thread()->queue_ns = 3000 * MS;
	written.spool.header->throttle = (struct sp_throttle_totals){.known = 1, .ns = 2500 * MS, .periods = 30};
	written_render(false);
	assert_closes(&written.profile->waiting);
	assert_string_equal(fact("throttled_seconds"), "2.500");
	assert_string_equal(fact("throttled_periods"), "30");
	assert_written_says(
		"| waiting for a CPU | 4.50 s | 32.1% |\n| — of that, for want of quota | 2.50 s | 17.9% |\n");
	assert_written_says("the quota of their control group was used up in 30 of its periods; raise it");
	p = sp_markdown_read(written.text.data, written.text.length, &why);
	assert_non_null(p);
	assert_int_equal(p->waiting.throttled_ns, 2500 * MS);
	sp_profile_free(p);
	written.spool.header->throttle.ns = UINT64_MAX; /* others' of the group */
	written_render_again();
	assert_int_equal(written.profile->waiting.throttled_ns, written.profile->waiting.queue_ns);
}

static void kinds_are_parts_of_what_it_was_blocked_for(void **state)
{
	struct sp_thread_record *t;
	struct sp_profile *p;
	const char *why;

	(void)state;
	fill();
	written.spool.header->waits.on = 1;
	main_thread()->waits[SP_WAIT_POLL].ns = 8000 * MS;
	t = main_thread() + 1;
	t->waits[SP_WAIT_LOCK].ns = 3000 * MS; /* a part of that it was awake, and waited for a CPU */
	t->waits[SP_WAIT_READ].ns = 1500 * MS;
	written_render(false);
	assert_string_equal(fact("blocked_lock_seconds"), "1.500");
	assert_string_equal(fact("blocked_read_seconds"), "0.750");
	assert_string_equal(fact("blocked_poll_seconds"), "8.000");
	assert_string_equal(fact("blocked_sleep_seconds"), "0.000");
	assert_written_says("| blocked: lock | 1.50 s | 10.7% |\n| blocked: read | 750.0 ms | 5.4% |\n"
			    "| blocked: poll | 8.00 s | 57.1% |\n| \\[blocked elsewhere\\] | 500.0 ms | 3.6% |\n");
	assert_written_says("blocked for 76.8 %: 10.7 % (lock), 5.4 % (read), 57.1 % (poll). ");
	p = sp_markdown_read(written.text.data, written.text.length, &why);
	assert_non_null(p);
	assert_true(p->waiting.kinds_known);
	assert_memory_equal(p->waiting.kind_ns, written.profile->waiting.kind_ns, sizeof(p->waiting.kind_ns));
	for (size_t i = 0; i < p->thread_count; i++)
		assert_same_waiting(&p->threads[i].waiting, &written.profile->threads[i].waiting);
	sp_profile_free(p);
	assert_written_says(
		"\twall_ns\tqueue_ns\tlock_ns\tcondition_ns\tread_ns\twrite_ns\tsync_ns\tpoll_ns\tsleep_ns\t"
		"child_ns\tother_ns\n");
	assert_written_says(" | 8.50 s, 94 % poll |\n"); /* the other thread's halves are no main kind */
	main_thread()->open_wait = 1 + SP_WAIT_CHILD;
	written_render_again();
	assert_string_equal(fact("blocked_child_seconds"), "0.500");
}

/* What to do about it depends on what it is. */
static void what_is_waited_in_is_advised_on(void **state)
{
	struct sp_thread_record *t;

	(void)state;
	written.spool.header->end_ns = 10000 * MS;
	spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(3, 1)), 200000, 100000);
	main_thread()->queue_at_ns = 1;
	written.spool.header->waits.on = 1;
	main_thread()->waits[SP_WAIT_SYNC].ns = 9700 * MS;
	written_render(false);
	assert_written_says("Next: the process mostly waited (it kept a core busy for 3.0 % of the time), so its CPU "
			    "time is not what makes it slow: it waits for data to reach the disk; sync less often");
	t = spool_thread(&written.spool, "idle", 11, 100, 0); /* of a pool, with nothing to do */
	t->end_ns = 10000 * MS;
	t->queue_at_ns = 1;
	t->waits[SP_WAIT_CONDITION].ns = 9999 * MS;
	written_render_again();
	assert_written_says("so its CPU time is not what makes it slow: it waits for data to reach the disk;");
}

static struct sp_profile *read_back(void)
{
	const char *why = "";
	struct sp_profile *p = sp_markdown_read(written.text.data, written.text.length, &why);

	if (!p)
		fail_msg("%s", why);
	return p;
}

static void it_is_read_back_and_valid(void **state)
{
	struct sp_validation v;
	struct sp_profile *p;

	(void)state;
	fill();
	written_render(false);
	sp_validate(&v, written.text.data, written.text.length);
	assert_int_equal(v.count, 0);
	assert_int_equal(v.unknown_key_count + v.unknown_section_count, 0);
	sp_validation_free(&v);
	p = read_back();
	assert_same_waiting(&p->waiting, &written.profile->waiting);
	for (size_t i = 0; i < p->thread_count; i++) {
		assert_int_equal(p->threads[i].waiting.wall_ns, written.profile->threads[i].waiting.wall_ns);
		assert_int_equal(p->threads[i].waiting.queue_ns, written.profile->threads[i].waiting.queue_ns);
		assert_int_equal(p->threads[i].waiting.blocked_ns, written.profile->threads[i].waiting.blocked_ns);
	}
	sp_profile_free(p);
}

/* Cuts what lies between two texts, of which the second stays. */
static void cut(const char *from, const char *to)
{
	char *at = strstr(written.text.data, from), *end = at ? strstr(at, to) : NULL;

	assert_non_null(end);
	memmove(at, end, strlen(end) + 1);
	written.text.length = strlen(written.text.data);
}

static void a_profile_of_before_says_nothing_of_it(void **state)
{
	struct sp_profile *p;

	(void)state;
	fill();
	written_render(false);
	cut("thread_seconds:", "cpu_clock:");
	cut("# Waiting", "# CPU Profile");
	cut("\twall_ns\tqueue_ns", "\n");
	cut("\t10000000000\t500000000", "\n");
	cut("\t4000000000\t1500000000", "\n");
	p = read_back();
	assert_int_equal(p->waiting.wall_ns, 0);
	assert_int_equal(p->thread_count, 2);
	assert_int_equal(p->threads[0].waiting.wall_ns, 0);
	sp_profile_free(p);
}

/* ns ± error of a place in a read profile. */
static void add_wait(struct sp_profile *p, uint64_t ns, double error_ns, const char *caller, const char *lock,
	const char *holder)
{
	*sp_wait_rows_add(p) = (struct sp_wait_row){.ns = ns,
		.count = 2,
		.samples = 2,
		.longest_ns = ns / 2,
		.error_ns = error_ns,
		.kind = SP_WAIT_LOCK,
		.call = "pthread_mutex_lock",
		.caller = caller,
		.lock = lock,
		.holder = holder,
		.holder_call = ""};
}

static void merged_profiles_add_waits_of_the_same_names_up(void **state)
{
	struct sp_merge *m = sp_merge_new();
	struct sp_profile *one, *other, *sum, *again;
	struct sp_buffer text = {0};
	const char *why = "";

	(void)state;
	fill();
	written_render(false);
	one = read_back();
	other = read_back();
	add_wait(one, 400, 30, "put", "g_lock", "find");
	add_wait(one, 100, 1, "put", "0x7f00", "");
	add_wait(other, 900, 40, "put", "g_lock", "a\tb\\\n");
	add_wait(other, 100, 1, "put", "0x7f88", "");
	sp_merge_add(m, one, "a.md");
	sp_merge_add(m, other, "b.md");
	sum = sp_merge_finish(m, 0);
	sp_markdown_write(&text, sum, "sum.md", false);
	assert_non_null(strstr(text.data,
		"| 86.7% | 0.5 | 1 µs | 4 | 450 ns | lock | pthread_mutex_lock | put |  | g_lock |\n"));
	assert_non_null(strstr(text.data, "| 1 µs |  | 450 ns | g_lock | put | mostly a"));
	again = sp_markdown_read(text.data, text.length, &why); /* a table that is read as it was written, names too */
	assert_non_null(again);
	assert_int_equal(again->wait_row_count, 2);
	assert_int_equal(again->wait_rows[0].ns, 1300);
	assert_int_equal(again->wait_rows[0].count, 4);
	assert_int_equal(again->wait_rows[0].longest_ns, 450);
	assert_true(again->wait_rows[0].error_ns == 50);
	assert_int_equal(again->wait_rows[0].kind, SP_WAIT_LOCK);
	assert_string_equal(again->wait_rows[0].lock, "g_lock");
	assert_string_equal(again->wait_rows[0].holder, "a\tb\\\n");
	assert_int_equal(again->wait_rows[1].ns, 200);
	assert_string_equal(again->wait_rows[1].lock, "");
	sp_profile_free(again);
	sp_buffer_free(&text);
	sp_merge_free(m);
	sp_profile_free(one);
	sp_profile_free(other);
}

static void merged_profiles_add_it_up(void **state)
{
	struct sp_merge *m = sp_merge_new();
	struct sp_profile *p, *sum;
	struct sp_buffer text = {0};

	(void)state;
	fill();
	written_render(false);
	p = read_back();
	sp_merge_add(m, p, "a.md");
	sp_merge_add(m, p, "b.md");
	sum = sp_merge_finish(m, 0);
	assert_string_equal(sp_profile_fact(sum, "thread_seconds"), "28.000");
	assert_string_equal(sp_profile_fact(sum, "run_queue_seconds"), "4.000");
	assert_string_equal(sp_profile_fact(sum, "blocked_seconds"), "21.500");
	sp_markdown_write(&text, sum, "sum.md", false);
	assert_non_null(strstr(text.data, "The time of 4 threads from start to end"));
	assert_non_null(strstr(text.data, "| worker |  |  | 2 | 8.00 s | 3.00 s | 4.50 s |\n"));
	sp_buffer_free(&text);
	sp_merge_free(m);

	m = sp_merge_new();
	sp_merge_add(m, p, "a.md");
	p->waiting = (struct sp_waiting){0}; /* one of before */
	sp_merge_add(m, p, "b.md");
	assert_null(sp_profile_fact(sp_merge_finish(m, 0), "thread_seconds"));
	sp_merge_free(m);
	sp_profile_free(p);
}

/* Of two that are equal and equally unsure, each is half, and half as unsure as if the other were known. */
/* The innermost frame is what was waited for. */
static const struct sp_wait_place *place_at_depth(uint32_t depth)
{
	const struct sp_waits_info *waits = written.profile->waits;

	for (size_t i = 0; i < waits->place_count; i++)
		if (written.profile->paths[waits->places[i].path].depth == depth)
			return &waits->places[i];
	fail_msg("no place with a path of %u frames", depth);
	return NULL;
}

/* A server: it waits for requests in its loop, 2, and for something else by the same function, 6, while it answers one. */
static void waiting_for_work_is_idle_and_waiting_in_it_is_not(void **state)
{
	(void)state;
	written.spool.header->end_ns = 10000 * MS;
	main_thread()->queue_at_ns = 1;
	written.spool.header->waits.on = 1;
	main_thread()->waits[SP_WAIT_POLL].ns = 9700 * MS;
	spool_wait(&written.spool, SP_CALL_epoll_wait, STACK(6, 5, 2, 1), 5100 * MS);
	spool_wait(&written.spool, SP_CALL_epoll_wait, STACK(6, 8, 7, 2, 1), 5000 * MS);
	written_render(false);
	assert_true(place_at_depth(5)->idle && place_at_depth(6)->idle); /* where the work is, is not known */
	for (int i = 0; i < 6; i++)
		spool_sample(&written.spool, spool_stack(&written.spool, 0, STACK(i % 2 ? 3 : 4, i < 4 ? 7 : 9, 2, 1)),
			50000, 0);
	written_render_again();
	assert_true(place_at_depth(5)->idle);
	assert_false(place_at_depth(6)->idle);
	assert_written_says("Most, 5.00 s, was waited in epoll_wait ← ");
}

static void a_share_is_surer_than_its_part(void **state)
{
	(void)state;
	assert_true(fabs(sp_waits_share_error(50, 100, 100, 200) - 0.0707) < 0.0001);
	assert_true(fabs(sp_waits_share_error(1, 1, 1000, 2) - 0.001) < 0.0001);
	assert_true(sp_waits_share_error(100, 100, 100, 100) == 0);
	assert_true(sp_waits_share_error(0, 0, 0, 0) == 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, written_set_up, written_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_sum_closes),
		TEST(the_sum_closes_whatever_was_read),
		TEST(short_threads_count),
		TEST(an_unknown_queue_is_not_zero),
		TEST(a_busy_process_is_not_bothered_with_it),
		TEST(a_process_that_keeps_a_core_busy_has_not_waited),
		TEST(want_of_a_cpu_is_advised_on),
		TEST(one_thread_is_not_told_to_have_fewer),
		TEST(a_used_up_quota_is_told_apart),
		TEST(kinds_are_parts_of_what_it_was_blocked_for),
		TEST(what_is_waited_in_is_advised_on),
		TEST(waiting_for_work_is_idle_and_waiting_in_it_is_not),
		TEST(a_share_is_surer_than_its_part),
		TEST(it_is_read_back_and_valid),
		TEST(a_profile_of_before_says_nothing_of_it),
		TEST(merged_profiles_add_it_up),
		TEST(merged_profiles_add_waits_of_the_same_names_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
