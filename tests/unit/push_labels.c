/* Labels of profiles that are sent, targets, and what an engine's limits make
 * of a profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/base/json.h"
#include "profiles/export/export.h"
#include "profiles/model/folded.h"
#include "tests/unit/profile_written.h"
#include "tools/push/engine.h"
#include "tools/tools.h"

/* What main.c has, which completion asks for. */
sp_command_fn *sp_command_find(const char *name)
{
	(void)name;
	return NULL;
}
void sp_commands_put(bool topics)
{
	(void)topics;
}

static void labels_are_pairs(void **state)
{
	struct sp_push_labels labels = {0};
	const char *why;

	(void)state;
	assert_true(sp_push_labels_parse(&labels, "a=1,,b=x=y,c=,a=2", &why));
	assert_int_equal(labels.count, 3);
	assert_string_equal(sp_push_label(&labels, "a"), "1");
	assert_string_equal(sp_push_label(&labels, "b"), "x=y");
	assert_string_equal(sp_push_label(&labels, "c"), "");
	assert_null(sp_push_label(&labels, "d"));
	assert_false(sp_push_label_parse(&labels, "=x", &why));
	assert_false(sp_push_label_parse(&labels, "x", &why));
	assert_false(sp_push_labels_parse(&labels, "x=1,y", &why));
	assert_true(sp_push_label_parse(&labels, "comma=1,2", &why));
	assert_string_equal(sp_push_label(&labels, "comma"), "1,2");
	for (unsigned i = 0; labels.count < SP_PUSH_LABELS_MOST; i++) {
		char text[16];

		snprintf(text, sizeof(text), "n%u=1", i);
		assert_true(sp_push_label_parse(&labels, text, &why));
	}
	assert_false(sp_push_label_parse(&labels, "more=1", &why));
	sp_push_labels_free(&labels);
}

