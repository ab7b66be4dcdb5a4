/* A spool where there is no room for it: limits on file size, full filesystems. No signal may reach the application. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/spool/mapping.h"
#include "sampler/spool/stacks.h"
#include "sampler/spool/write.h"
#include "sampler/threads/thread.h"
#include "tests/unit/sampler_spool.h"

#define NOWHERE 0x10000u
#define CAN_NOT_MOUNT 77
#define SAMPLE_CAP 50000

static struct sp_thread thread;
static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

/* Limits the size of files while fn runs. */
static int with_file_limit(rlim_t bytes, int (*fn)(void))
{
	struct sigaction count = {.sa_handler = count_signal}, old;
	struct rlimit before, limit;
	int result;

	getrlimit(RLIMIT_FSIZE, &before);
	limit = (struct rlimit){bytes, before.rlim_max};
	signals = 0;
	sigaction(SIGXFSZ, &count, &old);
	setrlimit(RLIMIT_FSIZE, &limit);
	result = fn();
	setrlimit(RLIMIT_FSIZE, &before);
	sigaction(SIGXFSZ, &old, NULL);
	return result;
}

static int open_agent(void)
{
	return agent_open("/tmp", SAMPLE_CAP);
}

static int open_smallest(void)
{
	return agent_open("/tmp", 1);
}

/* Enters different stacks until the table refuses; returns how many it took, at most `most`. */
static unsigned intern_until_refused(unsigned most)
{
	uint64_t frames[8] = {0};
	struct sp_walk walk = {.frames = frames, .depth = 8};
	unsigned n;

	for (n = 0; n < most; n++) {
		frames[0] = NOWHERE + n;
		if (!sp_stacks_intern(&thread, &walk))
			break;
	}
	return n;
}

static int fill(void)
{
	int err = open_agent();

	if (!err)
		intern_until_refused(1u << 20);
	return err;
}

static void a_small_file_limit_is_an_error_and_no_signal(void **state)
{
	static const rlim_t limits[] = {0, 1024, 4096, 65536};
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		assert_int_equal(with_file_limit(limits[i], open_agent), -EFBIG);
		assert_int_equal(signals, 0);
		assert_int_equal(stat(agent_path(), &st), -1);
		assert_int_equal(errno, ENOENT);
	}
}

static void a_larger_one_makes_the_tables_smaller(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(with_file_limit(1u << 20, fill), 0);
	assert_int_equal(signals, 0);
	assert_int_equal(stat(agent_path(), &st), 0);
	assert_true(st.st_size <= 1 << 20 && (uint64_t)st.st_size == sp_agent.spool->total_bytes);
	assert_int_equal(sp_agent.spool->drops[SP_DROP_STACKS], 1);
	agent_close();
}

/* The smallest layout has less room for text than one string may be long. */
static void a_text_too_long_for_its_section_leaves_room_for_others(void **state)
{
	rlim_t limit = 100000;
	uint32_t length;
	char *text;

	(void)state;
	while (with_file_limit(limit, open_smallest) != 0 && limit < 1 << 20)
		limit += 4096;
	assert_true(limit < 1 << 20);
	length = sp_agent.spool->sections[SP_SEC_TEXT].capacity + 1;
	text = calloc(1, length + 1);
	memset(text, 'x', length);
	assert_int_equal(sp_spool_text(text, length), 0);
	free(text);
	assert_int_not_equal(sp_spool_text("short", 5), 0);
	agent_close();
}

static void an_existing_file_or_link_is_not_touched(void **state)
{
	struct sp_spool_header *spool;

	(void)state;
	assert_int_equal(open_agent(), 0);
	assert_int_equal(sp_spool_create(agent_path(), 1000, &spool), -EEXIST);
	unlink(agent_path());
	assert_int_equal(symlink("/tmp/sampler_test.nowhere", agent_path()), 0);
	assert_int_equal(sp_spool_create(agent_path(), 1000, &spool), -EEXIST);
	assert_int_equal(access("/tmp/sampler_test.nowhere", F_OK), -1);
	assert_int_equal(sp_spool_create("/nowhere/x.spool", 1000, &spool), -ENOENT);
	agent_close();
}

/* Everything can still be written to, nothing is handed out, and nothing comes to the file. */
static void expect_left(void)
{
	struct sp_spool_header *left = sp_agent.spool;
	uint64_t bytes = left->total_bytes;
	char *file;
	int fd = open(agent_path(), O_RDONLY), i;

	assert_true(fd >= 0);
	file = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	sp_mapping_leave();
	assert_false(sp_agent.has_spool);
	assert_ptr_equal(sp_agent.spool, left);
	for (i = 0; i < SP_SECTIONS; i++) {
		assert_int_equal(sp_spool_allot((enum sp_section)i, 1), 0);
		assert_int_equal(sp_spool_count((enum sp_section)i), 0);
		*(char *)sp_section((enum sp_section)i) = 'x';
	}
	left->drops[SP_DROP_STACKS] = 12345;
	assert_int_not_equal(((struct sp_spool_header *)file)->drops[SP_DROP_STACKS], 12345);
	assert_int_equal(((struct sp_spool_header *)file)->total_bytes, bytes);
	munmap(file, bytes);
	close(fd);
}

static void a_spool_that_is_left_is_nobodys_memory_until_the_next(void **state)
{
	struct sp_spool_header *left, *next;

	(void)state;
	assert_int_equal(open_agent(), 0);
	left = sp_agent.spool;
	expect_left();
	unlink(agent_path());
	assert_int_equal(sp_spool_create(agent_path(), SAMPLE_CAP, &next), 0);
	assert_ptr_equal(next, left);
	sp_agent.spool_map = (uint8_t *)next;
	sp_agent.has_spool = true;
	assert_int_not_equal(sp_spool_text("text", 4), 0);
	agent_close();
}

