/* The outbox: what is put there is there, whole, within its room, and what
 * others put there harms nobody. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/base/json.h"
#include "symbolize/base/memory.h"
#include "tools/push/outbox.h"
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

static char place[] = "/tmp/push_outbox.XXXXXX";
static struct sp_outbox box;

static int open_box(void **state)
{
	const char *why;

	(void)state;
	strcpy(place + strlen(place) - 6, "XXXXXX");
	if (!mkdtemp(place))
		return -1;
	setenv("XDG_STATE_HOME", place, 1);
	sp_json_init();
	return sp_outbox_open(&box, true, &why);
}

static int close_box(void **state)
{
	char command[128];

	(void)state;
	sp_outbox_close(&box);
	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	return system(command);
}

static void put(const char *target, const char *markdown)
{
	struct sp_outbox_entry entry = {.target = sp_copy_text(target), .token_file = sp_copy_text("/a\nb")};

	sp_push_label_add(&entry.labels, "na\nme", "va: lue\n");
	sp_push_label_add(&entry.labels, "b", "");
	sp_buffer_puts(&entry.markdown, markdown);
	assert_int_equal(sp_outbox_put(&box, &entry), 0);
	sp_outbox_entry_free(&entry);
}

static void what_is_put_comes_back(void **state)
{
	struct sp_outbox_entry entry;
	struct sp_outbox_file *files;
	const char *why;

	(void)state;
	put("one", "---\n\ntext: x\n");
	put("two", "");
	assert_int_equal(sp_outbox_list(&box, &files), 2);
	assert_true(sp_outbox_read(&box, files[0].name, &entry, &why));
	assert_string_equal(entry.target, "one");
	assert_string_equal(entry.token_file, "/a\nb");
	assert_null(entry.ca_file);
	assert_int_equal(entry.labels.count, 2);
	assert_string_equal(entry.labels.list[0].name, "na\\x0ame");
	assert_string_equal(entry.labels.list[0].value, "va: lue\\x0a");
	assert_string_equal(sp_push_label(&entry.labels, "b"), "");
	assert_string_equal(entry.markdown.data, "---\n\ntext: x\n");
	sp_outbox_entry_free(&entry);
	sp_outbox_refuse(&box, files[0].name);
	sp_outbox_remove(&box, files[1].name);
	free(files);
	assert_int_equal(sp_outbox_list(&box, &files), 1);
	assert_true(files[0].refused);
	free(files);
}

static void the_oldest_go_and_those_refused_first(void **state)
{
	struct sp_outbox_state known;
	struct sp_outbox_file *files;
	struct sp_outbox_entry entry;
	char text[1001];
	const char *why;

	(void)state;
	memset(text, 'x', 1000);
	text[1000] = '\0';
	box.bytes_most = 3500;
	put("a", text);
	put("b", text);
	put("c", text);
	assert_int_equal(sp_outbox_list(&box, &files), 3);
	sp_outbox_refuse(&box, files[1].name);
	free(files);
	put("d", text);
	put("e", text);
	assert_int_equal(sp_outbox_list(&box, &files), 3);
	for (int i = 0; i < 3; i++) {
		assert_true(sp_outbox_read(&box, files[i].name, &entry, &why));
		assert_int_equal(*entry.target, "cde"[i]);
		sp_outbox_entry_free(&entry);
	}
	free(files);
	sp_outbox_state_read(&box, "b", &known);
	assert_int_equal(known.dropped, 1);
	sp_outbox_state_read(&box, "c", &known);
	assert_int_equal(known.dropped, 0);
	box.bytes_most = 10; /* what is new is kept in any case */
	put("f", text);
	assert_int_equal(sp_outbox_list(&box, &files), 1);
	free(files);
}

static void write_file(const char *name, const char *text)
{
	int fd = openat(box.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void what_is_damaged_is_said_to_be(void **state)
{
	static const char *const texts[] = {"", "smartprof-outbox/1", "smartprof-outbox/1\n", "smartprof-outbox/1\n\n",
		"smartprof-outbox/1\ntarget: x", "smartprof-outbox/1\ntarget: x\n", "smartprof-outbox/1\ntarget\n\n",
		"smartprof-outbox/2\ntarget: x\n\n", "smartprof-outbox/1\nname: x\nvalue: y\n\n"};
	struct sp_outbox_entry entry;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file("1.1.00.entry", texts[i]);
		assert_false(sp_outbox_read(&box, "1.1.00.entry", &entry, &why));
		assert_string_equal(why, "it is damaged");
	}
	write_file("1.1.00.entry", "smartprof-outbox/1\ntarget: x\nnews: y\nvalue: without a name\n\n");
	assert_true(sp_outbox_read(&box, "1.1.00.entry", &entry, &why));
	assert_int_equal(entry.labels.count, 0);
	sp_outbox_entry_free(&entry);
	assert_int_equal(symlinkat("1.1.00.entry", box.fd, "2.1.00.entry"), 0);
	assert_false(sp_outbox_read(&box, "2.1.00.entry", &entry, &why));
}

static void add_one(struct sp_outbox_state *state, void *context)
{
	state->sent++;
	state->failed_in_row = *(unsigned *)context;
	snprintf(state->last_error, sizeof(state->last_error), "a\"b\xff");
}

static void states_are_kept(void **state)
{
	struct sp_outbox_state known, *all;
	unsigned failed = 7;

	(void)state;
	sp_outbox_state_read(&box, "t", &known);
	assert_int_equal(known.sent, 0);
	sp_outbox_state_change(&box, "t", add_one, &failed);
	sp_outbox_state_change(&box, "t", add_one, &failed);
	sp_outbox_state_read(&box, "t", &known);
	assert_int_equal(known.sent, 2);
	assert_int_equal(known.failed_in_row, 7);
	assert_string_equal(known.target, "t");
	assert_string_equal(known.last_error, "a\"b\\xff");
	assert_int_equal(sp_outbox_states(&box, &all), 1);
	free(all);
	write_file("0123456789abcdef.state", "{\"target\": 5, \"sent\": -1}");
	write_file("0123456789abcdee.state", "nonsense");
	assert_int_equal(sp_outbox_states(&box, &all), 1);
	free(all);
}

static void one_process_sends(void **state)
{
	struct sp_outbox other = box;

	(void)state;
	assert_true(sp_outbox_lock(&box));
	assert_false(sp_outbox_lock(&other));
	sp_outbox_unlock(&box);
	assert_true(sp_outbox_lock(&other));
	sp_outbox_unlock(&other);
}

static void a_place_that_others_write_to_is_none(void **state)
{
	struct sp_outbox other;
	const char *why;

	(void)state;
	assert_int_equal(fchmod(box.fd, 0730), 0);
	assert_true(sp_outbox_open(&other, true, &why) < 0);
	assert_non_null(strstr(why, "this user alone"));
	assert_int_equal(other.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_put_comes_back, open_box, close_box),
		cmocka_unit_test_setup_teardown(the_oldest_go_and_those_refused_first, open_box, close_box),
		cmocka_unit_test_setup_teardown(what_is_damaged_is_said_to_be, open_box, close_box),
		cmocka_unit_test_setup_teardown(states_are_kept, open_box, close_box),
		cmocka_unit_test_setup_teardown(one_process_sends, open_box, close_box),
		cmocka_unit_test_setup_teardown(a_place_that_others_write_to_is_none, open_box, close_box),
	};

	return cmocka_run_group_tests_name("push_outbox", tests, NULL, NULL);
}
