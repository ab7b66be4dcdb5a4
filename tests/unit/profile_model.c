/* From spool to sums: totals under recursion, explicit rows, epochs, error bars. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiles/model/tree.h"
#include "tests/unit/profile_model.h"

static uint64_t self_ms(const char *name)
{
	return (function(name)->self_user_ns + function(name)->self_sys_ns) / 1000000;
}

static uint64_t total_ms(const char *name)
{
	return (function(name)->total_user_ns + function(name)->total_sys_ns) / 1000000;
}

static void self_and_total(void **state)
{
	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 1)), 30 * MS, 0);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(2, 1)), 0, 10 * MS);
	load();
	assert_int_equal(self_ms("prog+0x30"), 30);
	assert_int_equal(self_ms("prog+0x20"), 10);
	assert_int_equal(self_ms("prog+0x10"), 0);
	assert_int_equal(total_ms("prog+0x20"), 40);
	assert_int_equal(total_ms("prog+0x10"), 40);
	assert_int_equal(function("prog+0x20")->self_sys_ns, 10000000);
	assert_int_equal(profile->total_ns, 40000000);
}

static void recursion_counts_once(void **state)
{
	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(2, 2, 2, 2, 1)), 8 * MS, 0);
	load();
	assert_int_equal(self_ms("prog+0x20"), 8);
	assert_int_equal(total_ms("prog+0x20"), 8);
	assert_int_equal(function("prog+0x20")->total_samples, 1);
}

static void mutual_recursion_counts_once(void **state)
{
	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(2, 3, 2, 3, 2, 1)), 5 * MS, 0);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 3, 1)), 5 * MS, 0);
	load();
	assert_int_equal(total_ms("prog+0x20"), 10);
	assert_int_equal(total_ms("prog+0x30"), 10);
	assert_int_equal(self_ms("prog+0x20") + self_ms("prog+0x30"), 10);
}

static void a_cycle_is_one_round_in_the_tree(void **state)
{
	struct sp_sequences s;
	struct sp_tree_node *nodes;
	size_t count, all;

	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 3, 2, 3, 2, 1)), 5 * MS, 0);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 1)), 5 * MS, 0);
	load();
	sp_sequences_build(&s, profile, SP_TREE_CPU);
	assert_int_equal(s.count, 1);
	nodes = sp_tree_build(&s, 1, 0, &count, &all);
	assert_int_equal(count, 3);
	assert_false(nodes[0].repeated);
	assert_true(nodes[1].repeated);
	assert_int_equal(nodes[0].total, 10000000);
	assert_int_equal(nodes[2].self, 10000000);
	free(nodes);
	nodes = sp_tree_build(&s, 1, 2, &count, &all);
	assert_int_equal(count, 2);
	assert_int_equal(nodes[1].depth, 1);
	free(nodes);
	sp_sequences_free(&s);
}

/* The sequence of so many steps, of which there is one. */
static const struct sp_sequence *sequence(const struct sp_sequences *s, uint32_t depth)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].depth == depth)
			return &s->items[i];
	fail_msg("no sequence of %u steps", depth);
	return NULL;
}

static void a_cycle_in_one_stack_is_none_in_its_neighbour(void **state)
{
	struct sp_sequences s;

	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(2, 2, 1)), 5 * MS, 0);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 2, 1)), 5 * MS, 0);
	load();
	sp_sequences_build(&s, profile, SP_TREE_CPU);
	assert_int_equal(s.count, 2);
	assert_true(s.repeated[sequence(&s, 2)->first + 1]);
	assert_false(s.repeated[sequence(&s, 3)->first + 1]);
	sp_sequences_free(&s);
}

static void an_allocator_at_the_end_of_one_stack_is_inside_of_another(void **state)
{
	struct sp_sequences s;

	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(2, 4, 1)), 5 * MS, 0);
	spool_sample(&spool, spool_stack(&spool, 0, STACK(3, 4, 1)), 5 * MS, 0);
	load();
	for (size_t i = 0; i < profile->path_count; i++)
		profile->paths[i].alloc_bytes = profile->paths[i].user_ns;
	for (size_t i = 0; i < profile->frame_count; i++) {
		const char *name = profile->functions[profile->frames[i].function].name;

		profile->frames[i].allocator = strcmp(name, "prog+0x40") == 0 || strcmp(name, "prog+0x30") == 0;
	}
	sp_sequences_build(&s, profile, SP_TREE_ALLOCATED);
	assert_int_equal(s.count, 2);
	assert_int_equal(sequence(&s, 3)->weight, sequence(&s, 1)->weight);
	sp_sequences_free(&s);
}

