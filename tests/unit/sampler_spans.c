/* Spans: what threads count is exact, and what the reader takes is what they counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/spool/read.h"
#include "sampler/spans/async.h"
#include "sampler/spans/names.h"
#include "sampler/spans/spans.h"
#include "sampler/spool/stacks.h"
#include "sampler/threads/thread.h"
#include "tests/unit/sampler_spool.h"

#define ROUNDS 400u
#define NAMES 100u /* more than a thread remembers */

static int set_up(void **state)
{
	(void)state;
	sp_span_names_forget();
	sp_async_forked();
	return agent_open("/tmp", 2000);
}

static int tear_down(void **state)
{
	(void)state;
	agent_close();
	return 0;
}

static struct sp_thread *begin_thread(void)
{
	struct sp_thread *t = sp_block_take();

	sp_thread_adopt(t, 0, 0, 0);
	return t;
}

static void end_thread(struct sp_thread *t)
{
	sp_thread_release(t);
	sp_tls = (struct sp_tls){0}; /* as a new thread would find it */
}

static uint32_t number_of(const char *text)
{
	return sp_span_name(SP_SPAN_PLAIN, text);
}

static uint32_t numbered(unsigned i)
{
	char text[32];

	snprintf(text, sizeof(text), "name %u", i % NAMES);
	return number_of(text);
}

static const char *text_of(const struct sp_snapshot *s, uint32_t node)
{
	return sp_snapshot_text(s, s->span_names[s->span_nodes[node].name].text);
}

/* The sum over all nodes of that name; outer: of the node it stands in, NULL any. */
static struct sp_span_count sum(const struct sp_snapshot *s, const char *name, const char *outer)
{
	struct sp_span_count all = {0};

	for (size_t i = 1; i < s->span_count_count; i++) {
		const struct sp_span_count *c = &s->span_counts[i];
		uint32_t parent = s->span_nodes[c->node].parent;

		if (!c->node || strcmp(text_of(s, c->node), name) != 0 ||
			(outer && (!parent || strcmp(text_of(s, parent), outer) != 0)))
			continue;
		all.count += c->count;
		all.sum_ns += c->sum_ns;
		all.self_ns += c->self_ns;
		all.unended += c->unended;
		all.slow += c->slow;
		all.bytes += c->bytes;
		all.allocs += c->allocs;
	}
	return all;
}

static unsigned nest(unsigned number)
{
	unsigned i, errors = 0;

	(void)number;
	for (i = 0; i < ROUNDS; i++) {
		struct sp_thread *t = begin_thread();
		unsigned k;

		for (k = 0; k < 10; k++) {
			sp_span_begin(t, number_of("outer"));
			sp_span_begin(t, numbered(i + k));
			errors += t->span_node == 0;
			sp_span_end(t, numbered(i + k), 0, NULL);
			sp_span_end(t, number_of("outer"), 0, NULL);
			errors += t->span_node != 0;
		}
		end_thread(t);
	}
	return errors;
}

static void threads_count_exactly_and_leave_their_records_to_others(void **state)
{
	struct sp_snapshot s;
	uint64_t inner = 0;

	(void)state;
	assert_int_equal(run_threads(nest), 0);
	agent_snapshot(&s);
	assert_int_equal(sum(&s, "outer", NULL).count, 10 * ROUNDS * TEST_THREADS);
	for (unsigned i = 0; i < NAMES; i++) {
		char text[32];

		snprintf(text, sizeof(text), "name %u", i);
		inner += sum(&s, text, "outer").count;
	}
	assert_int_equal(inner, 10 * ROUNDS * TEST_THREADS);
	assert_true(s.span_count_count <= 1 + (NAMES + 1) * TEST_THREADS);
	assert_true(s.span_thread_count <= 1 + TEST_THREADS);
	assert_int_equal(s.header.spans.uncounted, 0);
	assert_int_equal(s.header.spans.stray, 0);
	sp_snapshot_free(&s);
}

