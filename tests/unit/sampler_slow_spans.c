/* Slow spans: which they are, what was sampled in them, and the longest of each node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/spool/read.h"
#include "sampler/spans/names.h"
#include "sampler/spans/slow.h"
#include "sampler/spans/spans.h"
#include "sampler/spool/stacks.h"
#include "sampler/threads/thread.h"
#include "tests/unit/sampler_spool.h"

#define ROUNDS 4000u
#define MS 1000000u

static int set_up(void **state)
{
	(void)state;
	sp_span_names_forget();
	sp_span_slow_forget();
	return agent_open("/tmp", 2000);
}

static int tear_down(void **state)
{
	(void)state;
	agent_close();
	return 0;
}

static uint32_t stack_at(struct sp_thread *t, uint64_t address)
{
	uint64_t frames[] = {address, 0x2000};
	struct sp_walk walk = {.frames = frames, .depth = 2};

	return sp_stacks_intern(t, &walk);
}

static struct sp_thread *begin_thread(void)
{
	struct sp_thread *t = sp_block_take();

	sp_thread_adopt(t, 0, 0, 0);
	t->random = 12345 + (uint64_t)t->tid;
	return t;
}

/* A thread that is in one span all the time, of which ends are made up. */
struct worker {
	struct sp_thread *t;
	struct sp_span_open *o;
	struct sp_span_count *c;
};

static struct worker begin(const char *name)
{
	struct worker w = {.t = begin_thread()};

	sp_span_begin(w.t, sp_span_name(SP_SPAN_PLAIN, name));
	w.o = &w.t->spans->open[0];
	w.c = (struct sp_span_count *)sp_section(SP_SEC_SPAN_COUNTS) + w.o->count;
	w.o->measured = 0;
	return w;
}

static void end_one(struct worker *w, uint64_t ns, uint64_t bytes)
{
	sp_span_compare(w->t, w->t->spans, w->c, w->o, &(struct sp_span_had){.ns = ns, .bytes = bytes});
	w->c->count++;
	w->c->sum_ns += ns;
	w->t->spans->sampled = 0;
}

static void finish(struct worker *w)
{
	sp_thread_release(w->t);
	sp_tls = (struct sp_tls){0};
}

static const struct sp_span_tail *tail_of(const struct sp_snapshot *s, uint32_t stack)
{
	for (size_t i = 1; i < s->span_tail_count; i++)
		if (s->span_tail[i].stack == stack)
			return &s->span_tail[i];
	fail_msg("nothing was sampled there");
	return NULL;
}

/* One in ten takes 40 % more, in a function of its own. */
static void what_slow_ones_have_is_added_up(void **state)
{
	struct worker w = begin("request");
	uint32_t usual = stack_at(w.t, 0x1000), extra = stack_at(w.t, 0x1100);
	uint64_t seed = 99, planted = 0;
	struct sp_span_count c;
	struct sp_snapshot s;

	(void)state;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		bool slow = next_random(&seed) % 10 == 0;

		planted += slow;
		sp_span_sampled(w.t, usual, MS, 1000000);
		if (slow)
			sp_span_sampled(w.t, extra, MS * 4 / 10, 160000);
		end_one(&w, (slow ? MS * 14 / 10 : MS) + next_random(&seed) % (MS / 10), slow ? 2048 : 1024);
	}
	c = *w.c;
	finish(&w);
	agent_snapshot(&s);
	assert_in_range(c.tail.count, planted * 7 / 10, planted * 12 / 10);
	assert_int_equal(tail_of(&s, usual)->samples, c.tail.count);
	assert_int_equal(tail_of(&s, usual)->weight, c.tail.count * MS);
	assert_true(tail_of(&s, extra)->samples * 10 >= 9 * c.tail.count);
	assert_true(c.tail.bytes * 10 >= 9 * 2048 * c.tail.count);
	assert_int_equal(s.header.spans.tail_lost, 0);
	sp_snapshot_free(&s);
}

/* What all take is slow for none; what a sample takes neither. */
static void those_that_are_alike_are_not_slow(void **state)
{
	struct worker w = begin("request");

	(void)state;
	sp_agent.spool->cpu.clock = SP_CLOCK_EVENT;
	sp_agent.spool->cpu.signal_gap_ns = 30000;
	for (uint32_t i = 0; i < ROUNDS; i++)
		end_one(&w, 5000 + (i % 100 == 0 ? 30000 : 0), 0);
	assert_int_equal(w.c->tail.count, 0);
	finish(&w);
}

