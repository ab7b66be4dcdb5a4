/* The pool of thread blocks and the table of thread records. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/threads/registry.h"
#include "sampler/threads/thread.h"
#include "tests/unit/sampler_spool.h"

#define HELD 3u /* few: a block that comes back at once is what a lock-free list gets wrong */
#define MANY 240u
#define MAX_BLOCKS 32768u
#define SHORT_THREADS 400u /* all lives of one thread together are far below what a record is kept for */

static uint32_t owners[MAX_BLOCKS]; /* atomic: times the block is held */

static unsigned take_and_give_back(unsigned number)
{
	struct sp_thread *held[HELD];
	uint64_t random = number + 1;
	double until = now_s() + 0.7;
	unsigned errors = 0, n = 0, step;

	for (step = 0; step % 256 || now_s() < until; step++) {
		struct sp_thread *t;

		if (n < HELD && (n == 0 || next_random(&random) >> 63)) {
			t = sp_block_take();
			if (!t || t->index >= MAX_BLOCKS)
				return errors + 1;
			errors += sp_add(&owners[t->index], 1) != 0;
			errors += t->tls || t->record || t->armed || !t->random;
			held[n++] = t;
		} else {
			unsigned i = next_random(&random) % n;
			t = held[i];
			held[i] = held[--n];
			errors += sp_add(&owners[t->index], -1u) != 1;
			sp_block_give_back(t);
		}
	}
	while (n) {
		sp_add(&owners[held[--n]->index], -1u);
		sp_block_give_back(held[n]);
	}
	return errors;
}

static void no_block_is_handed_out_twice(void **state)
{
	(void)state;
	assert_int_equal(run_threads(take_and_give_back), 0);
}

#ifdef __SANITIZE_THREAD__ /* its run time dies when it is refused memory */
#define NEEDS_ALL_MEMORY true
#else
#define NEEDS_ALL_MEMORY false
#endif

/* Threads are made and end while there is memory: sanitizers need it for that. */
static pthread_barrier_t together;

