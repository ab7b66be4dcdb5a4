/* Where profiles go: names, latest.md, the index of a tree, fallbacks; and which spools are orphans. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

static struct spool spool;
static char root[64], spool_path[128];
static struct sp_render_result result;

static const char *in_root(const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/profile_output.XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(spool_path, sizeof(spool_path), "%s/4000000.77.abc.spool", root);
	setenv("XDG_STATE_HOME", in_root("state"), 1);
	setenv("TZ", "UTC", 1);
	spool_open(&spool);
	spool.header->text.output_dir = spool_text(&spool, in_root("profiles"));
	spool_sample(&spool, spool_stack(&spool, 0, STACK(2, 1)), 500000, 0);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	spool_close(&spool);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

/* What the agent of a root process leaves, beside its spool. */
static void leave_place(char kind, uint32_t text)
{
	const char *path = (const char *)spool_records(&spool, SP_SEC_TEXT) + text;
	char place[256], target[512];

	snprintf(place, sizeof(place), "%.*s.place", (int)(strlen(spool_path) - strlen(".spool")), spool_path);
	snprintf(target, sizeof(target), "%c%s", kind, path);
	unlink(place);
	assert_int_equal(symlink(target, place), 0);
}

static int render(void)
{
	struct sp_render_options options = {0};
	struct sp_text *text = &spool.header->text;

	spool_write(&spool, spool_path);
	leave_place(text->output_file ? SP_PLACE_FILE : SP_PLACE_DIRECTORY,
		text->output_file ? text->output_file : text->output_dir);
	return sp_render_spool(spool_path, &options, &result);
}

static char *contents(const char *path)
{
	static char text[200000];
	FILE *file = fopen(path, "r");

	text[0] = '\0';
	if (file) {
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
	}
	return text;
}

static const char *latest(void)
{
	static char target[256];
	ssize_t n = readlink(in_root("profiles/development/latest.md"), target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	return target;
}

static void become_member(int pid, const char *program)
{
	spool.header->is_root = 0;
	spool.header->pid = pid;
	spool.header->ppid = 4000000;
	spool.header->text.program = spool_text(&spool, program);
}

static void a_profile_is_written_and_the_spool_removed(void **state)
{
	(void)state;
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("profiles/development/prog.20231114-221320.4000000.md"));
	assert_string_equal(contents(in_root("profiles/development/.gitignore")), "*\n");
	assert_string_equal(latest(), "prog.20231114-221320.4000000.md");
	assert_non_null(strstr(contents(result.path), "\nexit: 0\n"));
	assert_int_equal(access(spool_path, F_OK), -1);
}

static void an_older_profile_of_that_name_is_kept(void **state)
{
	(void)state;
	assert_int_equal(render(), 0);
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("profiles/development/prog.20231114-221320.4000000-2.md"));
	assert_string_equal(latest(), "prog.20231114-221320.4000000-2.md");
}

static void program_names_cannot_escape_the_directory(void **state)
{
	(void)state;
	spool.header->text.program = spool_text(&spool, "../../e v|il\n");
	spool.header->text.environment = spool_text(&spool, "../up");
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("profiles/_up/_.._e_v_il_.20231114-221320.4000000.md"));
}

static void small_processes_leave_nothing(void **state)
{
	struct sp_stack *stacks = spool_records(&spool, SP_SEC_STACKS);

	(void)state;
	stacks[1].user_ns = 19000000;
	spool.header->cpu.self_user_ns = 19000000;
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, "");
	assert_int_equal(access(spool_path, F_OK), -1);
	assert_int_equal(access(in_root("profiles"), F_OK), -1);
}

static void small_in_cpu_but_not_in_memory(void **state)
{
	struct sp_thread_record *threads = spool_records(&spool, SP_SEC_THREADS);
	struct sp_stack *stacks = spool_records(&spool, SP_SEC_STACKS);

	(void)state;
	stacks[1].user_ns = 0;
	spool.header->cpu.self_user_ns = 0;
	threads[1].heap.bytes_base = 1000001;
	assert_int_equal(render(), 0);
	assert_string_not_equal(result.path, "");
}

static void the_file_asked_for_is_written(void **state)
{
	(void)state;
	spool.header->text.output_file = spool_text(&spool, in_root("a/b/out.md"));
	spool.header->cpu.self_user_ns = 0;
	((struct sp_stack *)spool_records(&spool, SP_SEC_STACKS))[1].user_ns = 1; /* however small */
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("a/b/out.md"));
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("a/b/out.md"));
	assert_int_equal(access(in_root("profiles"), F_OK), -1);
}