static void what_was_begun_inside_ends_with_it(void **state)
{
	struct sp_thread *t = begin_thread();
	uint32_t a = number_of("a"), b = number_of("b"), c = number_of("c");
	struct sp_snapshot s;

	(void)state;
	sp_span_begin(t, a);
	sp_span_begin(t, b);
	sp_span_begin(t, c);
	sp_span_end(t, a, 0, NULL);
	assert_int_equal(t->span_node, 0);
	sp_span_end(t, b, 0, NULL); /* of nothing that is open */
	sp_span_begin(t, b);
	end_thread(t);
	agent_snapshot(&s);
	assert_int_equal(sum(&s, "a", NULL).count, 1);
	assert_int_equal(sum(&s, "a", NULL).unended, 0);
	assert_int_equal(sum(&s, "b", "a").unended, 1);
	assert_int_equal(sum(&s, "c", "b").unended, 1);
	assert_int_equal(sum(&s, "b", NULL).count, 2);
	assert_int_equal(sum(&s, "b", NULL).unended, 2);
	assert_int_equal(s.header.spans.stray, 1);
	sp_snapshot_free(&s);
}

static void those_too_deep_are_left_out_and_end_where_they_should(void **state)
{
	struct sp_thread *t = begin_thread();
	uint32_t name = number_of("deep"), i;
	struct sp_snapshot s;

	(void)state;
	for (i = 0; i < SP_SPAN_DEPTH + 5; i++)
		sp_span_begin(t, name);
	for (i = 0; i < SP_SPAN_DEPTH + 5; i++)
		sp_span_end(t, name, 0, NULL);
	assert_int_equal(t->span_node, 0);
	end_thread(t);
	agent_snapshot(&s);
	assert_int_equal(sum(&s, "deep", NULL).count, SP_SPAN_DEPTH);
	assert_int_equal(s.header.spans.too_deep, 5);
	assert_int_equal(s.header.spans.stray, 0);
	sp_snapshot_free(&s);
}

static void those_too_deep_end_with_what_they_are_in(void **state)
{
	struct sp_thread *t = begin_thread();
	uint32_t outer = number_of("outer"), deep = number_of("deep"), deeper = number_of("deeper"), i;
	struct sp_snapshot s;

	(void)state;
	sp_span_begin(t, outer);
	for (i = 0; i < SP_SPAN_DEPTH + 5; i++)
		sp_span_begin(t, i < SP_SPAN_DEPTH ? deep : deeper);
	sp_span_end(t, number_of("never begun"), 0, NULL);
	sp_span_end(t, deeper, 0, NULL);
	sp_span_end(t, outer, 0, NULL); /* a jump has left all others */
	assert_int_equal(t->span_node, 0);
	for (i = 0; i < 3; i++) {
		sp_span_begin(t, deep);
		sp_span_end(t, deep, 0, NULL);
	}
	assert_int_equal(t->span_node, 0);
	end_thread(t);
	agent_snapshot(&s);
	assert_int_equal(sum(&s, "outer", NULL).count, 1);
	assert_int_equal(sum(&s, "outer", NULL).unended, 0);
	assert_int_equal(sum(&s, "deep", NULL).count, SP_SPAN_DEPTH - 1 + 3);
	assert_int_equal(sum(&s, "deep", NULL).unended, SP_SPAN_DEPTH - 1);
	assert_int_equal(s.header.spans.stray, 1);
	sp_snapshot_free(&s);
}

static void a_handler_is_refused_in_the_middle_and_its_jump_ends_nothing(void **state)
{
	struct sp_thread *t = begin_thread();
	struct sp_snapshot s;

	(void)state;
	sp_span_begin(t, number_of("a"));
	t->span_busy_at = (uintptr_t)__builtin_frame_address(0) +
		256; /* as an interrupted one further out on the stack has left it */
	sp_span_begin(t, number_of("in handler"));
	assert_false(sp_span_end(t, number_of("in handler"), 0, NULL));
	t->span_busy_at -= 300000; /* as one further in, which a jump has left */
	sp_span_begin(t, number_of("b"));
	sp_span_end(t, number_of("b"), 0, NULL);
	sp_span_end(t, number_of("a"), 0, NULL);
	assert_int_equal(t->span_busy_at, 0);
	end_thread(t);
	agent_snapshot(&s);
	assert_int_equal(sum(&s, "b", "a").count, 1);
	assert_int_equal(sum(&s, "a", NULL).count, 1);
	assert_int_equal(sum(&s, "in handler", NULL).count, 0);
	assert_int_equal(s.header.spans.uncounted, 1);
	sp_snapshot_free(&s);
}