static void all_time_is_accounted_for(void **state)
{
	uint64_t sum = 0;

	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(2, 1)), 60 * MS, 0);
	spool_sample(&spool, spool_stack(&spool, SP_STACK_BROKEN, STACK(4)), 20 * MS, 0);
	spool_sample(&spool, 0, 10 * MS, 0); /* the overflow stack */
	spool.header->cpu.self_user_ns += 7000000 + 3000000;
	spool.header->cpu.before_user_ns = 3000000;
	load();
	assert_int_equal(self_ms("[unsampled]"), 7);
	assert_int_equal(self_ms("[before sampling]"), 3);
	assert_int_equal(self_ms("[overflow]"), 10);
	assert_int_equal(total_ms("[truncated]"), 20);
	assert_int_equal(self_ms("[truncated]"), 0);
	for (size_t i = 0; i < profile->function_count; i++)
		sum += profile->functions[i].self_user_ns + profile->functions[i].self_sys_ns;
	assert_int_equal(sum, 100000000);
	assert_int_equal(profile->total_ns, profile->cpu_user_ns + profile->cpu_sys_ns);
}

/* System ticks may claim what was user time: the sum stays what the kernel says. */
static void a_surplus_of_one_clock_is_taken_from_the_other(void **state)
{
	(void)state;
	spool_sample(&spool, spool_stack(&spool, 0, STACK(1)), 50 * MS, 20 * MS);
	spool.header->cpu.self_user_ns = 75000000;
	spool.header->cpu.self_sys_ns = 10000000;
	load();
	assert_int_equal(self_ms("[unsampled]"), 15);
	assert_int_equal(profile->total_ns, 85000000);
}

static void an_address_belongs_to_the_module_of_its_epoch(void **state)
{
	static const uint64_t address[] = {0x7000010};

	(void)state;
	spool_module(&spool, "/nowhere/old.so", 0x7000000, 0x7001000, 0, 5);
	spool_module(&spool, "/nowhere/new.so", 0x7000000, 0x7001000, 5, UINT64_MAX);
	spool_sample(&spool, spool_addresses(&spool, 0, 4, address, 1), 1 * MS, 0);
	spool_sample(&spool, spool_addresses(&spool, 0, 5, address, 1), 2 * MS, 0);
	load();
	assert_int_equal(self_ms("old.so+0x10"), 1);
	assert_int_equal(self_ms("new.so+0x10"), 2);
}

static void a_library_loaded_twice_is_one_row(void **state)
{
	static const uint64_t a[] = {0x7000010}, b[] = {0x9000010};

	(void)state;
	spool_module(&spool, "/nowhere/plugin.so", 0x7000000, 0x7001000, 0, 5);
	spool_module(&spool, "/nowhere/plugin.so", 0x9000000, 0x9001000, 5, UINT64_MAX);
	spool_sample(&spool, spool_addresses(&spool, 0, 4, a, 1), 1 * MS, 0);
	spool_sample(&spool, spool_addresses(&spool, 0, 5, b, 1), 2 * MS, 0);
	load();
	assert_int_equal(self_ms("plugin.so+0x10"), 3);
}

static void the_profiler_s_time_is_its_own(void **state)
{
	static const uint64_t own_leaf[] = {0x5000010, SPOOL_BASE + 0x11, SPOOL_BASE + 0x21};
	static const uint64_t interrupted[] = {SPOOL_BASE + 0x10, SPOOL_BASE + 0x21};

	(void)state;
	spool_module(&spool, "/nowhere/libsmartprof.so", 0x5000000, 0x5001000, 0, UINT64_MAX);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, own_leaf, 3), 4 * MS, 0);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, own_leaf, 1), 1 * MS, 0);
	spool_sample(&spool, spool_addresses(&spool, SP_STACK_OWN, 1, interrupted, 2), 2 * MS, 0);
	load();
	assert_int_equal(self_ms("prog+0x10"), 4);
	assert_int_equal(total_ms("prog+0x10"), 6);
	assert_int_equal(self_ms("[smartprof]"), 3);
}