static void secrets_and_control_characters_stay_here(void **state)
{
	struct sp_push_labels labels = {0};

	(void)state;
	sp_push_label_add(&labels, "db_password", "hunter2");
	sp_push_label_add(&labels, "note", "ghp_0123456789abcdefghijABCDEFGHIJ012345");
	sp_push_label_add(&labels, "version", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	sp_push_label_add(&labels, "path", "C:\\x\\");
	assert_string_equal(sp_push_label(&labels, "path"), "C:\\x\\");
	sp_push_label_add(&labels, "x\ny", "a\x1b[2J\xff");
	assert_string_equal(sp_push_label(&labels, "db_password"), "[redacted]");
	assert_string_equal(sp_push_label(&labels, "note"), "[redacted]");
	assert_string_equal(sp_push_label(&labels, "version"), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	assert_string_equal(labels.list[4].name, "x\\x0ay");
	assert_string_equal(labels.list[4].value, "a\\x1b[2J\\xff");
	sp_push_labels_free(&labels);
}

static void names_become_valid_and_stay_apart(void **state)
{
	static const char *const reserved[] = {"mode", NULL};
	const struct sp_push_name_rules rules = {.most = 13, .name_bytes = 12, .value_bytes = 6, .reserved = reserved};
	struct sp_push_labels labels = {0}, valid = {0};
	static const char *const names[] = {
		"plain", "my-team", "my_team", "my.team", "9lives", "__name__", "mode", "b\xc3\xa4r"};
	size_t left_out;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		sp_push_label_add(&labels, names[i], "value\xc3\xa4");
	sp_push_labels_valid(&valid, &labels, &rules, &left_out);
	assert_string_equal(sp_push_label(&valid, "plain"), "value");
	assert_string_equal(sp_push_label(&valid, "my_team_original"), "my-tea");
	assert_string_equal(sp_push_label(&valid, "my_team_2_original"), "my_tea");
	assert_string_equal(sp_push_label(&valid, "my_team_3_original"), "my.tea");
	assert_non_null(sp_push_label(&valid, "_9lives"));
	assert_non_null(sp_push_label(&valid, "label__name_"));
	assert_null(sp_push_label(&valid, "__name__"));
	assert_non_null(sp_push_label(&valid, "mode_2"));
	assert_null(sp_push_label(&valid, "mode"));
	assert_int_equal(valid.count, 13);
	assert_int_equal(left_out, 1);
	for (size_t i = 0; i < valid.count; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(valid.list[i].name, valid.list[k].name);
	sp_push_labels_free(&labels);
	sp_push_labels_free(&valid);
}

static void targets_are_read(void **state)
{
	struct sp_push_target target;
	const char *why;

	(void)state;
	assert_true(sp_push_target_parse(&target, "pyroscope+https://me@host:4040/a/b//", &why));
	assert_string_equal(target.engine->name, "pyroscope");
	assert_string_equal(target.user, "me");
	assert_string_equal(target.base, "https://host:4040/a/b");
	assert_true(sp_push_target_parse(&target, "prometheus-textfile:/var/x", &why));
	assert_string_equal(target.base, "/var/x");
	assert_string_equal(target.text, "prometheus-textfile:/var/x");
	static const char *const bad[] = {"", "pyroscope", "pyroscope+", "pyroscope+host", "pyroscope:https://h",
		"pyro+https://h", "prometheus-textfile+http://h", "prometheus-textfile:", "parca+https://u:p@h",
		"parca+https://h?x", "parca+https://h/#x", "parca+https://", "parca+file:///etc/passwd"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_false(sp_push_target_parse(&target, bad[i], &why));
		assert_non_null(why);
	}
}

static struct sp_push_labels labels;
static struct sp_push_item item;

static void read_item(void)
{
	const char *why;

	sp_json_init();
	if (!written.text.length) {
		written_fill();
		written_render(false);
	}
	assert_true(sp_push_item_read(&item, &written.text, &labels, &why));
}

static void drop_item(void)
{
	sp_push_item_free(&item);
	sp_push_labels_free(&labels);
}

static double cpu_ns(const struct sp_profile *profile)
{
	double sum = 0;

	for (size_t i = 0; i < profile->path_count; i++)
		sum += (double)(profile->paths[i].user_ns + profile->paths[i].sys_ns);
	return sum;
}

static void stacks_beyond_the_limit_are_added_up(void **state)
{
	struct sp_folded folded = {0};
	double before;

	(void)state;
	read_item();
	before = cpu_ns(item.profile);
	assert_int_equal(sp_push_bound_stacks(item.profile, item.profile->path_count), 0);
	assert_true(sp_push_bound_stacks(item.profile, 1) > 0);
	assert_true(cpu_ns(item.profile) == before);
	sp_fold_functions(&folded, item.profile, SP_STACKS_CPU);
	assert_int_equal(folded.count, 1);
	assert_int_equal(folded.ids[folded.rows[0].first], SP_PSEUDO_REST);
	sp_folded_free(&folded);
	drop_item();
}

static void the_same_profile_has_the_same_id(void **state)
{
	unsigned char id[SP_PUSH_ID_BYTES];

	(void)state;
	read_item();
	memcpy(id, item.id, sizeof(id));
	drop_item();
	read_item();
	assert_memory_equal(id, item.id, sizeof(id));
	drop_item();
}

static void a_partial_success_is_a_refusal(void **state)
{
	static const char rejected[] = "\x0a\x07\x08\x02\x12\x03"
				       "bad";
	static const char warned[] = "\x0a\x05\x12\x03"
				     "old";
	static const char *const broken[] = {"\x0a\xff", "\x0a\x7f\x08\x02",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x0d\x01", "\x0a\x03\x08\xff\xff"};
	struct sp_http_answer answer = {.status = 200};
	char why[100] = "";

	(void)state;
	assert_true(sp_push_otlp_check(&answer, why, sizeof(why)));
	sp_buffer_add(&answer.body, rejected, sizeof(rejected) - 1);
	assert_false(sp_push_otlp_check(&answer, why, sizeof(why)));
	assert_string_equal(why, "it rejected 2 of the profiles: bad");
	sp_buffer_clear(&answer.body);
	sp_buffer_add(&answer.body, warned, sizeof(warned) - 1);
	assert_true(sp_push_otlp_check(&answer, why, sizeof(why)));
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		sp_buffer_clear(&answer.body);
		sp_buffer_puts(&answer.body, broken[i]);
		sp_push_otlp_check(&answer, why, sizeof(why));
	}
	sp_buffer_free(&answer.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_pairs),
		cmocka_unit_test(secrets_and_control_characters_stay_here),
		cmocka_unit_test(names_become_valid_and_stay_apart),
		cmocka_unit_test(targets_are_read),
		cmocka_unit_test_setup_teardown(stacks_beyond_the_limit_are_added_up, written_set_up,
			written_tear_down),
		cmocka_unit_test_setup_teardown(the_same_profile_has_the_same_id, written_set_up, written_tear_down),
		cmocka_unit_test(a_partial_success_is_a_refusal),
	};

	return cmocka_run_group_tests_name("push_labels", tests, NULL, NULL);
}