static void the_longest_are_kept(void **state)
{
	struct worker w = begin("request");
	uint32_t usual = stack_at(w.t, 0x1000);
	struct sp_snapshot s;
	uint64_t least = UINT64_MAX;

	(void)state;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		sp_span_sampled(w.t, usual, i, 1);
		end_one(&w, (i * 7919ull % ROUNDS + 1) * 1000, i);
	}
	finish(&w);
	agent_snapshot(&s);
	assert_int_equal(s.span_slowest_count, 1 + SP_SPAN_KEPT);
	for (size_t i = 1; i < s.span_slowest_count; i++) {
		const struct sp_span_slowest *k = &s.span_slowest[i];

		least = k->ns < least ? k->ns : least;
		assert_int_equal(k->parts, 1);
		assert_int_equal(k->part[0].stack, usual);
		assert_int_equal(k->part[0].weight, k->bytes);
	}
	assert_int_equal(least, (ROUNDS - SP_SPAN_KEPT + 1) * 1000);
	sp_snapshot_free(&s);
}

static unsigned end_many(unsigned number)
{
	struct worker w = begin("request");

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t stack = stack_at(w.t, 0x1000 + i % 50);

		sp_span_sampled(w.t, stack, 7, 1);
		end_one(&w, (i + 1) * (i + 1) * 10 + number, 0);
	}
	finish(&w);
	return 0;
}

/* Ever longer ones in all threads at once: many are slow, and what is kept is whole. */
static void threads_do_not_disturb_each_other(void **state)
{
	uint64_t weight = 0, count = 0;
	struct sp_snapshot s;

	(void)state;
	assert_int_equal(run_threads(end_many), 0);
	agent_snapshot(&s);
	for (size_t i = 1; i < s.span_count_count; i++)
		count += s.span_counts[i].tail.count;
	for (size_t i = 1; i < s.span_tail_count; i++)
		weight += s.span_tail[i].weight;
	assert_true(count > 100);
	assert_int_equal(weight, 7 * count);
	assert_int_equal(s.span_slowest_count, 1 + SP_SPAN_KEPT);
	for (size_t i = 1; i < s.span_slowest_count; i++)
		assert_int_equal(s.span_slowest[i].parts, 1);
	sp_snapshot_free(&s);
}

/* Far more samples than there is room for: no weight is lost, each kind keeps its own, and what an inner span had is its. */
static void long_ones_keep_what_their_samples_weigh(void **state)
{
	struct worker w = begin("load");
	uint32_t cpu[3], heap, wait;
	uint64_t frames[] = {0x5000, 0x2000}, sums[3] = {0};
	struct sp_walk walk = {.frames = frames, .depth = 2, .flags = SP_STACK_IS_HEAP};
	struct sp_span_thread *open = w.t->spans;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		cpu[i] = stack_at(w.t, 0x1000 + i);
	heap = sp_stacks_intern(w.t, &walk);
	walk.flags |= SP_STACK_IS_WAIT;
	wait = sp_stacks_intern(w.t, &walk);
	for (uint32_t i = 0; i < 1001; i++) {
		sp_span_sampled(w.t, cpu[i % 3], 1000, 1);
		sp_span_sampled(w.t, heap, 10, 1);
		sp_span_sampled(w.t, wait, 100000, 10000);
	}
	sp_span_begin(w.t, sp_span_name(SP_SPAN_PLAIN, "index"));
	for (uint32_t i = 0; i < 500; i++)
		sp_span_sampled(w.t, cpu[i % 3], 1000, 1);
	assert_in_range(open->sampled, 1, SP_SPAN_SAMPLES);
	for (uint32_t i = 0; i < open->sampled; i++)
		sums[open->samples[i].stack == heap              ? 1
				: open->samples[i].stack == wait ? 2
								 : 0] += open->samples[i].weight;
	assert_int_equal(sums[0], 1501000);
	assert_int_equal(sums[1], 10010);
	assert_int_equal(sums[2], 100100000);
	sums[0] = 0;
	for (uint32_t i = open->open[1].sampled; i < open->sampled; i++)
		sums[0] += open->samples[i].weight;
	assert_int_equal(sums[0], 500000);
	finish(&w);
}

/* A thread that was kept from a CPU and never waited has not been slow. */
static void what_others_took_of_the_cpu_is_not_slow(void **state)
{
	struct worker w = begin("request");

	(void)state;
	w.o->measured = 1;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct sp_span_had had = {.ns = i % 5 ? MS : 8 * MS, .usage = {.cpu_ns = MS - 1000}};

		sp_span_compare(w.t, w.t->spans, w.c, w.o, &had);
		w.c->count++;
	}
	assert_true(w.c->tail.count <= ROUNDS / 400);
	w.c->tail.count = 0;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct sp_span_had had = {
			.ns = i % 20 ? MS : 8 * MS, .usage = {.cpu_ns = MS - 1000, .waits = i % 20 == 0}};

		sp_span_compare(w.t, w.t->spans, w.c, w.o, &had);
		w.c->count++;
	}
	assert_in_range(w.c->tail.count, ROUNDS / 30, ROUNDS / 10);
	assert_true(w.c->tail.spread.wait_ns >= 6ull * MS * (ROUNDS / 30));
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_slow_ones_have_is_added_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(those_that_are_alike_are_not_slow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_longest_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_do_not_disturb_each_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_ones_keep_what_their_samples_weigh, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_others_took_of_the_cpu_is_not_slow, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