static bool is_mapped(const void *at)
{
	unsigned char in_memory;

	return mincore((void *)at, 1, &in_memory) == 0;
}

static void where_memory_is_counted_nothing_is_left(void **state)
{
	struct sp_spool_header *left;

	(void)state;
	assert_int_equal(open_agent(), 0);
	left = sp_agent.spool;
	sp_mapping_is_counted(true);
	sp_mapping_leave();
	sp_mapping_is_counted(false);
	assert_null(sp_agent.spool);
	assert_false(is_mapped(left));
	agent_close();
}

static void what_is_left_is_given_back_once_nobody_needs_it(void **state)
{
	struct sp_spool_header *left;

	(void)state;
	assert_int_equal(open_agent(), 0);
	left = sp_agent.spool;
	sp_mapping_leave();
	assert_true(is_mapped(left));
	sp_mapping_drop();
	assert_null(sp_agent.spool);
	assert_false(is_mapped(left));
	sp_mapping_drop();
	agent_close();
}

static void parts_that_were_cut_out_stay_out(void **state)
{
	uint64_t start;
	uint8_t *gap;

	(void)state;
	assert_int_equal(open_agent(), 0);
	sp_spool_cut(sp_agent.spool);
	start = sp_section_end(&sp_agent.spool->sections[SP_SEC_THREADS]);
	gap = mmap((uint8_t *)sp_agent.spool + start, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_not_equal(gap, MAP_FAILED);
	*gap = 1;
	expect_left();
	assert_int_equal(*gap, 1);
	munmap(gap, 4096);
	agent_close();
}

/* Runs fn in a child with a filesystem of `kilobytes` at /mnt that nobody else sees. Returns its exit status, or the
 * signal that killed it, negative. */
static int on_small_filesystem(unsigned kilobytes, int (*fn)(void))
{
	char options[32];
	pid_t child;
	int status = 0;

	snprintf(options, sizeof(options), "size=%uk", kilobytes);
	child = fork();
	if (!child) {
		signal(SIGBUS, SIG_DFL); /* not the test runner's handler */
		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
			mount("none", "/mnt", "tmpfs", 0, options))
			_exit(CAN_NOT_MOUNT);
		_exit(fn());
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	if (WEXITSTATUS(status) == CAN_NOT_MOUNT)
		skip();
	return WEXITSTATUS(status);
}

static int open_refused(void)
{
	return agent_open("/mnt", 50000) != -ENOSPC || access(agent_path(), F_OK) == 0;
}

static int intern_on_full(void)
{
	unsigned n;

	if (agent_open("/mnt", 200000))
		return 1;
	n = intern_until_refused(1u << 20);
	if (n < 20 || n > 60000 || sp_stacks_site(1) != 1)
		return 2;
	if (!(sp_agent.spool->drops[SP_DROP_STACKS] + sp_agent.spool->drops[SP_DROP_FRAMES]))
		return 3;
	/* What is in the table is found as before. */
	return intern_until_refused(n) != n ? 4 : 0;
}

/* A short thread starts and ends, while others go on. */
static bool start_thread(struct sp_thread **t)
{
	*t = sp_block_take();
	sp_tls = (struct sp_tls){0};
	sp_thread_adopt(*t, 0, 0, 0);
	return (*t)->record != NULL;
}

/* Threads that start when the disk is full: there are records for some of them only. */
static int start_threads_on_full(void)
{
	struct sp_thread *t, *last = NULL;
	unsigned i, records = 0;

	if (agent_open("/mnt", 200000))
		return 1;
	intern_until_refused(1u << 20);
	for (i = 0; i < 300; i++) {
		if (start_thread(&t)) {
			records++;
			last = t;
		}
	}
	if (records == 300 || !last)
		return 2;
	if (sp_agent.spool->drops[SP_DROP_THREADS] != 300 - records)
		return 3;
	/* The record that an ended thread gave back is found again, and nothing behind it is touched. */
	sp_tls.thread = last;
	sp_thread_release(last);
	if (!start_thread(&t))
		return 4;
	for (i = 0; i < 20; i++)
		if (start_thread(&t))
			return 5;
	return 0;
}

static void no_room_at_all_is_an_error(void **state)
{
	(void)state;
	for (unsigned kilobytes = 4; kilobytes <= 32; kilobytes *= 2)
		assert_int_equal(on_small_filesystem(kilobytes, open_refused), 0);
}

static void a_filesystem_that_fills_up_ends_in_counted_drops(void **state)
{
	(void)state;
	assert_int_equal(on_small_filesystem(1200, intern_on_full), 0);
	assert_int_equal(on_small_filesystem(2500, intern_on_full), 0);
}

static void threads_can_start_on_a_full_filesystem(void **state)
{
	(void)state;
	assert_int_equal(on_small_filesystem(400, start_threads_on_full), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_file_limit_is_an_error_and_no_signal),
		cmocka_unit_test(a_larger_one_makes_the_tables_smaller),
		cmocka_unit_test(a_text_too_long_for_its_section_leaves_room_for_others),
		cmocka_unit_test(an_existing_file_or_link_is_not_touched),
		cmocka_unit_test(a_spool_that_is_left_is_nobodys_memory_until_the_next),
		cmocka_unit_test(where_memory_is_counted_nothing_is_left),
		cmocka_unit_test(what_is_left_is_given_back_once_nobody_needs_it),
		cmocka_unit_test(parts_that_were_cut_out_stay_out),
		cmocka_unit_test(no_room_at_all_is_an_error),
		cmocka_unit_test(a_filesystem_that_fills_up_ends_in_counted_drops),
		cmocka_unit_test(threads_can_start_on_a_full_filesystem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