static unsigned take_what_there_is(unsigned number)
{
	struct rlimit none = {1u << 20, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
	unsigned errors = 0, taken = 0, step;

	pthread_barrier_wait(&together);
	for (step = 0; step < 1000000 && taken < 5000; step++) {
		struct sp_thread *t;

		if (number == 0) { /* memory is refused now and then */
			setrlimit(RLIMIT_AS, step % 2 ? &none : &all);
			if (step % 4 < 3)
				continue;
		}
		t = sp_block_take();
		if (!t)
			continue;
		taken++;
		errors += t->index >= MAX_BLOCKS || sp_add(&owners[t->index], 1) != 0;
	}
	if (number == 0)
		setrlimit(RLIMIT_AS, &all);
	pthread_barrier_wait(&together);
	return errors;
}

static void no_block_is_handed_out_twice_when_memory_is_short(void **state)
{
	pid_t child;
	int status = 0;

	(void)state;
	if (NEEDS_ALL_MEMORY)
		skip();
	child = fork();
	if (!child && !pthread_barrier_init(&together, NULL, TEST_THREADS))
		_exit(run_threads(take_what_there_is) > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Blocks given back are used again, and each is whole: state below, private stack above. */
static void blocks_are_recycled_and_do_not_overlap(void **state)
{
	struct sp_thread *taken[MANY];
	unsigned i, j, n = MANY;

	(void)state;
	for (i = 0; i < n; i++) {
		taken[i] = sp_block_take();
		assert_non_null(taken[i]);
		assert_true(taken[i]->index < n + 16); /* the chunk that was begun last may have more */
		memset(taken[i] + 1, 0x5a, SP_BLOCK_BYTES - sizeof(struct sp_thread));
	}
	for (i = 0; i < n; i++) {
		for (j = 0; j < i; j++)
			assert_true((uint64_t)((char *)taken[i] - (char *)taken[j] + SP_BLOCK_BYTES - 1) >=
				2 * SP_BLOCK_BYTES - 1);
	}
	for (i = 0; i < n; i++)
		sp_block_give_back(taken[i]);
}

static unsigned live_and_die(unsigned number)
{
	unsigned i, errors = 0;

	for (i = 0; i < SHORT_THREADS; i++) {
		struct sp_thread *t = sp_block_take();

		sp_thread_adopt(t, 0x1000 + number, 0, 0);
		errors += !t->record || sp_enter() != t;
		sp_leave(t);
		errors += t->record && t->record->tid != t->tid; /* no other thread's */
		sp_tls.heap.allocs += 3;
		sp_tls.heap.bytes_base += 100;
		sp_thread_release(t);
		errors += sp_enter() != NULL;
		/* As a new thread would find it. */
		sp_tls = (struct sp_tls){0};
	}
	return errors;
}

/* Threads too short to matter one by one are summed up in record 0, and their records used again. */
static void short_threads_share_few_records_and_lose_nothing(void **state)
{
	struct sp_thread_record *records;
	uint64_t allocs = 0;
	int64_t bytes = 0;
	uint32_t used, i;

	(void)state;
	assert_int_equal(agent_open("/tmp", 2000), 0);
	assert_int_equal(run_threads(live_and_die), 0);
	records = sp_section(SP_SEC_THREADS);
	used = sp_agent.spool->sections[SP_SEC_THREADS].used;
	assert_in_range(used, 2, 200);
	for (i = 0; i < used; i++) {
		assert_true(i == 0 || records[i].state != 1);
		if (i && records[i].state == 0)
			continue;
		allocs += records[i].heap.allocs;
		bytes += records[i].heap.bytes_base - records[i].heap.countdown;
	}
	assert_int_equal(allocs, 3 * SHORT_THREADS * TEST_THREADS);
	assert_int_equal(bytes, 100 * SHORT_THREADS * TEST_THREADS);
	assert_int_equal(sp_agent.spool->drops[SP_DROP_THREADS], 0);
	agent_close();
}

static void count_block(struct sp_thread *t, void *arg)
{
	(void)t;
	++*(unsigned *)arg;
}

/* What a child of this process sees of it; returns how the child has ended. */
static int in_child(void (*fn)(struct sp_thread *), struct sp_thread *t)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		fn(t);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* Emulators take the wish for one that may be ignored. */
static void expect_zero(struct sp_thread *page)
{
	if (*(uint32_t *)page)
		_exit(1);
}

static bool are_pages_wiped(void)
{
	uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool wiped;

	assert_int_equal(madvise(page, 4096, MADV_WIPEONFORK), 0);
	*page = 1;
	wiped = in_child(expect_zero, (struct sp_thread *)page) == 0;
	munmap(page, 4096);
	return wiped;
}

static void expect_wiped(struct sp_thread *before)
{
	if (before->tls || sp_block_at(0)->alive)
		_exit(1);
}

static void expect_none(struct sp_thread *before)
{
	struct sp_thread *again;
	unsigned owned = 0;

	(void)before;
	sp_agent.pid = getpid();
	sp_thread_forked();
	sp_block_each(count_block, &owned);
	if (owned || sp_tls.thread || sp_registry_count() || sp_registry_find(1, NULL))
		_exit(2);
	again = sp_block_take();
	sp_thread_adopt(again, 0, 0, 0);
	sp_block_each(count_block, &owned);
	if (again != sp_block_at(0) || owned != 1 || sp_registry_find(getpid(), NULL) != again)
		_exit(3);
	if (again->root_pc != 1 || again->stack_high != 2 || again->stack_bytes != 3)
		_exit(4); /* the stack it was made on is the thread's still */
}

static void a_forked_child_finds_all_blocks_wiped(void **state)
{
	struct sp_thread *mine = sp_block_take(), *other = sp_block_take();
	unsigned owned = 0;

	(void)state;
	sp_block_at(0)->alive = SP_ALIVE;
	sp_thread_adopt(mine, 0, 0, 0);
	sp_tls.place = (struct sp_thread_place){1, 2, 3};
	other->tid = 1;
	other->listed = sp_registry_add(other);
	sp_block_each(count_block, &owned);
	assert_int_equal(owned, 2);
	assert_int_equal(in_child(expect_none, mine), 0);
	if (are_pages_wiped())
		assert_int_equal(in_child(expect_wiped, mine), 0);
	assert_ptr_equal(sp_tls.thread, mine);
	sp_block_give_back(other);
	sp_thread_release(mine);
	sp_tls = (struct sp_tls){0};
}

/* The thread that held it has not come along. */
static void a_lock_held_at_the_fork_is_free_in_the_child(void **state)
{
	static uint32_t lock;
	int status;
	pid_t child;

	(void)state;
	sp_agent.pid = getpid();
	assert_true(sp_try_lock(&lock));
	assert_false(sp_try_lock(&lock));
	child = fork();
	if (child == 0) {
		sp_agent.pid = getpid();
		_exit(!sp_try_lock(&lock) || sp_try_lock(&lock) || (sp_unlock(&lock), !sp_try_lock(&lock)));
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	sp_unlock(&lock);
	assert_true(sp_try_lock(&lock));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_block_is_handed_out_twice),
		cmocka_unit_test(no_block_is_handed_out_twice_when_memory_is_short),
		cmocka_unit_test(blocks_are_recycled_and_do_not_overlap),
		cmocka_unit_test(short_threads_share_few_records_and_lose_nothing),
		cmocka_unit_test(a_forked_child_finds_all_blocks_wiped),
		cmocka_unit_test(a_lock_held_at_the_fork_is_free_in_the_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