static void what_is_open_can_be_read(void **state)
{
	struct sp_thread *t = begin_thread();
	struct sp_snapshot s;
	size_t open = 0;

	(void)state;
	sp_span_begin(t, number_of("load"));
	sp_span_begin(t, number_of("index"));
	agent_snapshot(&s);
	for (size_t i = 1; i < s.span_thread_count; i++) {
		if (!s.span_threads[i].depth)
			continue;
		open++;
		assert_int_equal(s.span_threads[i].depth, 2);
		assert_string_equal(text_of(&s, s.span_threads[i].open[0].node), "load");
		assert_string_equal(text_of(&s, s.span_threads[i].open[1].node), "index");
	}
	assert_int_equal(open, 1);
	sp_snapshot_free(&s);
	end_thread(t);
}

/* The same addresses in two spans are two stacks, each in its own. */
static void samples_are_in_the_innermost_span(void **state)
{
	struct sp_thread *t = begin_thread();
	uint64_t frames[] = {0x1000, 0x2000};
	struct sp_walk walk = {.frames = frames, .depth = 2};
	uint32_t outside = sp_stacks_intern(t, &walk), inside, labelled;
	struct sp_snapshot s;

	(void)state;
	sp_span_begin(t, number_of("request"));
	inside = sp_stacks_intern(t, &walk);
	sp_span_label(t, sp_span_name(SP_SPAN_LABEL, "kind=get"));
	labelled = sp_stacks_intern(t, &walk);
	assert_int_equal(sp_stacks_intern(t, &walk), labelled);
	sp_span_end(t, number_of("request"), 0, NULL);
	assert_int_equal(sp_stacks_intern(t, &walk), outside);
	end_thread(t);
	agent_snapshot(&s);
	assert_int_equal(s.stacks[outside].span, 0);
	assert_string_equal(text_of(&s, s.stacks[inside].span), "request");
	assert_string_equal(text_of(&s, s.stacks[labelled].span), "kind=get");
	assert_int_equal(s.span_nodes[s.stacks[labelled].span].parent, s.stacks[inside].span);
	assert_int_equal(sum(&s, "request", NULL).count, 1);
	sp_snapshot_free(&s);
}

static uint32_t label(struct sp_thread *t, const char *text)
{
	sp_span_label(t, sp_span_name(SP_SPAN_LABEL, text));
	return t->span_node;
}

static void a_label_takes_the_place_of_one_with_its_key(void **state)
{
	struct sp_thread *t = begin_thread();
	uint32_t get, put, by_two, i;
	struct sp_snapshot s;
	char text[32];

	(void)state;
	sp_span_begin(t, number_of("request"));
	get = label(t, "kind=get");
	put = label(t, "kind=put");
	assert_int_equal(label(t, "kind=get"), get);
	by_two = label(t, "user=x");
	assert_int_not_equal(label(t, "kind=put"), by_two);
	assert_int_equal(label(t, "kind=get"), by_two);
	assert_int_not_equal(label(t, "kinds=get"), by_two);
	for (i = 0; i < 10000; i++)
		label(t, i % 2 ? "kind=get" : "kind=put");
	agent_snapshot(&s);
	assert_int_equal(s.span_nodes[get].parent, s.span_nodes[put].parent);
	assert_true(s.span_node_count < 12);
	assert_int_equal(s.header.spans.uncounted, 0);
	sp_snapshot_free(&s);
	for (i = 0; i < SP_SPAN_LABELS; i++) {
		snprintf(text, sizeof(text), "key %u=1", i);
		label(t, text);
	}
	assert_int_equal(sp_agent.spool->spans.uncounted, 3); /* it had three */
	sp_span_end(t, number_of("request"), 0, NULL);
	assert_int_equal(t->span_node, 0);
	end_thread(t);
}

