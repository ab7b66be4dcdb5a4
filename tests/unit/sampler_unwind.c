/* Walking stacks: the same frames as libunwind finds, in and outside of handlers, and no faith in a
 * frame pointer that is none. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "sampler/walk/cfi.h"
#include "sampler/walk/frame.h"
#include "sampler/walk/unwind.h"
#include "sampler/walk/walker.h"

static struct sp_thread thread;
static struct sp_spool_header header;
static unsigned compared, differing, cut;
static uint64_t differing_ip;

static int set_up(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof(thread));
	thread.tls = &sp_tls;
	thread.tid = sp_agent.pid = getpid();
	sp_agent.spool = &header;
	sp_agent.tsc_per_us_x1024 = 2560000000; /* a clock so slow that no walk is late */
	sp_unwind_init(getauxval(AT_ENTRY), getauxval(AT_BASE), getauxval(AT_RANDOM));
	compared = differing = cut = 0;
	return 0;
}

static void compare(int signal_number, siginfo_t *info, void *context)
{
	uint64_t theirs[SP_MAX_FRAMES];
	struct sp_walk walk;
	unw_cursor_t cursor;
	unw_word_t ip;
	uint32_t n = 0;

	(void)signal_number, (void)info;
	unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME);
	do {
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		theirs[n++] = ip;
	} while (n < SP_MAX_FRAMES && unw_step(&cursor) > 0);
	sp_unwind(&thread, context, &walk);
	compared++;
	cut += (walk.flags & SP_STACK_CUT) != 0;
	if (walk.flags & SP_STACK_CUT || (n == walk.depth && !memcmp(theirs, walk.frames, n * sizeof(*theirs))))
		return;
	differing++;
	for (uint32_t i = 0; i < n && i < walk.depth && theirs[i] == walk.frames[i]; i++)
		differing_ip = theirs[i];
}

static int by_text(const void *a, const void *b)
{
	char x[64], y[64];

	snprintf(x, sizeof(x), "%g", sin(*(const int *)a));
	snprintf(y, sizeof(y), "%g", sin(*(const int *)b));
	return strcmp(x, y);
}

static void work(int rounds)
{
	int numbers[64];

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 64; i++)
			numbers[i] = rand();
		qsort(numbers, 64, sizeof(*numbers), by_text);
		free(malloc((size_t)(numbers[0] & 0xffff)));
	}
}

