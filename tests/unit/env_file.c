/* The settings file: where it is found, what is read from it, and what beats what. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "env/env.h"
#include "tests/unit/env_machine.h"

#define ENVIRONMENT(...) ((char *[]){__VA_ARGS__, NULL})

static struct sp_where where;
static struct sp_file file;

static int new_machine(void **state)
{
	(void)state;
	where = (struct sp_where){.root = machine_new(), .cwd = "/home/ada/project/src"};
	machine_put("/home/ada/project/src/main.c", "");
	return 0;
}

static int drop_machine(void **state)
{
	(void)state;
	machine_drop();
	return 0;
}

static void read_text(const char *text)
{
	machine_put("/home/ada/project/.env.profiling", text);
	sp_file_read(&file, &where);
}

static const char *text_of(const char *name)
{
	const struct sp_file_setting *setting = sp_file_get(&file, name);

	return setting ? setting->text : NULL;
}

static void assert_odd(const char *text)
{
	read_text(text);
	assert_int_equal(file.count, 1);
	assert_true(file.settings[0].odd);
}

static void assert_reads(const char *text, const char *value)
{
	read_text(text);
	assert_int_equal(file.count, 1);
	assert_false(file.settings[0].odd);
	assert_string_equal(text_of("SMARTPROF_DIR"), value);
}

static void change_mode(const char *path, mode_t mode)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", where.root, path);
	assert_int_equal(chmod(full, mode), 0);
}

#define FOUND "/home/ada/project/.env.profiling"

static void change_owner(const char *path, uid_t user, gid_t group)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", where.root, path);
	assert_int_equal(chown(full, user, group), 0);
}

static void assert_refused(const char *problem)
{
	sp_file_read(&file, &where);
	assert_int_equal(file.count, 0);
	assert_string_equal(file.problem, problem);
}

static void the_nearest_file_upward_is_read(void **state)
{
	(void)state;
	sp_file_read(&file, &where);
	assert_string_equal(file.path, "");
	assert_null(file.problem);
	machine_put("/.env.profiling", "SMARTPROF_DIR=/root\n");
	sp_file_read(&file, &where);
	assert_string_equal(file.path, "/.env.profiling");
	read_text("SMARTPROF_DIR=/project\n");
	assert_string_equal(file.path, "/home/ada/project/.env.profiling");
	assert_string_equal(text_of("SMARTPROF_DIR"), "/project");
	machine_put("/home/ada/project/src/.env.profiling", "SMARTPROF_DIR=/src\n");
	sp_file_read(&file, &where);
	assert_string_equal(text_of("SMARTPROF_DIR"), "/src");
	where.cwd = "/";
	sp_file_read(&file, &where);
	assert_string_equal(file.path, "/.env.profiling");
	where.cwd = "/home//ada/";
	sp_file_read(&file, &where);
	assert_string_equal(file.path, "/.env.profiling");
	where.cwd = "(unreachable)/x";
	sp_file_read(&file, &where);
	assert_string_equal(file.path, "");
	where.cwd = NULL;
	sp_file_read(&file, &where);
	assert_string_equal(file.path, "");
}

static void one_can_be_named(void **state)
{
	(void)state;
	read_text("SMARTPROF_DIR=/found\n");
	machine_put("/etc/other", "SMARTPROF_DIR=/named\n");
	where.envp = ENVIRONMENT("SMARTPROF_CONFIG=/etc/other");
	sp_file_read(&file, &where);
	assert_string_equal(text_of("SMARTPROF_DIR"), "/named");
	where.envp = ENVIRONMENT("SMARTPROF_CONFIG=../.env.profiling");
	sp_file_read(&file, &where);
	assert_string_equal(text_of("SMARTPROF_DIR"), "/found");
	where.envp = ENVIRONMENT("SMARTPROF_CONFIG=/dev/null");
	sp_file_read(&file, &where);
	assert_int_equal(file.count, 0);
	assert_null(file.problem);
	where.envp = ENVIRONMENT("SMARTPROF_CONFIG=/nowhere");
	sp_file_read(&file, &where);
	assert_string_equal(file.problem, "there is no such file");
}

static void strangers_do_not_set_our_settings(void **state)
{
	(void)state;
	read_text("SMARTPROF_MODE=cpu\n");
	assert_int_equal(file.count, 1);
	change_mode(FOUND, 0666);
	assert_refused("others may write to it");
	change_mode(FOUND, 0644);
	change_mode("/home/ada/project", 0757);
	assert_refused("others may write to a directory above it");
	change_mode("/home/ada/project", 01777);
	sp_file_read(&file, &where);
	assert_int_equal(file.count, 1); /* nobody can replace it there */
	change_mode("/home/ada/project", 0755);
	change_mode("/home", 0757);
	assert_refused("others may write to a directory above it");
	change_mode("/home", 0755);
}