static void members_write_beside_the_file_asked_for(void **state)
{
	(void)state;
	spool.header->text.output_file = spool_text(&spool, in_root("out.md"));
	become_member(4000001, "cc1");
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("out.cc1.4000001.md"));
}

static void an_unwritable_place_falls_back(void **state)
{
	(void)state;
	spool.header->text.output_dir = spool_text(&spool, "/proc/nowhere/profiles");
	assert_int_equal(render(), 0);
	assert_string_equal(result.path,
		in_root("state/smartprof/profiles/development/prog.20231114-221320.4000000.md"));
}

static void root_follows_no_wish_that_another_may_have_written(void **state)
{
	struct sp_render_options options = {0};

	(void)state;
	if (geteuid() != 0)
		skip();
	spool.header->text.output_file = spool_text(&spool, in_root("etc/passwd.md"));
	spool_write(&spool, spool_path);
	assert_int_equal(sp_render_spool(spool_path, &options, &result), 0);
	assert_string_equal(result.path,
		in_root("state/smartprof/profiles/development/prog.20231114-221320.4000000.md"));
	assert_int_equal(access(in_root("etc"), F_OK), -1);
}

static void only_a_profile_or_an_empty_file_is_replaced(void **state)
{
	FILE *file = fopen(in_root("mine"), "w");

	(void)state;
	fputs("---\nmine: all of it\n", file);
	fclose(file);
	spool.header->text.output_file = spool_text(&spool, in_root("mine"));
	assert_int_equal(render(), 0);
	assert_string_equal(contents(in_root("mine")), "---\nmine: all of it\n");
	assert_string_equal(result.path,
		in_root("state/smartprof/profiles/development/prog.20231114-221320.4000000.md"));
	assert_non_null(strstr(contents(result.path), "/mine, which did not work: what is there is not a profile"));
	assert_int_equal(truncate(in_root("mine"), 0), 0);
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("mine"));
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("mine"));
}

static void a_latest_that_is_no_link_stays(void **state)
{
	FILE *file;

	(void)state;
	assert_int_equal(render(), 0);
	assert_int_equal(unlink(in_root("profiles/development/latest.md")), 0);
	file = fopen(in_root("profiles/development/latest.md"), "w");
	fputs("mine", file);
	fclose(file);
	assert_int_equal(render(), 0);
	assert_string_equal(contents(in_root("profiles/development/latest.md")), "mine");
}