/* Interrupts libc and libm wherever they are, prologues, epilogues and stubs included. */
static void the_same_frames_as_libunwind(void **state)
{
	struct sigaction action = {.sa_sigaction = compare, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (compared < 500)
		work(10);
	setitimer(ITIMER_REAL, &never, NULL);
	if (differing)
		fail_msg("%u of %u differ; after %#llx", differing, compared, (unsigned long long)differing_ip);
	assert_in_range(cut, 0, compared / 20); /* late ones, on a busy machine */
}

static void raise_in_handler(int signal_number)
{
	(void)signal_number;
	raise(SIGUSR2);
}

static void through_a_signal_frame(void **state)
{
	struct sigaction outer = {.sa_handler = raise_in_handler};
	struct sigaction inner = {.sa_sigaction = compare, .sa_flags = SA_SIGINFO};

	(void)state;
	sigaction(SIGUSR1, &outer, NULL);
	sigaction(SIGUSR2, &inner, NULL);
	raise(SIGUSR1);
	raise(SIGUSR1);
	assert_int_equal(compared, 2);
	assert_int_equal(differing, 0);
	assert_int_equal(cut, 0);
}

#ifdef __x86_64__
static const uint8_t call[5] = {0xe8};
#else
static const uint8_t call[4] = {0, 0, 0, 0x94};
#endif
#define AFTER_CALL (100 + sizeof call) /* a return address in generated code; 100 bytes on there is none */

/* An instruction address as it may stand in generated code. */
static uint8_t *generated(void)
{
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	memcpy(page + 100, call, sizeof call);
	return page;
}

static ucontext_t interrupted(const uint8_t *ip, const void *sp, uint64_t bp)
{
	ucontext_t context = {0};

	sp_context_words(&context)[SP_CONTEXT_IP] = (uint64_t)(uintptr_t)ip;
	sp_context_words(&context)[SP_CONTEXT_SP] = (uint64_t)(uintptr_t)sp;
	sp_context_words(&context)[sp_frame_in_context[SP_REG_BP]] = bp;
	return context;
}

/* A walk during which others have the processor may be late: it is not the one asked for. */
static uint32_t depth_of(const ucontext_t *context)
{
	struct sp_walk walk;

	for (int i = 0; i < 20; i++) {
		sp_unwind(&thread, context, &walk);
		if (!(walk.flags & SP_STACK_LATE))
			break;
	}
	assert_true(walk.flags & SP_STACK_BROKEN);
	assert_true(walk.flags & SP_STACK_ENTRY);
	return walk.depth - 1;
}

static void frame_pointers_are_followed_while_they_rise(void **state)
{
	uint8_t *code = generated();
	uint64_t return_address = (uint64_t)(uintptr_t)code + AFTER_CALL, stack[64] = {0};
	ucontext_t context = interrupted(code, stack, (uint64_t)(uintptr_t)&stack[10]);

	(void)state;
	stack[10] = (uint64_t)(uintptr_t)&stack[20];
	stack[11] = return_address;
	stack[20] = (uint64_t)(uintptr_t)&stack[30];
	stack[21] = return_address;
	assert_int_equal(depth_of(&context), 3);
	stack[20] = (uint64_t)(uintptr_t)&stack[10]; /* a circle */
	assert_int_equal(depth_of(&context), 3);
	stack[21] = return_address + 100; /* no call stands before it */
	assert_int_equal(depth_of(&context), 2);
	stack[10] += 4; /* no frame starts there */
	assert_int_equal(depth_of(&context), 2);
	munmap(code, 4096);
}

static void a_frame_pointer_may_be_anything(void **state)
{
	uint8_t *code = generated(),
		*pages = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t bad[] = {0, 8, 0xdeadbeef, ~0ull, ~7ull, 1ull << 63, (uint64_t)(uintptr_t)pages + 4096 - 8,
		(uint64_t)(uintptr_t)pages + 4096, (uint64_t)(uintptr_t)pages + 8192 + 4096 - 8,
		(uint64_t)(uintptr_t)pages + 16384 - 8};
	ucontext_t context;

	(void)state;
	mprotect(pages + 4096, 4096, PROT_NONE);
	munmap(pages + 12288, 4096);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		context = interrupted(code, pages, bad[i]);
		assert_int_equal(depth_of(&context), 1);
	}
	context = interrupted(code, pages + 4096, (uint64_t)(uintptr_t)pages + 4096 + 64); /* the stack is gone, too */
	assert_int_equal(depth_of(&context), 1);
	context = interrupted(NULL, pages, 0); /* a call through a null pointer */
	assert_int_equal(depth_of(&context), 1);
	munmap(pages, 12288);
	munmap(code, 4096);
}

/* A walk that takes too long keeps what it has. */
static void a_walk_has_a_time_limit(void **state)
{
	uint8_t *code = generated();
	uint64_t stack[64] = {0};
	ucontext_t context = interrupted(code, stack, (uint64_t)(uintptr_t)&stack[10]);
	struct sp_walk walk;

	(void)state;
	sp_agent.tsc_per_us_x1024 = 1; /* time flies, but a counter may tick less often than we look */
	for (int i = 0; i < 100; i++) {
		sp_unwind(&thread, &context, &walk);
		if (walk.flags & SP_STACK_LATE)
			break;
	}
	assert_int_equal(walk.flags, SP_STACK_LATE | SP_STACK_ENTRY);
	assert_int_equal(walk.depth, 2);
	assert_int_equal(walk.frames[0], (uint64_t)(uintptr_t)code);
	munmap(code, 4096);
}

static void __attribute__((noinline)) recurse(int depth)
{
	if (depth)
		recurse(depth - 1);
	else
		raise(SIGUSR2);
	__asm__ volatile("");
}

static struct sp_walk deep;

static void walk_deep(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number, (void)info;
	sp_unwind(&thread, context, &deep);
}

int main(void);

