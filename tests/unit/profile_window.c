/* Windows: the difference of two snapshots, and snapshots as files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/model/model.h"
#include "profiles/spool/marks.h"
#include "profiles/spool/window.h"
#include "profiles/spool/write.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})
#define MOMENTS 3

static struct spool spool;
static struct sp_snapshot at[MOMENTS];
static const char *why;

static int set_up(void **state)
{
	(void)state;
	spool_open(&spool);
	why = "";
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < MOMENTS; i++)
		sp_snapshot_free(&at[i]);
	spool_close(&spool);
	return 0;
}

static uint64_t births = 1000; /* the cycle counter */

/* Every moment is marked, too. */
static void take(size_t moment, uint64_t ns)
{
	struct sp_mark *mark = spool_mark(&spool, "moment", ns);

	mark->tsc = births - 1;
	spool.header->end_ns = spool.header->now_ns = ns;
	sp_snapshot_free(&at[moment]);
	spool_snapshot(&spool, &at[moment]);
}

static uint32_t random_below(uint32_t n)
{
	static uint32_t state = 12345;

	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

static struct sp_live *live_record(uint32_t i)
{
	return (struct sp_live *)spool_records(&spool, SP_SEC_LIVE) + i;
}

static void allocate(uint32_t site, uint64_t bytes)
{
	struct sp_site *s = (struct sp_site *)spool_records(&spool, SP_SEC_SITES) + site;

	spool_settle(&spool, site);
	s->alloc_bytes += bytes;
	s->alloc_count++;
	s->samples++;
	s->inuse_samples++;
	s->variance_alloc += 7;
	s->variance_inuse += 7;
	spool.header->heap.inuse_bytes += bytes;
	spool.header->heap.samples++;
	*live_record(spool.header->sections[SP_SEC_LIVE].used++) = (struct sp_live){.alive = 1,
		.site = site,
		.size = bytes,
		.weight = bytes,
		.variance = 7,
		.count = 1,
		.born_tsc = births++};
}

static void release(struct sp_live *live)
{
	struct sp_site *s = (struct sp_site *)spool_records(&spool, SP_SEC_SITES) + live->site;

	spool_settle(&spool, live->site);
	s->free_bytes += live->weight;
	s->free_count++;
	s->inuse_samples--;
	s->variance_inuse -= 7;
	spool.header->heap.inuse_bytes -= live->weight;
	live->alive = 0;
}

/* Some of everything. */
static void live_on(const uint32_t *stacks, uint32_t count, unsigned steps)
{
	struct sp_log_entry *log = spool_records(&spool, SP_SEC_LOG);
	struct sp_thread_record *main_thread = (struct sp_thread_record *)spool_records(&spool, SP_SEC_THREADS) + 1;

	for (unsigned i = 0; i < steps; i++) {
		uint32_t stack = stacks[random_below(count)], us = 1 + random_below(5000);

		spool_sample(&spool, stack, us, us / 3);
		log[spool.header->sections[SP_SEC_LOG].used++] =
			(struct sp_log_entry){.stack = stack, .weight = 1000 * (us + us / 3) / SP_LOG_UNIT_NS};
		allocate(1 + random_below(2), 1000 + random_below(5000));
		main_thread->heap.allocs++;
		main_thread->heap.countdown -= 5000;
		if (random_below(2))
			for (uint32_t k = 1; k < spool.header->sections[SP_SEC_LIVE].used; k++)
				if (live_record(k)->alive && random_below(4) == 0) {
					release(live_record(k));
					main_thread->heap.frees++;
					break;
				}
	}
}

static void three_moments(void)
{
	uint32_t stacks[3] = {spool_stack(&spool, 0, STACK(3, 2, 1)), spool_stack(&spool, 0, STACK(4, 2, 1)), 0};
	struct sp_thread_record *threads = spool_records(&spool, SP_SEC_THREADS);

	threads[1].state = 1;
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 0, 0);
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(7, 5, 1)), 0, 0);
	live_on(stacks, 2, 20);
	take(0, 1000000000);
	live_on(stacks, 2, 15);
	stacks[2] = spool_stack(&spool, 0, STACK(5, 1));
	live_on(stacks, 3, 10);
	take(1, 3000000000);
	live_on(stacks, 3, 12);
	take(2, 8000000000);
}