static void groups_and_owners_are_strangers_too(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	read_text("SMARTPROF_MODE=cpu\n");
	change_owner(FOUND, 0, 1234);
	change_mode(FOUND, 0664);
	assert_refused("others may write to it");
	change_mode(FOUND, 0644);
	change_owner("/home/ada", 0, 1234);
	change_mode("/home/ada", 0775);
	assert_refused("others may write to a directory above it");
	change_mode("/home/ada", 0755);
	change_owner("/home/ada", 1234, 1234);
	assert_refused("a directory above it belongs to another user");
	change_owner("/home/ada", 0, 0);
	change_owner(FOUND, 1234, 1234);
	assert_refused("it belongs to another user");
	where.envp = ENVIRONMENT("SMARTPROF_CONFIG=" FOUND);
	assert_refused("it belongs to another user");
	change_mode("", 0755);
	assert_int_equal(seteuid(1234), 0);
	sp_file_read(&file, &where);
	assert_int_equal(file.count, 1);
	change_mode(FOUND, 0664); /* a user's own group */
	sp_file_read(&file, &where);
	assert_int_equal(file.count, 1);
	assert_int_equal(seteuid(0), 0);
}

static void one_that_is_named_may_stand_anywhere(void **state)
{
	(void)state;
	read_text("SMARTPROF_DIR=/x\n");
	change_mode("/home/ada/project", 0777);
	where.envp = ENVIRONMENT("SMARTPROF_CONFIG=" FOUND);
	sp_file_read(&file, &where);
	assert_int_equal(file.count, 1);
	change_mode(FOUND, 0666);
	assert_refused("others may write to it");
	where.envp = NULL;
}

static void what_is_run_and_written_is_not_told_by_a_found_file(void **state)
{
	static const enum sp_option options[] = {
		SP_OPT_BIN, SP_OPT_DIR, SP_OPT_OUTPUT, SP_OPT_SPAN_LOG, SP_OPT_DEBUG_DIR};
	struct sp_config config;
	char text[256];

	(void)state;
	read_text("SMARTPROF_BIN=/evil\nSMARTPROF_DIR=/evil\nSMARTPROF_OUTPUT=/evil\nSMARTPROF_SPAN_LOG=/"
		  "evil\nSMARTPROF_DEBUG_DIR=/evil\n");
	sp_config_load(&config, &where, &file);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct sp_value value;

		assert_null(config.values[options[i]].text);
		sp_source_text(&config, &where, options[i], text, sizeof(text));
		assert_non_null(strstr(text, "does not count: nobody named the file"));
		sp_value_load(&value, options[i], NULL, &file);
		assert_null(value.text);
	}
	where.envp = ENVIRONMENT("SMARTPROF_CONFIG=" FOUND);
	sp_file_read(&file, &where);
	sp_config_load(&config, &where, &file);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		assert_string_equal(config.values[options[i]].text, "/evil");
}

