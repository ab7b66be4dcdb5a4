/* What event samples and ticks stand for, on made-up figures of a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/cpu/weights.h"

#define MS 1000000u

static struct sp_thread thread;
static struct sp_usage usage;
static ucontext_t context;

/* --- contexts, of each kind of processor */

#if defined(__x86_64__)
static void interrupts_code(void)
{
	context.uc_mcontext.gregs[REG_RIP] = 0x401000;
	context.uc_mcontext.gregs[REG_EFL] = 0x246;
	context.uc_mcontext.gregs[REG_RCX] = 0;
}

static void returns_from_a_call(bool again)
{
	greg_t *r = context.uc_mcontext.gregs;

	r[REG_RCX] = r[REG_RIP] + (again ? 2 : 0);
	r[REG_R11] = r[REG_EFL];
}

static void only_looks_like_a_call(bool flags)
{
	greg_t *r = context.uc_mcontext.gregs;

	r[REG_RCX] = r[REG_RIP] - (flags ? 0 : 2);
	r[REG_R11] = r[REG_EFL] + (flags ? 1 : 0);
}

static void enters_a_handler(int number)
{
	greg_t *r = context.uc_mcontext.gregs;

	r[REG_RSP] = 0x7ffffff8;
	r[REG_RDI] = number;
	r[REG_RSI] = r[REG_RSP] + 312;
	r[REG_RDX] = r[REG_RSP] + 8;
}
#else
/* nop, svc #0, two more nops, svc #1, nop. */
static const uint32_t code[] = {0xd503201f, 0xd4000001, 0xd503201f, 0xd503201f, 0xd4000021, 0xd503201f};

static void is_at(const uint32_t *instruction)
{
	context.uc_mcontext.pc = (uintptr_t)instruction;
}

static void interrupts_code(void)
{
	is_at(&code[3]);
}

static void returns_from_a_call(bool again)
{
	is_at(&code[again ? 1 : 2]);
}

static void only_looks_like_a_call(bool there)
{
	is_at(there ? &code[5] : (const uint32_t *)4096);
}

static void enters_a_handler(int number)
{
	mcontext_t *m = &context.uc_mcontext;

	m->sp = 0x7fffff00;
	m->regs[0] = (uint64_t)number;
	m->regs[1] = m->sp;
	m->regs[2] = m->sp + 128;
}
#endif

static int fresh_thread(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof thread);
	memset(&usage, 0, sizeof usage);
	memset(&context, 0, sizeof context);
	interrupts_code();
	sp_agent.pid = getpid();
	thread.event_page = &thread;
	thread.period_ns = MS;
	return 0;
}

/* The next tick, after so much more user and system time. */
static struct sp_weight tick(uint64_t user_ns, uint64_t sys_ns)
{
	struct sp_weight weight;

	usage.user_ns += user_ns;
	usage.sys_ns += sys_ns;
	weight = sp_weight_tick(&thread, &usage, &context, 1);
	if (weight.user_ns + weight.sys_ns)
		sp_weight_given(&thread, &usage);
	return weight;
}

static void assert_weight(struct sp_weight weight, uint64_t user_ns, uint64_t sys_ns)
{
	assert_int_equal(weight.user_ns, user_ns);
	assert_int_equal(weight.sys_ns, sys_ns);
}

static void a_tick_in_user_mode_leaves_system_time_for_one_in_the_kernel(void **state)
{
	(void)state;
	assert_weight(tick(4 * MS, MS), 0, 0);
	returns_from_a_call(false);
	assert_weight(tick(0, 4 * MS), 0, 5 * MS);
	assert_weight(tick(0, 4 * MS), 0, 4 * MS);
	returns_from_a_call(true);
	assert_weight(tick(MS, 3 * MS), 0, 3 * MS);
}

/* Somebody asks for the thread's times all the time, so that both grow at each tick. */
static void times_that_others_have_read_do_not_tell_the_mode(void **state)
{
	(void)state;
	assert_weight(tick(1900000, 2100000), 0, 0);
	assert_int_equal(thread.interrupts_ns, 0);
	returns_from_a_call(false);
	assert_weight(tick(2100000, 1900000), 0, 4 * MS);
	interrupts_code();
	usage.faults++;
	assert_weight(tick(1900000, 2100000), 0, 2100000);
}

static void interrupts_are_spread_over_event_samples(void **state)
{
	uint64_t spread = 0;

	(void)state;
	/* In the kernel, neither after a system call nor after a page fault. */
	assert_weight(tick(0, 4 * MS), 0, 0);
	assert_int_equal(thread.interrupts_ns, 4 * MS);
	thread.user_drift_ns = 0;
	for (int i = 0; i < 100; i++) {
		struct sp_weight weight = sp_weight_event(&thread);

		assert_int_equal(weight.user_ns, MS);
		assert_in_range(weight.sys_ns, 0, MS); /* no more than its own weight */
		spread += weight.sys_ns;
	}
	assert_in_range(spread, 4 * MS - 16, 4 * MS);
	/* Nothing of it is given a second time. */
	returns_from_a_call(false);
	assert_weight(tick(0, MS), 0, MS);
}

static void a_page_fault_is_the_instruction_s(void **state)
{
	(void)state;
	usage.faults = 7;
	assert_weight(tick(0, 4 * MS), 0, 4 * MS);
	assert_weight(tick(0, 4 * MS), 0, 0); /* the same faults: an interrupt */
	usage.faults++;
	assert_weight(tick(0, 4 * MS), 0, 4 * MS);
}