static void window(struct sp_snapshot *out, size_t from, size_t to)
{
	struct sp_snapshot copy = {0};
	char path[] = "/tmp/profile_window.XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	assert_int_equal(sp_snapshot_write(&at[to], fd), 0);
	assert_int_equal(sp_snapshot_read(&copy, fd, &why), 0);
	close(fd);
	assert_int_equal(sp_window_take(&copy, &at[from], &why), 0);
	*out = copy;
}

static uint64_t sampled_ns(const struct sp_snapshot *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->stack_count; i++)
		sum += s->stacks[i].user_ns + s->stacks[i].sys_ns;
	return sum;
}

static uint64_t allocated(const struct sp_snapshot *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->thread_count; i++)
		sum += (uint64_t)s->threads[i].heap.bytes_base - (uint64_t)s->threads[i].heap.countdown;
	return sum;
}

/* What the last snapshot tells of what was between two of the moments, by their marks. */
static void window_of_marks(struct sp_snapshot *out, const char *from, const char *to)
{
	struct sp_snapshot earlier;

	sp_snapshot_copy(&earlier, &at[2]);
	sp_mark_rewind(&earlier, sp_mark_find(&earlier, from));
	sp_snapshot_copy(out, &at[2]);
	if (to)
		sp_mark_rewind(out, sp_mark_find(out, to));
	assert_int_equal(out->lost_sites + earlier.lost_sites, 0);
	assert_int_equal(sp_window_take(out, &earlier, &why), 0);
	sp_snapshot_free(&earlier);
}

/* What is known of a moment by its mark is what a snapshot of that moment says. */
static void assert_same_window(const struct sp_snapshot *marked, const struct sp_snapshot *w, bool whole)
{
	assert_int_equal(marked->taken_ns, w->taken_ns);
	assert_int_equal(marked->window_ns, w->window_ns);
	assert_int_equal(marked->log_count, w->log_count);
	for (size_t i = 0; i < w->stack_count; i++) {
		int64_t off = (int64_t)(marked->stacks[i].user_ns + marked->stacks[i].sys_ns) -
			(int64_t)(w->stacks[i].user_ns + w->stacks[i].sys_ns);

		assert_in_range(off + 5000, 0, 10000); /* the log is not as exact */
		assert_int_equal(marked->stacks[i].user_samples + marked->stacks[i].sys_samples,
			w->stacks[i].user_samples);
	}
	for (size_t i = 0; i < w->site_count; i++) {
		assert_int_equal(marked->growth[i].bytes, w->growth[i].bytes);
		assert_int_equal(marked->growth[i].count, w->growth[i].count);
		assert_int_equal(marked->sites[i].alloc_bytes, w->sites[i].alloc_bytes);
		assert_true(marked->growth[i].variance >= w->growth[i].variance);
		assert_true(!whole || marked->sites[i].free_bytes == w->sites[i].free_bytes);
		assert_true(marked->growth[i].variance <=
			(double)(marked->sites[i].variance_alloc + 7 * (w->sites[i].alloc_count + 20)));
	}
}