static void system_libraries_fold(void **state)
{
	static const uint64_t frames[] = {0x7000010, 0x7000020, 0x8000010, 0x7000030, SPOOL_BASE + 0x11};

	(void)state;
	spool.header->text.settings = spool_text(&spool, "system_libraries\toff\tdefault\n");
	spool_module(&spool, "/lib/nowhere/liba.so.1", 0x7000000, 0x7001000, 0, UINT64_MAX);
	spool_module(&spool, "/usr/lib/nowhere/libb.so", 0x8000000, 0x8001000, 0, UINT64_MAX);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, frames, 5), 4 * MS, 0);
	load();
	assert_int_equal(self_ms("[liba.so.1]"), 4);
	assert_int_equal(total_ms("[liba.so.1]"), 4);
	assert_int_equal(total_ms("[libb.so]"), 4);
	assert_int_equal(total_ms("prog+0x10"), 4);
	assert_int_equal(profile->paths[1].depth, 4); /* the two liba frames at the leaf are one */
}

static void fold_system_libraries(void)
{
	spool.header->text.settings = spool_text(&spool, "system_libraries\toff\tdefault\n");
	spool_module(&spool, "/lib/nowhere/libc.so.6", 0x7000000, 0x7001000, 0, UINT64_MAX);
	spool_module(&spool, "[vdso]", 0x8000000, 0x8001000, 0, UINT64_MAX);
}

static void the_start_of_a_stack_is_left_out_of_its_library(void **state)
{
	static const uint64_t leaf[] = {0x7000010, SPOOL_BASE + 0x21, 0x7000021, SPOOL_BASE + 0x11};
	static const uint64_t thread[] = {SPOOL_BASE + 0x20, 0x7000031, 0x7000041};
	static const uint64_t alone[] = {0x8000010, 0x7000031};
	static const uint64_t broken[] = {SPOOL_BASE + 0x20, 0x7000031};

	(void)state;
	fold_system_libraries();
	spool_sample(&spool, spool_addresses(&spool, 0, 1, leaf, 4), 4 * MS, 0);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, thread, 3), 8 * MS, 0);
	load();
	assert_int_equal(total_ms("[libc.so.6]"), 4);
	assert_int_equal(total_ms("prog+0x20"), 12);
	assert_int_equal(total_ms("prog+0x10"), 4);
	sp_profile_free(profile);
	profile = NULL;
	sp_snapshot_free(&snapshot);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, alone, 2), 16 * MS, 0);
	spool_sample(&spool, spool_addresses(&spool, SP_STACK_BROKEN, 1, broken, 2), 32 * MS, 0);
	load();
	assert_int_equal(self_ms("[vdso]"), 16);
	assert_int_equal(total_ms("[libc.so.6]"), 4 + 16 + 32);
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void a_running_process_has_run_until_now(void **state)
{
	struct sp_spool_header *h = spool.header;
	uint64_t before_ns;

	(void)state;
	h->state = SP_STATE_RUNNING;
	h->end_ns = 0;
	h->now_ns = 1000000;
	h->start_monotonic_ns = monotonic_ns() / 2;
	h->locked = 0; /* so that nobody can tell: it counts as living */
	before_ns = monotonic_ns() - h->start_monotonic_ns;
	load();
	assert_true(profile->running && !profile->end_unknown);
	assert_true(profile->wall_ns >= before_ns && profile->wall_ns <= monotonic_ns() - h->start_monotonic_ns);
}

static void a_start_in_the_future_is_not_believed(void **state)
{
	struct sp_spool_header *h = spool.header;

	(void)state;
	h->state = SP_STATE_RUNNING;
	h->end_ns = 0;
	h->now_ns = 1000000;
	h->start_monotonic_ns = UINT64_MAX - 5;
	h->locked = 0; /* so that nobody can tell: it counts as living */
	load();
	assert_true(profile->running);
	assert_int_equal(profile->wall_ns, 1000000);
}

static void a_dead_process_has_run_until_its_last_sample(void **state)
{
	(void)state;
	spool.header->state = SP_STATE_RUNNING;
	spool.header->end_ns = 0;
	spool.header->now_ns = 1000000;
	spool.header->pid = getpid();
	load();
	assert_true(!profile->running && profile->end_unknown);
	assert_int_equal(profile->wall_ns, 1000000);
}

static void functions_and_modules_get_their_error_bars(void **state)
{
	uint32_t a = spool_stack(&spool, 0, STACK(1, 3)), b = spool_stack(&spool, 0, STACK(2, 3));
	const struct sp_function *f;

	(void)state;
	for (int i = 0; i < 400; i++)
		spool_sample(&spool, i % 4 ? b : a, 1 * MS, 0);
	load();
	f = function("prog+0x10");
	assert_true(f->self_error > 0.04 && f->self_error < 0.05); /* 1.96 sqrt(p(1-p)/400) = 0.042 */
	assert_true(f->total_error == f->self_error);
	f = function("prog+0x30");
	assert_true(f->self_error == 0 && f->total_error > 0 && f->total_error < 0.01);
	assert_true(profile->modules[f->module].self_error == f->total_error); /* both have every sample */
}