static void a_deep_stack_ends_with_its_entry(void **state)
{
	struct sigaction action = {.sa_sigaction = walk_deep, .sa_flags = SA_SIGINFO};

	(void)state;
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	assert_int_equal(deep.flags, 0);
	recurse(1000);
	assert_int_equal(deep.flags, SP_STACK_TRUNCATED | SP_STACK_ENTRY);
	assert_int_equal(deep.depth, SP_MAX_DEPTH);
	assert_int_equal(deep.frames[SP_MAX_DEPTH - 1], (uint64_t)(uintptr_t)main);
	thread.root_pc = 1; /* not the main thread */
	thread.start = (void *)(uintptr_t)work;
	recurse(1000);
	assert_int_equal(deep.frames[SP_MAX_DEPTH - 1], (uint64_t)(uintptr_t)work);
	recurse(200);
	assert_in_range(deep.depth, 200, SP_MAX_FRAMES - 1);
}

struct four_walks {
	uint32_t depths[4], flags;
	uint32_t outside; /* of the frame whose rule changes */
	bool known;
};

/* Of walks from main alone: all frames there have plain rules, which those of the tests' runner may not have. */
static struct {
	struct four_walks four;
	uint32_t known, believed; /* frames: remembered, and believed after an unload */
} below_main;

/* Before the third walk a rule becomes another one; before the fourth the frames are forgotten. */
static void __attribute__((noinline)) walk_four_times(struct four_walks *w)
{
	struct sp_cfi_rule end = {.kind = SP_CFI_END};
	uint64_t caller = 0, rule = 0;

	for (int i = 0; i < 4; i++) {
		recurse(20);
		w->depths[i] = deep.depth;
		w->flags |= deep.flags;
		if (i == 0) {
			while (!w->known && ++w->outside < 5) { /* one that no other has taken the place of */
				caller = sp_rules_key(deep.frames[deep.depth - 1 - w->outside] - 1);
				w->known = sp_rules_find(caller, &rule);
			}
		} else if (i == 1) {
			sp_rules_keep(caller, *(uint64_t *)&end);
		} else if (i == 2) {
			thread.last_walk.count = 0;
		}
	}
	sp_rules_keep(caller, rule);
}

/* The third walk looks up no rule of the frames that the second had: it does not see that one is another by now. */
static void known_frames_are_not_walked_again(void **state)
{
	const struct four_walks w = below_main.four;

	(void)state;
	assert_true(w.known);
	assert_int_equal(w.flags & ~(uint32_t)SP_STACK_ENTRY, 0);
	assert_int_equal(w.depths[1], w.depths[0]);
	assert_int_equal(w.depths[2], w.depths[0]);
	assert_int_equal(w.depths[3], w.depths[0] - w.outside);
}

static void __attribute__((noinline)) from_two_places(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		recurse(i % 3);
		recurse(i % 3);
	}
}

/* The frames below are the same each time, at the same places of the stack. */
static void one_word_further_up_may_differ(void **state)
{
	struct sigaction action = {.sa_sigaction = compare, .sa_flags = SA_SIGINFO};

	(void)state;
	sigaction(SIGUSR2, &action, NULL);
	from_two_places(30);
	assert_int_equal(compared, 60);
	assert_int_equal(differing, 0);
	assert_int_equal(cut, 0);
}

static void __attribute__((noinline)) walk_and_unload(void)
{
	recurse(20);
	below_main.known = thread.last_walk.count;
	for (uint32_t i = 0; i < thread.last_walk.count; i++)
		thread.last_walk.frames[i].ip = 1;
	sp_agent.unload_gen++;
	recurse(20);
	for (uint32_t i = 0; i < thread.last_walk.count; i++)
		below_main.believed += thread.last_walk.frames[i].ip == 1;
}

/* dlclose: other code may be at the same addresses, and have other rules. */
static void what_was_unloaded_is_forgotten(void **state)
{
	(void)state;
	assert_in_range(below_main.known, 20, 60);
	assert_int_equal(below_main.believed, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_frames_as_libunwind),
		TEST(through_a_signal_frame),
		TEST(frame_pointers_are_followed_while_they_rise),
		TEST(a_frame_pointer_may_be_anything),
		TEST(a_walk_has_a_time_limit),
		TEST(a_deep_stack_ends_with_its_entry),
		TEST(known_frames_are_not_walked_again),
		TEST(one_word_further_up_may_differ),
		TEST(what_was_unloaded_is_forgotten),
	};

	struct sigaction action = {.sa_sigaction = walk_deep, .sa_flags = SA_SIGINFO};

	sigaction(SIGUSR2, &action, NULL);
	set_up(NULL);
	walk_four_times(&below_main.four);
	walk_and_unload();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
