/* What is hidden of a command line, and what stays: tests/fixtures/secrets.txt, one form a line, its arguments separated
 * by tabs. "hidden": HUSH, of which every secret there has a part, must not be left; "open": it stays as it is. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "profiles/redact/redact.h"

#define LINE_MAX_BYTES 1024

/* Arguments separated by tabs, "\n" for a line's end, as the spool has them. Returns their size. */
static size_t make_command(char *command, const char *line)
{
	size_t n = 0;

	for (; *line && *line != '\n'; line++) {
		command[n++] = *line == '\t' ? '\0' : *line;
		if (line[0] == '\\' && line[1] == 'n') {
			command[n - 1] = '\n';
			line++;
		}
	}
	command[n] = command[n + 1] = '\0';
	return n + 2;
}

/* As one would read it: arguments with spaces between them. */
static void make_expected(char *text, const char *command, size_t size)
{
	memcpy(text, command, size);
	for (size_t i = 0; i + 2 < size; i++)
		if (!text[i])
			text[i] = ' ';
}

static void the_corpus(void **state)
{
	FILE *file = fopen("tests/fixtures/secrets.txt", "r");
	char line[LINE_MAX_BYTES], command[LINE_MAX_BYTES + 2], expected[LINE_MAX_BYTES + 2];
	size_t hidden = 0, open = 0, wrong = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		bool secret = strncmp(line, "hidden\t", 7) == 0;
		size_t size = make_command(command, strchr(line, '\t') + 1);
		struct sp_buffer out = {0};

		make_expected(expected, command, size);
		sp_redact_command(&out, command, size);
		if (secret ? strcasestr(out.data, "hush") != NULL || !strstr(out.data, SP_REDACTED)
			   : strcmp(out.data, expected) != 0) {
			printf("  %s: %s -> %s\n", secret ? "hidden" : "open", expected, out.data);
			wrong++;
		}
		hidden += secret;
		open += !secret;
		sp_buffer_free(&out);
	}
	fclose(file);
	assert_int_equal(wrong, 0);
	assert_true(hidden >= 150 && open >= 50);
}

/* Arguments separated by '\x01'. */
static void assert_redacted(const char *args, const char *expected)
{
	char list[1024] = {0};
	struct sp_buffer out = {0};
	size_t n = strlen(args);

	for (size_t i = 0; i < n; i++)
		list[i] = (char)(args[i] == '\x01' ? '\0' : args[i]);
	sp_buffer_puts(&out, "");
	sp_redact_command(&out, list, n + 2);
	assert_string_equal(out.data, expected);
	sp_buffer_free(&out);
}

static void what_is_around_secrets_stays(void **state)
{
	(void)state;
	assert_redacted("app\x01--password=x\x01"
			"file",
		"app --password=[redacted] file");
	assert_redacted("app\x01--token\x01"
			"abc\x01-v",
		"app --token [redacted] -v");
	assert_redacted("app\x01--token\x01-v", "app --token -v");
	assert_redacted("env\x01"
			"API_KEY=abc\x01"
			"A=b",
		"env API_KEY=[redacted] A=b");
	assert_redacted("curl\x01-H\x01"
			"Authorization: Bearer abc\x01-v",
		"curl -H Authorization: [redacted] -v");
	assert_redacted("curl\x01https://u:p@host/x?token=1x&b=2",
		"curl https://[redacted]@host/x?token=[redacted]&b=2");
	assert_redacted("app\x01--url=postgres://u:p@h/db", "app --url=postgres://[redacted]@h/db");
	assert_redacted("app\x01http://a:b@c/,http://d:e@f/g", "app http://[redacted]@c/,http://[redacted]@f/g");
	assert_redacted("mysql\x01-uroot\x01-phunter\x01"
			"db",
		"mysql -uroot -p[redacted] db");
	assert_redacted("curl\x01-u\x01joe:x\x01-o\x01"
			"file",
		"curl -u joe:[redacted] -o file");
	assert_redacted("app\x01x/ghp_0123456789abcdefghij;y", "app x/[redacted];y");
	assert_redacted("app\x01--secret-file", "app --secret-file");
	assert_redacted("app\x01\x01last\x01", "app '' last ''");
	assert_redacted("", "''");
}

