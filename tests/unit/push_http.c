/* Requests to a server of our own, which answers what the test says. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/push/http.h"

#define REQUEST_MOST 65536u

static struct {
	pthread_t thread;
	int listener;
	unsigned port;
	const char *answer, *rest; /* rest: sent again and again until nobody takes it any more */
	size_t rest_bytes;
	char request[REQUEST_MOST + 1];
} server;

static const char *header_end(size_t length)
{
	server.request[length] = '\0';
	return strstr(server.request, "\r\n\r\n");
}

static void read_request(int fd)
{
	size_t length = 0, wanted = SIZE_MAX;
	ssize_t n;

	while (length < wanted && length < REQUEST_MOST &&
		(n = read(fd, server.request + length, REQUEST_MOST - length)) > 0) {
		const char *end, *said;

		length += (size_t)n;
		end = header_end(length);
		said = strstr(server.request, "Content-Length: ");
		if (end)
			wanted = (size_t)(end + 4 - server.request) + (said ? strtoul(said + 16, NULL, 10) : 0);
	}
	server.request[length] = '\0';
}

static void *serve(void *unused)
{
	int fd = accept(server.listener, NULL, NULL);
	ssize_t n;

	(void)unused;
	if (fd < 0)
		return NULL;
	read_request(fd);
	if (server.answer && write(fd, server.answer, strlen(server.answer)) < 0)
		perror("write");
	while (server.rest && (n = send(fd, server.rest, strlen(server.rest), MSG_NOSIGNAL)) > 0) {
		server.rest_bytes += (size_t)n;
		if (strlen(server.rest) == 1)
			nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	}
	shutdown(fd, SHUT_WR);
	close(fd);
	return NULL;
}

/* One connection gets it. */
static void expect_one(const char *answer)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);

	server.answer = answer;
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server.listener, 1), 0);
	assert_int_equal(getsockname(server.listener, (struct sockaddr *)&at, &size), 0);
	server.port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static struct sp_http_answer answer;

static enum sp_http_end ask(const struct sp_http_options *options, const struct sp_http_request *given)
{
	struct sp_http_request request = *given;
	const char *why;
	struct sp_http *http = sp_http_open(options, &why);
	char url[64];
	enum sp_http_end end;

	assert_non_null(http);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/in?a=b", server.port);
	request.url = url;
	end = sp_http_send(http, &request, &answer);
	sp_http_close(http);
	pthread_join(server.thread, NULL);
	close(server.listener);
	return end;
}

static const struct sp_http_options plain = {.timeout_ms = 5000};
static const struct sp_http_request post = {.method = "POST", .body = "one two", .length = 7, .answer_most = 16};

