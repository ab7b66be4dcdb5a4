/* Hostile names stay names, and secrets stay secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiles/base/escape.h"
#include "profiles/base/shorten.h"

static const char *const hostile[] = {
	"a|b",
	"`code`",
	"<script>alert(1)</script>",
	"&lt;&#124;",
	"*bold*",
	"__init__",
	"_x_ _y_",
	"[a](http://b)",
	"[a]: http://b",
	"![i](j)",
	"line\nbreak",
	"tab\there",
	"\x1b[31mred",
	"cr\rlf",
	"back\\slash",
	"trailing\\",
	"\\|",
	"\\\\|",
	"\xe2\x80\xae"
	"evil",
	"zero\xe2\x80\x8bwidth",
	"bad\xff\xfeutf8",
	"\xc3",
	"\xe2\x82",
	"\xf8\x88",
	"\xed\xa0\x80",
	"\xc0\xaf",
	"~~gone~~",
	"~Foo",
	"</details>",
	"```",
	"---",
	"# heading",
	"- item",
	"1. one",
	"> quote",
	"std::map<std::string, int>::operator[](std::string const&)",
	"operator|",
	"operator||(a, b)",
	"a\x7f"
	"b",
	"\xc2\x85next",
	"\xef\xbb\xbf"
	"bom",
	"http://x.y/z",
	"www.x.y",
	"WWW.example.com/a",
	"mail@example.com",
	"memcpy@GLIBC_2.14",
	"[x] done",
	"\xe3\x85\xa4"
	"filler",
	"$HOME",
	"| a | b |",
	"",
	" ",
	"\xf0\x9f\x98\x80",
	"größe",
};

#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void assert_escaped(enum sp_escape how, const char *text, const char *expected)
{
	struct sp_buffer out = {0};

	sp_buffer_puts(&out, "");
	sp_escape(&out, how, text, strlen(text));
	assert_string_equal(out.data, expected);
	sp_buffer_free(&out);
}

static void cells_are_escaped_where_needed(void **state)
{
	(void)state;
	assert_escaped(SP_ESCAPE_CELL, "a|b", "a\\|b");
	assert_escaped(SP_ESCAPE_CELL, "__libc_start_main", "__libc_start_main");
	assert_escaped(SP_ESCAPE_CELL, "__init__", "__init\\_\\_");
	assert_escaped(SP_ESCAPE_CELL, "[unsampled]", "[unsampled]");
	assert_escaped(SP_ESCAPE_CELL, "[a](b)", "[a\\](b)");
	assert_escaped(SP_ESCAPE_CELL, "vector<int>&", "vector\\<int\\>\\&");
	assert_escaped(SP_ESCAPE_CELL, "a\nb", "a\\\\x0ab");
	assert_escaped(SP_ESCAPE_CELL, "\\|", "\\\\\\|");
	assert_escaped(SP_ESCAPE_CELL, "memcpy@@GLIBC_2.14", "memcpy@@GLIBC_2.14");
	assert_escaped(SP_ESCAPE_CELL, "a@b.c", "a\\\\x40b.c");
	assert_escaped(SP_ESCAPE_CELL, "1. one", "1\\. one");
	assert_escaped(SP_ESCAPE_CELL, "libfoo.so.1", "libfoo.so.1");
	assert_escaped(SP_ESCAPE_PLAIN, "a|b\n\\", "a|b\\x0a\\\\");
	assert_escaped(SP_ESCAPE_PLAIN, "\xe2\x80\xae", "\\xe2\\x80\\xae");
	assert_escaped(SP_ESCAPE_PLAIN, "\xffgröße", "\\xffgröße");
	assert_escaped(SP_ESCAPE_PLAIN, "\xed\xa0\x80", "\\xed\\xa0\\x80");
}

static void plain_escapes_are_undone(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOSTILE; i++) {
		struct sp_buffer out = {0};

		sp_buffer_puts(&out, "");
		sp_escape(&out, SP_ESCAPE_PLAIN, hostile[i], strlen(hostile[i]));
		assert_null(strpbrk(out.data, "\n\r\t\x1b"));
		sp_unescape(out.data);
		assert_string_equal(out.data, hostile[i]);
		sp_buffer_free(&out);
	}
}

static void every_byte_survives_a_round_trip(void **state)
{
	char text[600];
	size_t n = 0;

	(void)state;
	for (unsigned c = 1; c < 256; c++) {
		text[n++] = (char)c;
		text[n++] = (char)(c * 7 % 255 + 1);
	}
	text[n] = '\0';
	struct sp_buffer out = {0};
	sp_escape(&out, SP_ESCAPE_PLAIN, text, n);
	assert_int_equal(sp_unescape(out.data), n);
	assert_string_equal(out.data, text);
	sp_buffer_free(&out);
}

static void long_names_are_shortened_and_stay_apart(void **state)
{
	char a[5001], b[5001];
	struct sp_buffer x = {0}, y = {0};

	(void)state;
	memset(a, 'a', 5000);
	memset(b, 'a', 5000);
	a[5000] = b[5000] = '\0';
	b[4000] = 'b';
	sp_escape_name(&x, SP_ESCAPE_CELL, a);
	sp_escape_name(&y, SP_ESCAPE_CELL, b);
	assert_true(x.length <= SP_NAME_CHARS + 4);
	assert_string_not_equal(x.data, y.data);
	assert_non_null(strstr(x.data, "a…a"));
	assert_int_equal(x.data[x.length - 9], '#');
	sp_buffer_clear(&x);
	a[SP_NAME_CHARS] = '\0';
	sp_escape_name(&x, SP_ESCAPE_CELL, a);
	assert_string_equal(x.data, a);
	sp_buffer_free(&x);
	sp_buffer_free(&y);
}

static void assert_shortened(const char *name, const char *expected)
{
	struct sp_buffer out = {0};

	sp_shorten_name(&out, name);
	out.data[out.length - 8] = '\0';
	assert_string_equal(out.data, expected);
	sp_buffer_free(&out);
}

/* Template arguments go first, from the inside, and only as many levels as it takes; operators'
 * brackets are none. */