static void a_mark_is_as_good_as_a_snapshot(void **state)
{
	struct sp_snapshot by_marks, by_snapshots;

	(void)state;
	three_moments();
	assert_int_equal(at[2].mark_count, 3);
	assert_ptr_equal(sp_mark_find(&at[2], "moment"), &at[2].marks[0]);
	assert_ptr_equal(sp_mark_find(&at[2], "moment.3"), &at[2].marks[2]);
	assert_null(sp_mark_find(&at[2], "moment.4"));
	window_of_marks(&by_marks, "moment", "moment.2");
	window(&by_snapshots, 0, 1);
	assert_same_window(&by_marks, &by_snapshots, false);
	sp_snapshot_free(&by_marks);
	sp_snapshot_free(&by_snapshots);
	window_of_marks(&by_marks, "moment.2", NULL);
	window(&by_snapshots, 1, 2);
	assert_same_window(&by_marks, &by_snapshots, true);
	sp_snapshot_free(&by_marks);
	sp_snapshot_free(&by_snapshots);
}

/* The log was full before the mark: what a stack had used by then is not known, and not said. */
static void no_stack_is_told_where_the_log_ended_before_the_mark(void **state)
{
	struct sp_snapshot w;

	(void)state;
	three_moments();
	((struct sp_mark *)spool_records(&spool, SP_SEC_MARKS))[2].logged = 1000000;
	take(2, 8000000000);
	assert_int_equal(at[2].marks[1].logged, UINT64_MAX);
	window_of_marks(&w, "moment.2", NULL);
	assert_int_equal(sampled_ns(&w), 0);
	assert_true(w.header.cpu.self_user_ns + w.header.cpu.self_sys_ns > 0);
	sp_snapshot_free(&w);
}

static void a_damaged_mark_is_left_out(void **state)
{
	struct sp_mark *marks = spool_records(&spool, SP_SEC_MARKS);
	struct sp_marked *marked = spool_records(&spool, SP_SEC_MARKED);

	(void)state;
	three_moments();
	memset(marks[1].name, 'x', sizeof(marks[1].name));
	marks[1].name[3] = '\n';
	marks[2].heap.peak.smooth = 1e300;
	marks[3].kind = 99;
	marked[1].site = 1u << 30;
	take(2, 8000000000);
	assert_int_equal(at[2].mark_count, 2);
	assert_true(at[2].marks[0].heap.peak.smooth == 0);
	assert_int_equal(at[2].damaged, 4);
}

/* A record that says what a site was found no room. */
static void what_is_not_known_of_a_site_is_counted(void **state)
{
	struct sp_marked *marked = spool_records(&spool, SP_SEC_MARKED);
	struct sp_snapshot copy;

	(void)state;
	three_moments();
	marked[1].ready = 0;
	take(2, 8000000000);
	sp_snapshot_copy(&copy, &at[2]);
	sp_mark_rewind(&copy, &copy.marks[0]);
	assert_int_equal(copy.lost_sites, 1);
	sp_snapshot_free(&copy);
}

static void windows_add_up(void **state)
{
	struct sp_snapshot ab, bc, ac;

	(void)state;
	three_moments();
	window(&ab, 0, 1);
	window(&bc, 1, 2);
	window(&ac, 0, 2);
	assert_int_equal(ab.taken_ns, 2000000000);
	assert_int_equal(ab.taken_ns + bc.taken_ns, ac.taken_ns);
	assert_int_equal(ac.stack_count, at[2].stack_count);
	for (size_t i = 0; i < ac.stack_count; i++) {
		uint64_t early = i < ab.stack_count ? ab.stacks[i].user_ns + ab.stacks[i].sys_ns : 0;

		assert_int_equal(early + bc.stacks[i].user_ns + bc.stacks[i].sys_ns,
			ac.stacks[i].user_ns + ac.stacks[i].sys_ns);
	}
	for (size_t i = 0; i < ac.site_count; i++) {
		assert_int_equal(ab.growth[i].bytes + bc.growth[i].bytes, ac.growth[i].bytes);
		assert_int_equal(ab.growth[i].count + bc.growth[i].count, ac.growth[i].count);
		assert_int_equal(ab.sites[i].alloc_bytes + bc.sites[i].alloc_bytes, ac.sites[i].alloc_bytes);
	}
	assert_int_equal(ab.log_count + bc.log_count, ac.log_count);
	assert_int_equal(ab.log_count, 25);
	assert_int_equal(allocated(&ab) + allocated(&bc), allocated(&ac));
	assert_int_equal(ab.header.cpu.self_user_ns + bc.header.cpu.self_user_ns, ac.header.cpu.self_user_ns);
	sp_snapshot_free(&ab);
	sp_snapshot_free(&bc);
	sp_snapshot_free(&ac);
}