static void what_is_no_file_is_written_through(void **state)
{
	static char got[200000];
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(in_root("fifo"), 0600), 0);
	spool.header->text.output_file = spool_text(&spool, in_root("fifo"));
	assert_int_equal(render(), 0); /* nobody reads: it goes elsewhere, and does not wait */
	assert_non_null(strstr(contents(result.path), "/fifo, which did not work: nobody reads from it"));
	fd = open(in_root("fifo"), O_RDONLY | O_NONBLOCK);
	assert_int_equal(render(), 0);
	assert_string_equal(result.path, in_root("fifo"));
	assert_true(read(fd, got, sizeof(got)) > 1000);
	assert_memory_equal(got, "---\nschema: smartprof/1\n", 24);
	close(fd);
	assert_int_equal(lstat(in_root("fifo"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
}

static void a_link_stays_and_its_target_is_written(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(symlink("real.md", in_root("link.md")), 0);
	spool.header->text.output_file = spool_text(&spool, in_root("link.md"));
	assert_int_equal(render(), 0);
	assert_non_null(strstr(contents(in_root("real.md")), "smartprof"));
	assert_int_equal(lstat(in_root("link.md"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void a_link_of_another_users_is_not_followed(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(in_root("mine"), 0700), 0);
	assert_int_equal(symlink(in_root("mine"), in_root("profiles")), 0);
	assert_int_equal(lchown(in_root("profiles"), 65534, 65534), 0);
	assert_int_equal(render(), 0);
	assert_int_equal(rmdir(in_root("mine")), 0); /* empty */
	assert_non_null(strstr(contents(result.path), "a link or a FIFO of another user"));
}

static void a_directory_of_another_users_is_told(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(in_root("profiles"), 0755), 0);
	assert_int_equal(chown(in_root("profiles"), 65534, 65534), 0);
	assert_int_equal(render(), 0);
	assert_non_null(strstr(contents(result.path), "belongs to another user (65534)"));
}

/* Anybody who may read a directory can lock it, for good. */
static void a_lock_of_another_users_does_not_hold_us_up(void **state)
{
	struct timespec began, ended;
	int fd;

	(void)state;
	assert_int_equal(render(), 0);
	fd = open(in_root("profiles/development"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	clock_gettime(CLOCK_MONOTONIC, &began);
	assert_int_equal(render(), 0);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	assert_true(ended.tv_sec - began.tv_sec < 5);
	close(fd);
	assert_int_equal(access(in_root("profiles/development/.smartprof.lock"), F_OK), 0);
}

static void without_any_place_the_spool_stays(void **state)
{
	(void)state;
	spool.header->text.output_dir = spool_text(&spool, "/proc/nowhere/profiles");
	setenv("XDG_STATE_HOME", "/proc/nowhere", 1);
	assert_true(render() < 0);
	assert_int_equal(access(spool_path, F_OK), 0);
}

static void a_tree_has_an_index(void **state)
{
	const char *index = "profiles/development/tree.20231114-221320.4000000.md";
	char *text;

	(void)state;
	become_member(4000002, "second");
	assert_int_equal(render(), 0);
	assert_string_equal(latest(), "second.20231114-221320.4000002.md");
	assert_int_equal(access(in_root(index), F_OK), 0);
	become_member(4000003, "third");
	spool.header->start_realtime_ns += 5000000000;
	spool.header->exit_kind = SP_EXIT_SIGNAL;
	spool.header->exit_value = 15;
	spool_sample(&spool, 1, 900000, 0);
	assert_int_equal(render(), 0);
	assert_string_equal(latest(), "tree.20231114-221320.4000000.md");
	text = contents(in_root(index));
	assert_non_null(strstr(text,
		"| 1.400 | 0 | third | 4000003 | 4000000 | signal 15 | "
		"[profile](third.20231114-221325.4000003.md) |\n| 0.500 | 0 | second | 4000002 |"));
	spool.header->is_root = 1;
	spool.header->pid = 4000000;
	spool.header->text.program = spool_text(&spool, "first");
	assert_int_equal(render(), 0);
	assert_string_equal(latest(), "first.20231114-221325.4000000.md");
	text = contents(in_root(index));
	assert_non_null(strstr(text, "members: 3"));
	assert_non_null(strstr(text, "| first | 4000000 |"));
	assert_non_null(strstr(text, "| signal 15 | [profile](third."));
}

static void a_root_alone_has_no_index_until_a_member_comes(void **state)
{
	DIR *dir;
	struct dirent *entry;
	int trees = 0;

	(void)state;
	assert_int_equal(render(), 0);
	dir = opendir(in_root("profiles/development"));
	while ((entry = readdir(dir)))
		trees += strncmp(entry->d_name, "tree.", 5) == 0;
	closedir(dir);
	assert_int_equal(trees, 0);
	become_member(4000002, "late");
	assert_int_equal(render(), 0);
	assert_string_equal(latest(), "prog.20231114-221320.4000000.md");
	assert_non_null(strstr(contents(in_root("profiles/development/tree.20231114-221320.4000000.md")),
		"| prog | 4000000 | 1 | 0 | [profile](prog.20231114-221320.4000000.md) |"));
}

static void only_one_renderer_gets_a_spool(void **state)
{
	struct sp_render_options options = {0};
	int fd;

	(void)state;
	spool_write(&spool, spool_path);
	fd = sp_spool_open(spool_path);
	assert_true(sp_spool_claim(fd));
	assert_int_equal(sp_render_spool(spool_path, &options, &result), -EWOULDBLOCK);
	assert_int_equal(access(spool_path, F_OK), 0);
	close(fd);
}

static void what_is_not_ours_is_left_alone(void **state)
{
	struct sp_render_options options = {.only_tree = "1.2"};

	(void)state;
	spool_write(&spool, spool_path);
	assert_int_equal(sp_render_spool(spool_path, &options, &result), -ECANCELED);
	options.only_tree = NULL;
	assert_int_equal(chmod(spool_path, 0644), 0);
	assert_int_equal(sp_render_spool(spool_path, &options, &result), -EPERM);
	assert_int_equal(symlink(spool_path, in_root("link.spool")), 0);
	assert_int_equal(sp_render_spool(in_root("link.spool"), &options, &result), -ELOOP);
	assert_int_equal(access(spool_path, F_OK), 0);
}

/* Maps the spool and locks it as its writer does: nothing but the mapping holds the lock then. */
static void *map_as_writer(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = SP_LOCK_WRITER, .l_len = 1};
	int fd = open(spool_path, O_RDWR);
	void *map;

	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	close(fd);
	return map;
}

static uint64_t own_namespace(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/pid", &st), 0);
	return st.st_ino;
}

static bool is_orphan(void)
{
	struct sp_spool_file file;

	assert_true(sp_spool_file_parse(&file, spool_path));
	return sp_spool_is_orphan(&file);
}

/* Whatever was seen before: while something maps it, a spool is no orphan. */
static void a_spool_in_use_is_left_alone(void **state)
{
	struct sp_render_options options = {.only_orphan = true};
	void *map;

	(void)state;
	spool_write(&spool, spool_path);
	map = map_as_writer();
	assert_int_equal(sp_render_spool(spool_path, &options, &result), -ECANCELED);
	munmap(map, 4096);
	assert_int_equal(sp_render_spool(spool_path, &options, &result), 0);
	assert_string_not_equal(result.path, "");
}

static void spool_names_are_understood(void **state)
{
	static const char *const bad[] = {
		"x.1.a.spool", "12.spool", "12.13.a", ".spool", "0.1.a.spool", "-1.2.a.spool", "12.13.a.spool.tmp", ""};
	struct sp_spool_file file;

	(void)state;
	assert_true(sp_spool_file_parse(&file, "/x/12.13.af.spool"));
	assert_int_equal(file.pid, 12);
	assert_int_equal(file.start_ticks, 13);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sp_spool_file_parse(&file, bad[i]));
}

static void the_lock_tells_the_living_in_any_namespace(void **state)
{
	void *map;

	(void)state;
	spool.header->pid = 1;
	spool.header->pid_namespace = own_namespace() + 1;
	spool_write(&spool, spool_path);
	assert_true(is_orphan()); /* there is a process 1, but it is another */
	map = map_as_writer();
	assert_false(is_orphan());
	munmap(map, 4096);
	assert_true(is_orphan());
}

/* A child that was forked behind the agent's back keeps its parent's mapping. */
static void a_lock_does_not_outlive_its_process(void **state)
{
	void *map;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	spool.header->pid = pid;
	spool.header->pid_namespace = own_namespace();
	spool_write(&spool, spool_path);
	map = map_as_writer();
	assert_true(is_orphan());
	munmap(map, 4096);
}

/* Where the writer's lock does not work, as on overlayfs. */
static void without_locks_the_process_is_looked_for(void **state)
{
	void *map;
	int fd;

	(void)state;
	spool.header->locked = 0;
	spool.header->pid = getpid();
	spool.header->pid_namespace = own_namespace();
	spool_write(&spool, spool_path);
	assert_true(is_orphan()); /* alive, but not mapped: as after execve */
	fd = open(spool_path, O_RDONLY);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_false(is_orphan());
	munmap(map, 4096);
	close(fd);
	spool.header->pid_namespace++; /* who knows */
	spool_write(&spool, spool_path);
	assert_false(is_orphan());
}

static void leftovers_of_spools_in_the_making_go(void **state)
{
	struct timespec old[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
	void *map;

	(void)state;
	strcpy(spool_path, in_root("12.13.af.spool.new"));
	spool_write(&spool, spool_path);
	sp_spool_clean(root); /* a moment old */
	assert_int_equal(access(spool_path, F_OK), 0);
	map = map_as_writer();
	assert_int_equal(utimensat(AT_FDCWD, spool_path, old, 0), 0);
	sp_spool_clean(root); /* old, but somebody is at it */
	assert_int_equal(access(spool_path, F_OK), 0);
	munmap(map, 4096);
	sp_spool_clean(root);
	assert_int_equal(access(spool_path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_profile_is_written_and_the_spool_removed),
		TEST(an_older_profile_of_that_name_is_kept),
		TEST(program_names_cannot_escape_the_directory),
		TEST(small_processes_leave_nothing),
		TEST(small_in_cpu_but_not_in_memory),
		TEST(the_file_asked_for_is_written),
		TEST(members_write_beside_the_file_asked_for),
		TEST(an_unwritable_place_falls_back),
		TEST(root_follows_no_wish_that_another_may_have_written),
		TEST(only_a_profile_or_an_empty_file_is_replaced),
		TEST(a_latest_that_is_no_link_stays),
		TEST(what_is_no_file_is_written_through),
		TEST(a_link_stays_and_its_target_is_written),
		TEST(a_link_of_another_users_is_not_followed),
		TEST(a_directory_of_another_users_is_told),
		TEST(a_lock_of_another_users_does_not_hold_us_up),
		TEST(without_any_place_the_spool_stays),
		TEST(a_tree_has_an_index),
		TEST(a_root_alone_has_no_index_until_a_member_comes),
		TEST(only_one_renderer_gets_a_spool),
		TEST(what_is_not_ours_is_left_alone),
		TEST(a_spool_in_use_is_left_alone),
		TEST(spool_names_are_understood),
		TEST(the_lock_tells_the_living_in_any_namespace),
		TEST(a_lock_does_not_outlive_its_process),
		TEST(without_locks_the_process_is_looked_for),
		TEST(leftovers_of_spools_in_the_making_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