static void links_and_proc_are_not_followed(void **state)
{
	char full[512];

	(void)state;
	machine_put("/etc/settings", "SMARTPROF_MODE=cpu\n");
	snprintf(full, sizeof(full), "%s" FOUND, where.root);
	assert_int_equal(symlink("/proc/self/cmdline", full), 0);
	assert_refused("it is a link");
	assert_int_equal(unlink(full), 0);
	assert_int_equal(symlink("../../../etc/settings", full), 0);
	assert_refused("it is a link");
	assert_int_equal(unlink(full), 0);
	sp_file_read(&file, &(struct sp_where){"", "/", ENVIRONMENT("SMARTPROF_CONFIG=/proc/self/cmdline")});
	assert_string_equal(file.problem, "it is not a regular file");
}

static void what_is_no_file_is_not_waited_for(void **state)
{
	char full[512];

	(void)state;
	snprintf(full, sizeof(full), "%s/home/ada/project/.env.profiling", where.root);
	assert_int_equal(mkfifo(full, 0600), 0);
	sp_file_read(&file, &where);
	assert_string_equal(file.problem, "it is not a regular file");
	assert_int_equal(unlink(full), 0);
	assert_int_equal(mkdir(full, 0700), 0);
	sp_file_read(&file, &where);
	assert_string_equal(file.problem, "it is not a regular file");
	assert_int_equal(rmdir(full), 0);
}

static void assignments_are_read_as_a_shell_would(void **state)
{
	(void)state;
	assert_reads("SMARTPROF_DIR=/a\n", "/a");
	assert_reads("export SMARTPROF_DIR=/a", "/a");
	assert_reads("  \texport \t SMARTPROF_DIR=/a  # remark\r\n", "/a");
	assert_reads("SMARTPROF_DIR='/a b;c'\n", "/a b;c");
	assert_reads("SMARTPROF_DIR=\"/a 'b' #c\"\n", "/a 'b' #c");
	assert_reads("SMARTPROF_DIR='/a '\"b\"c\n", "/a bc");
	assert_reads("SMARTPROF_DIR='$HOME/`x`\\'\n", "$HOME/`x`\\");
	assert_reads("SMARTPROF_DIR=/a#b\n", "/a#b");
	assert_reads("SMARTPROF_DIR=\n", "");
	assert_reads("#SMARTPROF_DIR=/x\n# SMARTPROF_OUTPUT=/x\nPATH=/x:$PATH\nif [ -n \"$SMARTPROF_DIR\" ]; then\n"
		     "echo SMARTPROF_DIR=/y\nSMARTPROF_DIR=/a\nfi\n",
		"/a");
	read_text("SMARTPROF_DIR=/a\nSMARTPROF_DIR=/b\nMEMORY_CHECK_INTERVAL=1s\nMEMORY_OF_MINE=1\nSMARTPROF_=1\n");
	assert_int_equal(file.count, 3);
	assert_string_equal(text_of("SMARTPROF_DIR"), "/b");
	assert_int_equal(sp_file_get(&file, "SMARTPROF_DIR")->line, 2);
	assert_string_equal(text_of("MEMORY_CHECK_INTERVAL"), "1s");
}

static void what_only_a_shell_can_do_is_refused(void **state)
{
	char line[3000];

	(void)state;
	assert_odd("SMARTPROF_DIR=$HOME/x\n");
	assert_odd("SMARTPROF_DIR=\"$HOME/x\"\n");
	assert_odd("SMARTPROF_DIR=`pwd`\n");
	assert_odd("SMARTPROF_DIR=a\\ b\n");
	assert_odd("SMARTPROF_DIR=~/x\n");
	assert_odd("SMARTPROF_DIR='open\n");
	assert_odd("SMARTPROF_DIR=a b\n");
	assert_odd("SMARTPROF_DIR=a; rm x\n");
	assert_odd("SMARTPROF_DIR = a\n");
	assert_odd("SMARTPROF_DIR\n");
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "SMARTPROF_DIR=", 14);
	line[sizeof(line) - 1] = '\0';
	assert_odd(line);
}