static void weights_are_the_cpu_time_of_the_window(void **state)
{
	struct sp_snapshot ab;
	struct sp_profile *profile;
	uint64_t user_ns, sys_ns;

	(void)state;
	three_moments();
	window(&ab, 0, 1);
	sp_snapshot_cpu(&ab, &user_ns, &sys_ns);
	assert_true(user_ns > 0);
	assert_int_equal(sampled_ns(&ab), user_ns + sys_ns);
	profile = sp_profile_from_snapshot(&ab, NULL, NULL, NULL);
	assert_int_equal(profile->total_ns, user_ns + sys_ns);
	assert_int_equal(profile->samples, 25 + 0);
	assert_true(profile->is_window);
	assert_int_equal(profile->growth_bytes,
		(int64_t)at[1].header.heap.inuse_bytes - (int64_t)at[0].header.heap.inuse_bytes);
	sp_profile_free(profile);
	sp_snapshot_free(&ab);
}

static void in_use_is_of_the_window_and_growth_is_of_all(void **state)
{
	struct sp_snapshot ab;

	(void)state;
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 0, 0);
	for (int i = 0; i < 3; i++)
		allocate(1, 1000);
	take(0, 1000000000);
	allocate(1, 500);
	allocate(1, 30);
	release(live_record(1));
	release(live_record(2));
	release(live_record(5));
	take(1, 2000000000);
	window(&ab, 0, 1);
	assert_int_equal(ab.growth[1].bytes, 500 - 2000);
	assert_int_equal(ab.growth[1].count, -1);
	/* Two that were there and one that is: what is there at both ends, or at none, adds nothing. */
	assert_int_equal(ab.growth[1].samples, 3);
	assert_true(ab.growth[1].variance == 21);
	assert_int_equal(ab.sites[1].alloc_bytes, 530);
	assert_int_equal(ab.sites[1].alloc_bytes - ab.sites[1].free_bytes, 500);
	assert_int_equal(ab.header.heap.inuse_bytes, 500);
	assert_int_equal(ab.live_count, 1);
	sp_snapshot_free(&ab);
}

/* Thinned out: every other sample goes, and those that stay stand for twice as much. */
static void thinning_makes_growth_uncertain(void **state)
{
	struct sp_snapshot ab;
	struct sp_site *s;

	(void)state;
	spool_site(&spool, spool_stack(&spool, SP_STACK_IS_HEAP, STACK(6, 5, 1)), 0, 0);
	for (int i = 0; i < 4; i++)
		allocate(1, 1000);
	take(0, 1000000000);
	s = (struct sp_site *)spool_records(&spool, SP_SEC_SITES) + 1;
	for (uint32_t i = 1; i <= 4; i++) {
		live_record(i)->alive = i % 2;
		live_record(i)->weight = 2000;
		live_record(i)->variance = 28;
	}
	s->free_bytes = 0;
	take(1, 2000000000);
	window(&ab, 0, 1);
	assert_int_equal(ab.growth[1].bytes, 0);
	assert_true(ab.growth[1].variance == 2 * 7 + 2 * 21);
	assert_int_equal(ab.sites[1].alloc_bytes - ab.sites[1].free_bytes, 0);
	sp_snapshot_free(&ab);
}