static void template_arguments_go_first(void **state)
{
	(void)state;
	assert_shortened("std::map<std::pair<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, "
			 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb>, int>::at(int const&)",
		"std::map<std::pair<…>, int>::at(int const&)#");
	assert_shortened("ns::operator<< <aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, "
			 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb>(ns::out&)",
		"ns::operator<< <…>(ns::out&)#");
	assert_shortened("p<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, "
			 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb>::operator->() const",
		"p<…>::operator->() const#");
	assert_shortened(
		"first_half_of_a_name_without_any_arguments_that_is_much_longer_than_a_line_can_take_and_goes_on_"
		"and_on_until_it_gets_to_its_end",
		"first_half_of_a_name_without_any_arguments_that_is_much_longer_tha…_and_goes_on_and_on_until_it_gets_"
		"to_its_end#");
}

static void names_of_any_length_and_nesting_fit(void **state)
{
	static const char *const pieces[] = {"<", ">", "a<", "b<c>", "<<>", "operator<", "\xc3\xa4", "\xff", "->"};
	char *name = malloc(70000);

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct sp_buffer out = {0};
		size_t n = 0, chars = 0;

		for (; n + 10 < 65536; n += strlen(pieces[i]))
			strcpy(name + n, pieces[i]);
		sp_shorten_name(&out, name);
		for (size_t at = 0, bytes; at < out.length; at += bytes, chars++) {
			uint32_t code;

			bytes = sp_utf8_length(out.data + at, out.length - at, &code);
			bytes = bytes ? bytes : 1;
		}
		assert_true(chars <= SP_NAME_CHARS);
		sp_buffer_free(&out);
	}
	free(name);
}

static int lines_with(const char *text, const char *needle)
{
	int n = 0;

	while ((text = strstr(text, needle))) {
		n++;
		text += strlen(needle);
	}
	return n;
}

/* What a Markdown renderer makes of a table of hostile names: one row each, three cells, no markup. */
static void tables_stay_tables(void **state)
{
	char path[] = "/tmp/profile_escape.XXXXXX", command[256], html[65536];
	struct sp_buffer out = {0};
	FILE *pipe;
	int fd = mkstemp(path);

	(void)state;
	if (system("command -v cmark-gfm >/dev/null") != 0)
		skip();
	sp_buffer_puts(&out, "| A | Name | B |\n|---|:---|---|\n");
	for (size_t i = 0; i < HOSTILE; i++) {
		sp_buffer_puts(&out, "| 1 | ");
		sp_escape_name(&out, SP_ESCAPE_CELL, hostile[i]);
		sp_buffer_puts(&out, " | 2 |\n");
	}
	assert_int_equal(sp_buffer_write(&out, fd), 0);
	snprintf(command, sizeof(command), "cmark-gfm --unsafe -e table -e strikethrough -e autolink %s", path);
	pipe = popen(command, "r");
	html[fread(html, 1, sizeof(html) - 1, pipe)] = '\0';
	pclose(pipe);
	unlink(path);
	assert_int_equal(lines_with(html, "<tr>"), HOSTILE + 1);
	assert_int_equal(lines_with(html, "<td>1</td>"), HOSTILE);
	assert_int_equal(lines_with(html, "<td>2</td>"), HOSTILE);
	assert_int_equal(lines_with(html, "<td"), 3 * HOSTILE);
	for (const char *tag = strchr(html, '<'); tag; tag = strchr(tag + 1, '<'))
		if (strncmp(tag, "<t", 2) != 0 && strncmp(tag, "</t", 3) != 0)
			fail_msg("markup came through: %.60s", tag);
	assert_non_null(strstr(html, "&lt;script&gt;"));
	sp_buffer_free(&out);
}

static void yaml_is_quoted_where_it_must_be(void **state)
{
	static const struct {
		const char *text;
		bool is_text;
		const char *expected;
	} cases[] = {{"xz -T1 file", true, "xz -T1 file"}, {"0", false, "0"}, {"12e45", true, "\"12e45\""},
		{"a: b", true, "\"a: b\""}, {"# c", true, "\"# c\""}, {"", true, "\"\""}, {"yes", true, "\"yes\""},
		{"say \"hi\"", true, "\"say \\\"hi\\\"\""}, {"a\nb", true, "\"a\\x0ab\""}, {"- x", true, "\"- x\""},
		{"signal 9", false, "signal 9"}, {"{a}", true, "\"{a}\""}, {"---", true, "\"---\""}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sp_buffer out = {0};

		sp_escape_yaml(&out, cases[i].text, cases[i].is_text);
		assert_string_equal(out.data, cases[i].expected);
		sp_buffer_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_are_escaped_where_needed),
		cmocka_unit_test(plain_escapes_are_undone),
		cmocka_unit_test(every_byte_survives_a_round_trip),
		cmocka_unit_test(long_names_are_shortened_and_stay_apart),
		cmocka_unit_test(template_arguments_go_first),
		cmocka_unit_test(names_of_any_length_and_nesting_fit),
		cmocka_unit_test(tables_stay_tables),
		cmocka_unit_test(yaml_is_quoted_where_it_must_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