static void times_are_shared_out_and_bytes_counted(void **state)
{
	struct sp_thread *t = begin_thread();
	uint32_t outer = number_of("outer"), inner = number_of("inner");
	struct sp_span_count all, part;
	struct sp_snapshot s;
	uint64_t now_ns;

	(void)state;
	do { /* at one moment: another may have the processor between the two */
		sp_agent.start_tsc = sp_tsc();
		now_ns = sp_now_ns();
	} while (sp_tsc() - sp_agent.start_tsc > 200000);
	sp_agent.start_monotonic_ns += now_ns;
	usleep(2000);
	sp_calibrate_tsc();
	sp_span_begin(t, outer);
	usleep(20000);
	sp_span_begin(t, inner);
	t->tls->heap.bytes_base += 4096;
	t->tls->heap.allocs++;
	usleep(30000);
	sp_span_end(t, inner, 1000000, NULL);
	sp_span_end(t, outer, 0, NULL);
	end_thread(t);
	agent_snapshot(&s);
	all = sum(&s, "outer", NULL);
	part = sum(&s, "inner", "outer");
	assert_true(part.sum_ns >= 29000000);
	assert_true(all.sum_ns >= part.sum_ns + 19000000);
	assert_true(all.self_ns >= 19000000 && all.self_ns + part.sum_ns <= all.sum_ns + 1000);
	assert_int_equal(part.slow, 1);
	assert_int_equal(all.slow, 0);
	assert_int_equal(all.bytes, 4096);
	assert_int_equal(part.allocs, 1);
	sp_snapshot_free(&s);
}

static unsigned begin_and_let_end(unsigned number)
{
	struct sp_thread *t = begin_thread();
	uint32_t name = sp_span_name(SP_SPAN_ASYNC, "job");

	for (uint64_t id = number; id < 20000; id += TEST_THREADS) {
		sp_async_begin(name, id);
		if (id >= TEST_THREADS) /* which this or another thread has begun */
			sp_async_end(t, name, id - TEST_THREADS);
	}
	end_thread(t);
	return 0;
}

static void others_may_end_what_one_began(void **state)
{
	struct sp_snapshot s;

	(void)state;
	assert_int_equal(run_threads(begin_and_let_end), 0);
	agent_snapshot(&s);
	assert_int_equal(sum(&s, "job", NULL).count, 20000 - TEST_THREADS);
	assert_int_equal(s.header.spans.stray + s.header.spans.uncounted, 0);
	sp_snapshot_free(&s);
}

static unsigned end_one(unsigned number)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sp_thread *t = begin_thread();
		uint32_t name = sp_span_name(SP_SPAN_ASYNC, "job");

		sp_async_begin(name, (uint64_t)number << 32 | i);
		sp_async_end(t, name, (uint64_t)number << 32 | i);
		end_thread(t);
	}
	return 0;
}

static void threads_that_only_end_what_others_began_give_their_records_back(void **state)
{
	struct sp_snapshot s;

	(void)state;
	assert_int_equal(run_threads(end_one), 0);
	agent_snapshot(&s);
	assert_int_equal(sum(&s, "job", NULL).count, ROUNDS * TEST_THREADS);
	assert_true(s.span_count_count <= 1 + TEST_THREADS);
	sp_snapshot_free(&s);
}

static void times_have_classes_that_hold_them(void **state)
{
	(void)state;
	for (uint64_t ns = 0; ns < 100000; ns++) {
		uint32_t class = sp_span_class(ns);

		assert_true(sp_span_class_ns(class) <= ns && ns < sp_span_class_ns(class + 1));
	}
	assert_int_equal(sp_span_class(UINT64_MAX), SP_SPAN_CLASSES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(threads_count_exactly_and_leave_their_records_to_others, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(what_was_begun_inside_ends_with_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_handler_is_refused_in_the_middle_and_its_jump_ends_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(those_too_deep_end_with_what_they_are_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(those_too_deep_are_left_out_and_end_where_they_should, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(what_is_open_can_be_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(samples_are_in_the_innermost_span, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_label_takes_the_place_of_one_with_its_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(times_are_shared_out_and_bytes_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others_may_end_what_one_began, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_that_only_end_what_others_began_give_their_records_back, set_up,
			tear_down),
		cmocka_unit_test(times_have_classes_that_hold_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