static void time_that_made_a_signal_is_its_handler_s(void **state)
{
	(void)state;
	enters_a_handler(11);
	assert_weight(tick(0, 4 * MS), 0, 4 * MS);
	enters_a_handler(65);
	assert_weight(tick(0, 4 * MS), 0, 0);
}

/* A thread that is in the kernel at `every`th tick for no call: what its ticks and events are given of 1,000 ticks. */
static uint64_t given_of_uncalled(unsigned every)
{
	uint64_t given = 0;

	for (unsigned i = 0; i < 1000; i++) {
		given += tick(i % every ? 4 * MS : 0, i % every ? 0 : 4 * MS).sys_ns;
		given += i % every ? sp_weight_event(&thread).sys_ns : 0;
	}
	return given;
}

static void many_exceptions_are_no_interrupts(void **state)
{
	(void)state;
	for (unsigned every = 1; every < 4; every++) {
		fresh_thread(NULL);
		assert_in_range(given_of_uncalled(every), 3900 * MS / every, 4000 * MS / every + 4 * MS);
		assert_int_equal(thread.interrupts_ns, 0);
	}
	fresh_thread(NULL);
	given_of_uncalled(10);
	assert_true(thread.interrupts_ns > 0); /* still spread */
}

static void what_only_looks_like_a_call(void **state)
{
	(void)state;
	only_looks_like_a_call(true);
	assert_weight(tick(0, 4 * MS), 0, 0);
	only_looks_like_a_call(false);
	assert_weight(tick(0, 4 * MS), 0, 0);
}

static void event_samples_follow_the_user_time(void **state)
{
	int64_t behind;

	(void)state;
	/* 16 ms used, 8 samples of 1 ms taken: 8 ms behind. */
	thread.user_assigned_ns = 8 * MS;
	tick(16 * MS, 0);
	behind = thread.user_drift_ns;
	assert_int_equal(behind, 8 * MS);
	assert_weight(sp_weight_event(&thread), 2 * MS, 0); /* an eighth of it */
	assert_int_equal(thread.user_drift_ns, 7 * MS);
	thread.user_drift_ns = 80 * (int64_t)MS;
	assert_weight(sp_weight_event(&thread), 4 * MS, 0);
	thread.user_drift_ns = -80 * (int64_t)MS;
	assert_weight(sp_weight_event(&thread), MS / 2, 0);
	thread.first_sample = true;
	thread.first_weight_ns = 3 * MS;
	thread.user_drift_ns = 0;
	assert_weight(sp_weight_event(&thread), 3 * MS, 0);
}

static void without_an_event_a_tick_carries_both(void **state)
{
	(void)state;
	thread.event_page = NULL;
	assert_weight(tick(3 * MS, MS), 3 * MS, MS);
	assert_weight(tick(4 * MS, 0), 4 * MS, 0);
	usage.user_ns += 2 * MS;
	assert_weight(sp_weight_tick(&thread, &usage, &context, 3 * MS), 0, 0); /* too little: kept */
	assert_weight(tick(2 * MS, 0), 4 * MS, 0);
}

/* A tick that comes after several others is told by what it has added itself. */
static void a_rare_tick_goes_by_the_look_before_it(void **state)
{
	(void)state;
	usage.user_ns += 12 * MS;
	usage.faults++;
	sp_weight_look(&thread, &usage);
	assert_true(thread.looked);
	assert_weight(tick(0, 4 * MS), 0, 0); /* the faults were before: an interrupt */
	assert_false(thread.looked);
	usage.user_ns += 12 * MS;
	sp_weight_look(&thread, &usage);
	usage.faults++;
	assert_weight(tick(0, 4 * MS), 0, 4 * MS);
}

static bool is_calm_after(unsigned ticks, unsigned of_which_kernel)
{
	for (unsigned i = 0; i < ticks; i++) {
		tick(i < of_which_kernel ? 0 : 4 * MS, i < of_which_kernel ? 4 * MS : 0);
		sp_weight_judge(&thread, &usage);
	}
	return thread.calm;
}

static void a_thread_without_system_time_is_calm(void **state)
{
	(void)state;
	assert_false(is_calm_after(31, 0)); /* that is not known at once */
	assert_true(is_calm_after(1, 0));
	assert_false(is_calm_after(32, 1));
	assert_true(is_calm_after(32, 0));
	fresh_thread(NULL);
	assert_false(is_calm_after(32, 32));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_tick_in_user_mode_leaves_system_time_for_one_in_the_kernel, fresh_thread),
		cmocka_unit_test_setup(times_that_others_have_read_do_not_tell_the_mode, fresh_thread),
		cmocka_unit_test_setup(interrupts_are_spread_over_event_samples, fresh_thread),
		cmocka_unit_test_setup(a_page_fault_is_the_instruction_s, fresh_thread),
		cmocka_unit_test_setup(time_that_made_a_signal_is_its_handler_s, fresh_thread),
		cmocka_unit_test_setup(many_exceptions_are_no_interrupts, fresh_thread),
		cmocka_unit_test_setup(what_only_looks_like_a_call, fresh_thread),
		cmocka_unit_test_setup(event_samples_follow_the_user_time, fresh_thread),
		cmocka_unit_test_setup(without_an_event_a_tick_carries_both, fresh_thread),
		cmocka_unit_test_setup(a_rare_tick_goes_by_the_look_before_it, fresh_thread),
		cmocka_unit_test_setup(a_thread_without_system_time_is_calm, fresh_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