static void too_much_is_told(void **state)
{
	static char text[80000];

	(void)state;
	for (int i = 0; i < 70; i++)
		strcat(text, "SMARTPROF_DIR=x\n");
	read_text(text);
	assert_int_equal(file.count, SP_FILE_SETTINGS);
	assert_string_equal(file.problem, "it has too many settings");
	memset(text, 0, sizeof(text));
	for (int i = 0; i < 10; i++) {
		strcat(text, "SMARTPROF_DIR=");
		memset(text + strlen(text), 'y', 800);
		strcat(text, "\n");
	}
	read_text(text);
	assert_in_range(file.count, 2, 5);
	assert_string_equal(file.problem, "its settings are too long");
	memset(text, '\n', sizeof(text) - 1);
	read_text(text);
	assert_string_equal(file.problem, "it is larger than 64 KiB");
}

static const struct sp_value *value_of(struct sp_config *config, enum sp_option option)
{
	sp_config_load(config, &where, &file);
	return &config->values[option];
}

static void stronger_sources_win(void **state)
{
	struct sp_config config;
	const struct sp_value *value;

	(void)state;
	read_text("\nSMARTPROF_CPU_SAMPLING_INTERVAL=3ms\nMEMORY_WARNING_THRESHOLD=100\n");
	value = value_of(&config, SP_OPT_CPU_INTERVAL);
	assert_int_equal(value->source, SP_SOURCE_FILE);
	assert_int_equal(value->number, 3000);
	assert_int_equal(value->line, 2);
	assert_int_equal(config.values[SP_OPT_MEMORY_WARNING_THRESHOLD].number, 100);
	assert_int_equal(config.values[SP_OPT_CONFIG].source, SP_SOURCE_DETECTED);
	where.envp = ENVIRONMENT("SMARTPROF_CPU_SAMPLING_INTERVAL=4ms", "MEMORY_WARNING_THRESHOLD=200");
	value = value_of(&config, SP_OPT_CPU_INTERVAL);
	assert_int_equal(value->source, SP_SOURCE_VARIABLE);
	assert_int_equal(value->number, 4000);
	assert_int_equal(config.values[SP_OPT_MEMORY_WARNING_THRESHOLD].number, 200);
	assert_string_equal(config.values[SP_OPT_MEMORY_WARNING_THRESHOLD].variable, "MEMORY_WARNING_THRESHOLD");
	where.envp = ENVIRONMENT("SMARTPROF_CPU_SAMPLING_INTERVAL=5ms", "SMARTPROF_FLAGS=cpu_interval",
		"MEMORY_WARNING_THRESHOLD=200", "SMARTPROF_MEMORY_WARNING_THRESHOLD=300MB");
	value = value_of(&config, SP_OPT_CPU_INTERVAL);
	assert_int_equal(value->source, SP_SOURCE_FLAG);
	assert_int_equal(value->number, 5000);
	assert_int_equal(config.values[SP_OPT_MEMORY_WARNING_THRESHOLD].number, 300);
}

/* A share is of the smallest limit; where none is known, the default stays. */
static void thresholds_may_be_shares_of_the_limit(void **state)
{
	struct sp_config config;
	const struct sp_value *value;

	(void)state;
	read_text("");
	where.envp = ENVIRONMENT("MEMORY_WARNING_THRESHOLD=80%", "MEMORY_CRITICAL_THRESHOLD=101%",
		"MEMORY_PROFILING_THRESHOLD=0%");
	value = value_of(&config, SP_OPT_MEMORY_WARNING_THRESHOLD);
	assert_int_equal(value->number,
		config.machine.memory_limit_bytes ? config.machine.memory_limit_bytes / 100 * 80 / 1000000 : 512);
	assert_int_equal(value->source, SP_SOURCE_VARIABLE);
	assert_int_equal(config.values[SP_OPT_MEMORY_CRITICAL_THRESHOLD].number, 1024);
	assert_string_equal(config.values[SP_OPT_MEMORY_CRITICAL_THRESHOLD].refused.text, "101%");
	assert_string_equal(config.values[SP_OPT_MEMORY_PROFILING_THRESHOLD].refused.text, "0%");
}