/* The path of a stack as "outermost function first". */
static const char *path_text(uint32_t stack)
{
	static char text[1024];
	const struct sp_path *path = &profile->paths[stack];
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = path->depth; i-- > 0;)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
			profile->functions[profile->frames[profile->frame_ids[path->first + i]].function].name,
			i ? " " : "");
	return text;
}

/* A stack that ends early goes on with its thread's entry function and what calls that elsewhere,
 * also when it was met before a complete one. The entry is an address in the function: here its
 * first byte, at which a return address would belong to the function before. */
static void a_stack_cut_off_meets_the_others_at_the_root(void **state)
{
	uint64_t cut[] = {SPOOL_BASE + 0x30, SPOOL_BASE + 0x41, SPOOL_BASE + 0x20};
	uint64_t whole[] = {SPOOL_BASE + 0x30, SPOOL_BASE + 0x21, 0x7000011, 0x7000021, SPOOL_BASE + 0x11};
	uint64_t elsewhere[] = {SPOOL_BASE + 0x30, 0x7200000};
	uint32_t a, b, c, late;

	(void)state;
	spool.header->text.exe = spool_text(&spool, SPOOL_PROGRAM);
	spool_module(&spool, "/lib/nowhere/libc.so.6", 0x7000000, 0x7100000, 0, UINT64_MAX);
	spool_module(&spool, "/nowhere/plugin.so", 0x7200000, 0x7300000, 0, UINT64_MAX);
	a = spool_addresses(&spool, SP_STACK_TRUNCATED | SP_STACK_ENTRY, 1, cut, 3);
	b = spool_addresses(&spool, 0, 1, whole, 5);
	c = spool_addresses(&spool, SP_STACK_BROKEN | SP_STACK_ENTRY, 1, elsewhere, 2);
	late = spool_addresses(&spool, SP_STACK_LATE | SP_STACK_ENTRY, 1, cut, 3);
	for (uint32_t i = a; i <= late; i++)
		spool_sample(&spool, i, MS, 0);
	load();
	assert_string_equal(path_text(b), "prog+0x10 libc.so.6+0x20 libc.so.6+0x10 prog+0x20 prog+0x30");
	assert_string_equal(path_text(a),
		"prog+0x10 libc.so.6+0x20 libc.so.6+0x10 prog+0x20 [truncated] prog+0x40 prog+0x30");
	assert_string_equal(path_text(c), "plugin.so+0x0 [truncated] prog+0x30");
	assert_string_equal(path_text(late), path_text(a));
	assert_int_equal(profile->truncated_ns, 3000000);
}

static void code_outside_of_files_is_one_unknown_row(void **state)
{
	uint64_t first[] = {0x9000010}, second[] = {0x9000020};

	(void)state;
	spool_sample(&spool, spool_addresses(&spool, 0, 1, first, 1), 3 * MS, 0);
	spool_sample(&spool, spool_addresses(&spool, 0, 1, second, 1), 4 * MS, 0);
	load();
	assert_int_equal(self_ms("[unknown]"), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(self_and_total),
		TEST(recursion_counts_once),
		TEST(mutual_recursion_counts_once),
		TEST(a_cycle_is_one_round_in_the_tree),
		TEST(a_cycle_in_one_stack_is_none_in_its_neighbour),
		TEST(an_allocator_at_the_end_of_one_stack_is_inside_of_another),
		TEST(all_time_is_accounted_for),
		TEST(a_surplus_of_one_clock_is_taken_from_the_other),
		TEST(an_address_belongs_to_the_module_of_its_epoch),
		TEST(a_library_loaded_twice_is_one_row),
		TEST(the_profiler_s_time_is_its_own),
		TEST(system_libraries_fold),
		TEST(the_start_of_a_stack_is_left_out_of_its_library),
		TEST(a_running_process_has_run_until_now),
		TEST(a_start_in_the_future_is_not_believed),
		TEST(a_dead_process_has_run_until_its_last_sample),
		TEST(functions_and_modules_get_their_error_bars),
		TEST(a_stack_cut_off_meets_the_others_at_the_root),
		TEST(code_outside_of_files_is_one_unknown_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