static void threads_that_gave_their_record_back(void **state)
{
	struct sp_thread_record *t, *threads = spool_records(&spool, SP_SEC_THREADS);
	struct sp_snapshot ab;
	uint64_t user_ns, sys_ns;

	(void)state;
	t = spool_thread(&spool, "short", 20, 4000, 0);
	t->state = 1;
	spool_thread(&spool, "ended before", 21, 9000, 0);
	take(0, 1000000000);
	threads[0].merged = 1;
	threads[0].cpu_user_ns = 6000000; /* of "short", 2 ms since */
	*t = (struct sp_thread_record){.state = 1, .tid = 22, .start_ns = 1500000000, .cpu_user_ns = 3000000};
	spool.header->cpu.self_user_ns += 5000000;
	take(1, 2000000000);
	window(&ab, 0, 1);
	assert_int_equal(ab.threads[0].cpu_user_ns, 2000000);
	assert_int_equal(ab.threads[2].cpu_user_ns, 3000000);
	assert_int_equal(ab.threads[2].start_ns, 500000000);
	assert_int_equal(ab.threads[3].state, 0);
	sp_snapshot_cpu(&ab, &user_ns, &sys_ns);
	assert_int_equal(user_ns, 5000000);
	sp_snapshot_free(&ab);
}

static void what_is_no_window_says_why(void **state)
{
	(void)state;
	three_moments();
	assert_int_equal(sp_window_take(&at[0], &at[1], &why), -EINVAL);
	assert_string_equal(why, "is older than");
	at[1].header.start_monotonic_ns++;
	assert_int_equal(sp_window_take(&at[1], &at[0], &why), -ESRCH);
	assert_non_null(strstr(why, "another program"));
	at[2].header.start_ticks++;
	assert_int_equal(sp_window_take(&at[2], &at[0], &why), -ESRCH);
	assert_non_null(strstr(why, "another process"));
	take(2, 9000000000);
	at[2].stacks[1].hash++;
	assert_int_equal(sp_window_take(&at[2], &at[0], &why), -EINVAL);
	assert_non_null(strstr(why, "damaged"));
}

static void a_snapshot_is_the_same_when_read_again(void **state)
{
	struct sp_snapshot again = {0};
	char path[] = "/tmp/profile_window.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	unlink(path);
	spool_fill(&spool);
	spool_copy(&spool, 1, 1, (const uint64_t[]){1, 2, 3}, 3);
	spool.header->state = SP_STATE_RUNNING;
	take(0, 0);
	at[0].running = true;
	at[0].taken_ns = 4000000000;
	at[0].damaged = 3;
	assert_int_equal(sp_snapshot_write(&at[0], fd), 0);
	assert_int_equal(sp_snapshot_read(&again, fd, &why), 0);
	close(fd);
	assert_true(again.running);
	assert_int_equal(again.taken_ns, 4000000000);
	assert_int_equal(again.damaged, 3);
#define SAME(array, count) \
	assert_int_equal(again.count, at[0].count); \
	assert_memory_equal(again.array, at[0].array, at[0].count * sizeof(*again.array))
	SAME(text, text_bytes);
	SAME(modules, module_count);
	SAME(threads, thread_count);
	SAME(stacks, stack_count);
	SAME(frames, frame_count);
	SAME(sites, site_count);
	SAME(timeline, timeline_count);
	SAME(log, log_count);
	SAME(live, live_count);
	SAME(copies, copy_count);
	SAME(copied, copied_count);
	sp_snapshot_free(&again);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(windows_add_up),
		TEST(a_mark_is_as_good_as_a_snapshot),
		TEST(no_stack_is_told_where_the_log_ended_before_the_mark),
		TEST(a_damaged_mark_is_left_out),
		TEST(what_is_not_known_of_a_site_is_counted),
		TEST(weights_are_the_cpu_time_of_the_window),
		TEST(in_use_is_of_the_window_and_growth_is_of_all),
		TEST(thinning_makes_growth_uncertain),
		TEST(threads_that_gave_their_record_back),
		TEST(what_is_no_window_says_why),
		TEST(a_snapshot_is_the_same_when_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