static void what_is_sent_arrives(void **state)
{
	const char *const headers[] = {"X-Scope-OrgID: t", "Content-Type: text/plain", NULL};
	struct sp_http_options options = {.token = "s3cret", .timeout_ms = 5000};
	struct sp_http_request request = post;

	(void)state;
	request.headers = headers;
	expect_one("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
	assert_int_equal(ask(&options, &request), SP_HTTP_DONE);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.body.data, "fine");
	assert_false(answer.cut);
	assert_ptr_equal(strstr(server.request, "POST /in?a=b HTTP/1.1\r\n"), server.request);
	assert_non_null(strstr(server.request, "\r\nAuthorization: Bearer s3cret\r\n"));
	assert_non_null(strstr(server.request, "\r\nX-Scope-OrgID: t\r\n"));
	assert_null(strstr(server.request, "Expect"));
	assert_non_null(strstr(server.request, "\r\n\r\none two"));
	options.user = "me";
	expect_one("HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(ask(&options, &request), SP_HTTP_DONE);
	assert_non_null(strstr(server.request, "\r\nAuthorization: Basic bWU6czNjcmV0\r\n"));
	sp_buffer_free(&answer.body);
}

static void a_body_may_be_compressed(void **state)
{
	struct sp_http_request request = post;
	const char *body;

	(void)state;
	request.gzip = true;
	expect_one("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(ask(&plain, &request), SP_HTTP_DONE);
	assert_non_null(strstr(server.request, "\r\nContent-Encoding: gzip\r\n"));
	body = strstr(server.request, "\r\n\r\n");
	assert_memory_equal(body + 4, "\x1f\x8b", 2);
}

static void an_answer_is_bounded(void **state)
{
	(void)state;
	expect_one("HTTP/1.1 200 OK\r\n\r\n0123456789abcdefghij");
	assert_int_equal(ask(&plain, &post), SP_HTTP_DONE);
	assert_true(answer.cut);
	assert_string_equal(answer.body.data, "0123456789abcdef");
}

/* Who sends for ever, fast or slowly, in the body or before it, is left. */
static void what_does_not_end_is_left(void **state)
{
	const struct sp_http_options hurried = {.timeout_ms = 300};
	const struct sp_http_request much = {.method = "GET", .answer_most = 1000000};
	const char *const line = "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n";

	(void)state;
	server.rest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	expect_one("HTTP/1.1 200 OK\r\n\r\n");
	assert_int_equal(ask(&plain, &post), SP_HTTP_DONE);
	assert_true(answer.cut);
	server.rest = "x";
	expect_one("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	assert_int_equal(ask(&plain, &post), SP_HTTP_DONE);
	server.rest = "y";
	expect_one("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	assert_int_equal(ask(&hurried, &much), SP_HTTP_LATER);
	server.rest = line;
	server.rest_bytes = 0;
	expect_one("HTTP/1.1 200 OK\r\n");
	assert_int_equal(ask(&plain, &post), SP_HTTP_LATER);
	assert_true(server.rest_bytes < 64u << 20);
	server.rest = NULL;
	sp_buffer_free(&answer.body);
}

static void an_engine_that_repeats_a_token_tells_nobody(void **state)
{
	struct sp_http_options options = {.token = "s3cret", .timeout_ms = 5000};

	(void)state;
	expect_one("HTTP/1.1 401 No\r\n\r\nBearer s3cret? s3cret!");
	assert_int_equal(ask(&options, &(struct sp_http_request){.method = "GET", .answer_most = 1000}),
		SP_HTTP_DENIED);
	assert_null(strstr(answer.why, "s3cret"));
	assert_non_null(strstr(answer.why, "Bearer ******? ******!"));
	options.user = "me";
	expect_one("HTTP/1.1 403 No\r\n\r\nBasic bWU6czNjcmV0");
	assert_int_equal(ask(&options, &(struct sp_http_request){.method = "GET", .answer_most = 1000}),
		SP_HTTP_DENIED);
	assert_null(strstr(answer.why, "bWU6czNjcmV0"));
	sp_buffer_free(&answer.body);
}

static void ends_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum sp_http_end end;
		uint64_t retry_after_ms;
	} answers[] = {
		{"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", SP_HTTP_LATER, 7000},
		{"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", SP_HTTP_LATER, 0},
		{"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", SP_HTTP_DENIED, 0},
		{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", SP_HTTP_DENIED, 0},
		{"HTTP/1.1 307 Go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", SP_HTTP_DENIED, 0},
		{"HTTP/1.1 422 No\r\nContent-Length: 3\r\n\r\nbad", SP_HTTP_REFUSED, 0},
		{"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", SP_HTTP_REFUSED, 0},
		{"", SP_HTTP_LATER, 0},
		{"nonsense\r\n\r\n", SP_HTTP_LATER, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		expect_one(answers[i].text);
		assert_int_equal(ask(&plain, &post), answers[i].end);
		assert_int_equal(answer.retry_after_ms, answers[i].retry_after_ms);
		assert_true(answer.why[0]);
	}
	expect_one("HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\na\x1b[2J\nb\r\n");
	assert_int_equal(ask(&plain, &post), SP_HTTP_REFUSED);
	assert_string_equal(answer.why, "HTTP 400: a?[2J b");
}

static void nobody_there_is_later(void **state)
{
	const char *why;
	struct sp_http *http = sp_http_open(&plain, &why);
	struct sp_http_request request = post;

	(void)state;
	request.url = "http://127.0.0.1:1/";
	assert_int_equal(sp_http_send(http, &request, &answer), SP_HTTP_LATER);
	assert_int_equal(answer.status, 0);
	assert_true(answer.why[0]);
	sp_http_close(http);
}

static void a_token_is_not_sent_in_the_clear(void **state)
{
	const struct sp_http_options options = {.token = "t", .timeout_ms = 1000};
	const char *why;
	struct sp_http *http = sp_http_open(&options, &why);
	struct sp_http_request request = post;
	static const char *const others[] = {"http://192.0.2.1/", "http://127.0.0.1.example/",
		"http://localhost.example/", "http://127.0.0.1@192.0.2.1/", "http://[::2]/"};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		request.url = others[i];
		assert_int_equal(sp_http_send(http, &request, &answer), SP_HTTP_DENIED);
		assert_non_null(strstr(answer.why, "https"));
	}
	sp_http_close(http);
}

static void addresses_are_looked_at(void **state)
{
	static const char *const good[] = {
		"http://a", "https://a:1/b?c#d", "https://me@a/", "http://[::1]:80/x@y:z", "https://a/b@c:d"};
	static const char *const bad[] = {"ftp://a", "a", "http://", "http:///x", "https://me:secret@a/", "http://a b",
		"http://a\n", "http://\xc3\xa4", "http://?"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(sp_http_objection(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(sp_http_objection(bad[i]));
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	const int64_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
	static const struct {
		const char *text;
		uint64_t ms;
	} values[] = {{"120", 120000}, {" 3 \r\n", 3000}, {"0", 0}, {"99999999999999999999", 86400000},
		{"Sun, 06 Nov 1994 08:49:47 GMT", 10000}, {"Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0},
		{"Sun, 06 Nov 1994 08:49:27 GMT", 0}, {"Sun, 06 Nov 2094 08:49:37 GMT", 86400000},
		{"Sun, 06 Nov 1994 08:49:47", 0}, {"Sun, 06 Xyz 1994 08:49:47 GMT", 0},
		{"Sun, 06 ovD 1994 08:49:47 GMT", 0}, {"tomorrow", 0}, {"", 0}, {"-5", 0}, {"5x", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_int_equal(sp_http_retry_after_ms(values[i].text, now), values[i].ms);
}

static void clocks_differ(void **state)
{
	static const struct {
		int64_t ahead_s;
		const char *said;
	} values[] = {{0, NULL}, {119, NULL}, {-119, NULL},
		{120, "this machine's clock is 2 min ahead of the engine's"},
		{-10800, "this machine's clock is 3.0 h behind the engine's"},
		{400 * 86400, "this machine's clock is 400.0 d ahead of the engine's"}};
	const int64_t its_s = 784111777, began_s = time(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct sp_buffer text = {0};

		assert_int_equal(sp_http_clock_is_off(values[i].ahead_s, &text), values[i].said != NULL);
		if (values[i].said)
			assert_string_equal(text.data, values[i].said);
		sp_buffer_free(&text);
	}
	expect_one("HTTP/1.1 429 No\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\nContent-Length: 0\r\n"
		   "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
	assert_int_equal(ask(&plain, &post), SP_HTTP_LATER);
	assert_int_equal(answer.retry_after_ms, 60000); /* by the engine's clock */
	assert_in_range(answer.ahead_s, began_s - its_s, time(NULL) - its_s);
}

static void waits_grow_and_differ(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		uint64_t wait = sp_http_backoff_ms(3, 0);

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_in_range(least, 4000, 5000);
	assert_in_range(most, 7000, 8000);
	assert_in_range(sp_http_backoff_ms(0, 0), 500, 1000);
	assert_in_range(sp_http_backoff_ms(4000000000u, 0), 150000, 300000);
	assert_in_range(sp_http_backoff_ms(0, 20000), 20000, 22500);
}

static void tokens_come_from_files_or_variables(void **state)
{
	const char *why;
	char *token, path[] = "/tmp/push_http.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "abc\r\nrest", 9), 9);
	token = sp_http_token(path, "SP_TEST_TOKEN", &why);
	assert_string_equal(token, "abc");
	free(token);
	assert_int_equal(pwrite(fd, "a\x01", 2, 0), 2);
	assert_null(sp_http_token(path, NULL, &why));
	assert_non_null(why);
	unlink(path);
	close(fd);
	assert_null(sp_http_token(path, NULL, &why));
	assert_string_equal(why, "No such file or directory");
	setenv("SP_TEST_TOKEN", "xyz", 1);
	token = sp_http_token(NULL, "SP_TEST_TOKEN", &why);
	assert_string_equal(token, "xyz");
	free(token);
	setenv("SP_TEST_TOKEN", "x\ny", 1);
	assert_null(sp_http_token(NULL, "SP_TEST_TOKEN", &why));
	unsetenv("SP_TEST_TOKEN");
	token = sp_http_token(NULL, "SP_TEST_TOKEN", &why);
	assert_string_equal(token, "");
	free(token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_arrives),
		cmocka_unit_test(a_body_may_be_compressed),
		cmocka_unit_test(an_answer_is_bounded),
		cmocka_unit_test(what_does_not_end_is_left),
		cmocka_unit_test(an_engine_that_repeats_a_token_tells_nobody),
		cmocka_unit_test(ends_are_told_apart),
		cmocka_unit_test(nobody_there_is_later),
		cmocka_unit_test(a_token_is_not_sent_in_the_clear),
		cmocka_unit_test(addresses_are_looked_at),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(clocks_differ),
		cmocka_unit_test(waits_grow_and_differ),
		cmocka_unit_test(tokens_come_from_files_or_variables),
	};

	return cmocka_run_group_tests_name("push_http", tests, NULL, NULL);
}
