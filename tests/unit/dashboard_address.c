/* Where the dashboard is served, and which requests are answered. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/dashboard/serve.h"

static unsigned port_of(const struct sp_serve_address *address)
{
	const struct sockaddr_in6 *six =
		(const struct sockaddr_in6 *)&address->socket; /* the port lies there in both */

	return ntohs(six->sin6_port);
}

static void addresses_are_read(void **state)
{
	static const struct {
		const char *text;
		unsigned port;
		bool loopback;
	} good[] = {{NULL, SP_SERVE_PORT, true}, {"", SP_SERVE_PORT, true}, {"0", 0, true}, {"9000", 9000, true},
		{":9000", 9000, true}, {"127.0.0.1", SP_SERVE_PORT, true}, {"127.8.8.8:1", 1, true},
		{"LocalHost:65535", 65535, true}, {"[::1]", SP_SERVE_PORT, true}, {"[::1]:80", 80, true},
		{"0.0.0.0:80", 80, false}, {"[::]:80", 80, false}, {"192.168.1.2", SP_SERVE_PORT, false}};
	static const char *const bad[] = {"example.com", "localhost:", "127.0.0.1:65536", "127.0.0.1:-1",
		"127.0.0.1:8o", "[::1", "[::1]8", "1.2.3", "[127.0.0.1]:80x", "a:b:c",
		"[0123456789012345678901234567890123456789012345678901234567890123456789]:80"};
	struct sp_serve_address address;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(sp_serve_parse(&address, good[i].text));
		assert_int_equal(port_of(&address), good[i].port);
		assert_int_equal(address.loopback, good[i].loopback);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sp_serve_parse(&address, bad[i]));
}

static void only_own_hosts_are_answered(void **state)
{
	static const char *const own[] = {
		"127.0.0.1", "127.0.0.1:8717", "localhost", "LOCALHOST:80", "[::1]", "[::1]:8717", "192.168.1.2:80"};
	static const char *const others[] = {NULL, "", "evil.example", "evil.example:8717",
		"localhost.evil.example:8717", "127.0.0.1.evil.example", "127.0.0.1:80:80", "127.0.0.1:", "[::1].evil",
		"127.0.0.1@evil.example", "localhost ", "0x7f000001", "2130706433"};

	(void)state;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		assert_true(sp_serve_host_is_own(own[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(sp_serve_host_is_own(others[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(only_own_hosts_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