static void one_text(void **state)
{
	static const char *const texts[][2] = {{"nginx: worker process", "nginx: worker process"},
		{"feature/login", "feature/login"}, {"app --token=abc", "app --token=[redacted]"}, {"", ""},
		{"NODE_ENV=production", "NODE_ENV=production"}, {"AKIA0123456789ABCDEF", "[redacted]"}};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sp_buffer out = {0};

		sp_redact_text(&out, texts[i][0], strlen(texts[i][0]));
		assert_string_equal(out.data, texts[i][1]);
		sp_buffer_free(&out);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* 8 to 40 letters and digits, with a sign or two. */
static void make_secret(char *secret, uint32_t *seed)
{
	static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!$/+#%&";
	size_t length = 8 + next_random(seed) % 33;

	for (size_t i = 0; i < length; i++)
		secret[i] = bytes[next_random(seed) % (sizeof(bytes) - 1)];
	secret[0] = 'q';
	secret[length] = '\0';
}

/* Whatever it is made of, a secret behind a secret's name is never left, nor six bytes of it. */
static void no_piece_of_a_named_secret_is_left(void **state)
{
	static const char *const forms[] = {"app\x01--password=%s", "app\x01--password\x01%s", "app\x01--api-key:%s",
		"app\x01--DB_PASSWD='%s %s'\x01x", "app\x01{\"token\": \"%s\"}",
		"app\x01"
		"Authorization:\x01"
		"Bearer\x01%s",
		"app\x01--x=1,secret=%s",
		("sh\x01-c\x01"
		 "X_TOKEN=%s exec app"),
		"app\x01--credential \"%s\x01%s\" ", "app\x01https://h/?a=b;access_token=%s", "mysql\x01-p%s",
		"redis-cli\x01-a\x01%s"};
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		const char *form = forms[i % (sizeof(forms) / sizeof(forms[0]))];
		char secret[64], command[256] = {0};
		struct sp_buffer out = {0};
		int n;

		make_secret(secret, &seed);
		if (strstr(form, "?a=b")) /* there & ends a value */
			for (char *p = secret; (p = strchr(p, '&'));)
				*p = '_';
		n = snprintf(command, sizeof(command) - 2, form, secret, secret);
		for (int k = 0; k < n; k++)
			command[k] = (char)(command[k] == '\x01' ? '\0' : command[k]);
		sp_redact_command(&out, command, (size_t)n + 2);
		for (size_t k = 0; secret[k + 5]; k++) {
			char piece[7] = {0};

			memcpy(piece, secret + k, 6);
			if (strstr(out.data, piece))
				fail_msg("%s: %s is left in %s", form, piece, out.data);
		}
		sp_buffer_free(&out);
	}
}

static double seconds_for(const char *pattern, size_t size)
{
	char *args = malloc(size + 2);
	size_t length = strlen(pattern);
	struct sp_buffer out = {0};
	clock_t start = clock();

	for (size_t i = 0; i < size; i++)
		args[i] = pattern[i % length];
	args[size] = args[size + 1] = '\0';
	sp_redact_command(&out, args, size + 2);
	sp_buffer_free(&out);
	free(args);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* So many times as long for eight times the length, where squares would be 64: AddressSanitizer looks at whole ranges. */
#ifdef __SANITIZE_ADDRESS__
#define MOST_TIMES 40
#else
#define MOST_TIMES 24
#endif

/* Of twice the length it takes twice the time, not four times. */
static void it_takes_linear_time(void **state)
{
	static const char *const patterns[] = {"a =:?&@/", "://", "a:", "a=", "token-limit=", "key=1 ", "?key=1", "sk-",
		"/a", "a://b:c@d", "eyJ", " ", "\"", "' ", "@", "-u a", "\xff", "=:", "http://x?token=1&", "%3D",
		"-----BEGIN", "a.b"};

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		double small = seconds_for(patterns[i], 1 << 17), large = seconds_for(patterns[i], 1 << 20);

		if (large > 0.2 + MOST_TIMES * small)
			fail_msg("%s: %.3f s and %.3f s", patterns[i], small, large);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_corpus),
		cmocka_unit_test(what_is_around_secrets_stays),
		cmocka_unit_test(one_text),
		cmocka_unit_test(no_piece_of_a_named_secret_is_left),
		cmocka_unit_test(it_takes_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