static void what_is_not_allowed_is_passed_over(void **state)
{
	struct sp_config config;
	const struct sp_value *value;
	char text[256];

	(void)state;
	read_text("SMARTPROF_CPU_SAMPLING_INTERVAL=3ms\nSMARTPROF_HEAP_INTERVAL=$x\n");
	where.envp = ENVIRONMENT("SMARTPROF_CPU_SAMPLING_INTERVAL=of\tten");
	value = value_of(&config, SP_OPT_CPU_INTERVAL);
	assert_int_equal(value->number, 3000);
	assert_int_equal(value->source, SP_SOURCE_FILE);
	sp_source_text(&config, &where, SP_OPT_CPU_INTERVAL, text, sizeof(text));
	assert_string_equal(text, "file line 1; SMARTPROF_CPU_SAMPLING_INTERVAL=of?ten is not allowed");
	value = &config.values[SP_OPT_HEAP_INTERVAL];
	assert_int_equal(value->source, SP_SOURCE_DEFAULT);
	assert_int_equal(value->refused.line, 2);
	sp_source_text(&config, &where, SP_OPT_HEAP_INTERVAL, text, sizeof(text));
	assert_non_null(strstr(text, "in the file's line 2 is not allowed"));
}

static void the_environment_can_stand_in_the_file(void **state)
{
	struct sp_config config;

	(void)state;
	where.envp = ENVIRONMENT("CI=true");
	read_text("SMARTPROF_ENV=production\n");
	sp_config_load(&config, &where, &file);
	assert_int_equal(config.environment, SP_ENV_PRODUCTION);
	assert_non_null(strstr(config.reason, "settings file"));
	assert_int_equal(config.values[SP_OPT_CPU_MAX_SAMPLES].number, 50000);
}

static void a_file_cannot_name_a_file(void **state)
{
	struct sp_config config;

	(void)state;
	read_text("SMARTPROF_CONFIG=/x\n");
	assert_string_equal(value_of(&config, SP_OPT_CONFIG)->text, "/home/ada/project/.env.profiling");
}

static void programs_can_be_chosen_in_the_file(void **state)
{
	(void)state;
	read_text("SMARTPROF_PROGRAM='redis-*, xz'\n");
	assert_true(sp_program_wanted(NULL, &file, "xz"));
	assert_false(sp_program_wanted(NULL, &file, "cat"));
	assert_true(sp_program_wanted(ENVIRONMENT("SMARTPROF_PROGRAM=cat"), &file, "cat"));
	read_text("SMARTPROF_ENABLED=off\n");
	assert_false(sp_program_wanted(NULL, &file, "xz"));
	assert_true(sp_program_wanted(ENVIRONMENT("SMARTPROF_ENABLED=1"), &file, "xz"));
}

static void errno_is_left_alone(void **state)
{
	(void)state;
	errno = ENOTTY;
	sp_file_read(&file, &where);
	assert_int_equal(errno, ENOTTY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_machine, drop_machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_nearest_file_upward_is_read),
		TEST(one_can_be_named),
		TEST(strangers_do_not_set_our_settings),
		TEST(groups_and_owners_are_strangers_too),
		TEST(one_that_is_named_may_stand_anywhere),
		TEST(what_is_run_and_written_is_not_told_by_a_found_file),
		TEST(links_and_proc_are_not_followed),
		TEST(what_is_no_file_is_not_waited_for),
		TEST(assignments_are_read_as_a_shell_would),
		TEST(what_only_a_shell_can_do_is_refused),
		TEST(too_much_is_told),
		TEST(stronger_sources_win),
		TEST(thresholds_may_be_shares_of_the_limit),
		TEST(what_is_not_allowed_is_passed_over),
		TEST(the_environment_can_stand_in_the_file),
		TEST(a_file_cannot_name_a_file),
		TEST(programs_can_be_chosen_in_the_file),
		TEST(errno_is_left_alone),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
