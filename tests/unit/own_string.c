/* The agent's own copies of the C library's simple functions do what the C library's do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sampler/arch.h"

#define OWN(name) own_##name
#define memcpy OWN(memcpy)
#define memmove OWN(memmove)
#define memset OWN(memset)
#define memcmp OWN(memcmp)
#define bcmp OWN(bcmp)
#define memchr OWN(memchr)
#define strlen OWN(strlen)
#define strnlen OWN(strnlen)
#define strcmp OWN(strcmp)
#define strncmp OWN(strncmp)
#define strchr OWN(strchr)
#define strrchr OWN(strrchr)
#define strstr OWN(strstr)
#define strspn OWN(strspn)
#define strcspn OWN(strcspn)
#define stpcpy OWN(stpcpy)
#define strcpy OWN(strcpy)
#define sigemptyset OWN(sigemptyset)
#define sigfillset OWN(sigfillset)
#define sigaddset OWN(sigaddset)
#define sigdelset OWN(sigdelset)
#define sigismember OWN(sigismember)
#define sigorset OWN(sigorset)
/* As in the agent, these are compiled without a look at what they are called with. */
char *strcpy(char *restrict out, const char *restrict in) __attribute__((noinline));
char *stpcpy(char *restrict out, const char *restrict in) __attribute__((noinline));
#include "preload/own_string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strspn
#undef strcspn
#undef stpcpy
#undef strcpy
#undef sigemptyset
#undef sigfillset
#undef sigaddset
#undef sigdelset
#undef sigismember
#undef sigorset

#define ROUNDS 20000

static unsigned char a[600], b[600];

static void fill(unsigned char *to, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (unsigned char)(rand() % 5 ? rand() % 3 : rand());
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void memory_of_any_size_and_overlap(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		size_t from = (size_t)rand() % 64, to = (size_t)rand() % 64, bytes = (size_t)rand() % 500;

		fill(a, sizeof a);
		memcpy(b, a, sizeof a);
		assert_ptr_equal(own_memmove(a + to, a + from, bytes), a + to);
		memmove(b + to, b + from, bytes);
		assert_memory_equal(a, b, sizeof a);
		fill(b, sizeof b);
		assert_ptr_equal(own_memcpy(a + to, b + from, bytes), a + to);
		assert_memory_equal(a + to, b + from, bytes);
		assert_int_equal(own_memcmp(a + to, b + from, bytes), 0);
		a[to + bytes / 2] ^= 1;
		assert_int_equal(sign(own_memcmp(a + to, b + from, bytes)), sign(memcmp(a + to, b + from, bytes)));
		memcpy(b, a, sizeof a);
		assert_ptr_equal(own_memset(a + to, i, bytes), a + to);
		memset(b + to, i, bytes);
		assert_memory_equal(a, b, sizeof a);
		fill(a, sizeof a);
		assert_ptr_equal(own_memchr(a + from, i & 0xff, bytes), memchr(a + from, i & 0xff, bytes));
	}
}

/* A text of a few letters, so that much is the same. */
static const char *text(unsigned char *buffer)
{
	size_t length = (size_t)rand() % 12, i;

	for (i = 0; i < length; i++)
		buffer[i] = (unsigned char)"ab\xe4/"[rand() % 4];
	buffer[length] = 0;
	return (const char *)buffer;
}

static void texts(void **state)
{
	char one[32], two[32];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		const char *s = text(a), *t = text(b);
		size_t n = (size_t)rand() % 14;
		int c = "ab\xe4/z"[rand() % 6];

		assert_int_equal(own_strlen(s), strlen(s));
		assert_int_equal(own_strnlen(s, n), strnlen(s, n));
		assert_int_equal(sign(own_strcmp(s, t)), sign(strcmp(s, t)));
		assert_int_equal(sign(own_strncmp(s, t, n)), sign(strncmp(s, t, n)));
		assert_ptr_equal(own_strchr(s, c), strchr(s, c));
		assert_ptr_equal(own_strrchr(s, c), strrchr(s, c));
		assert_ptr_equal(own_strstr(s, t), strstr(s, t));
		assert_int_equal(own_strspn(s, t), strspn(s, t));
		assert_int_equal(own_strcspn(s, t), strcspn(s, t));
		assert_ptr_equal(own_stpcpy(one, s), one + strlen(s));
		assert_ptr_equal(own_strcpy(two, s), two);
		assert_string_equal(one, s);
		assert_string_equal(two, s);
	}
}

static void sets_of_signals(void **state)
{
	sigset_t own, theirs, other;

	(void)state;
	own_sigfillset(&own);
	sigfillset(&theirs);
	assert_memory_equal(&own, &theirs, SIGNALS / 8);
	own_sigdelset(&own, SIGSEGV);
	sigdelset(&theirs, SIGSEGV);
	own_sigdelset(&own, 64);
	sigdelset(&theirs, 64);
	assert_memory_equal(&own, &theirs, SIGNALS / 8);
	own_sigemptyset(&own);
	sigemptyset(&theirs);
	own_sigaddset(&own, 1);
	sigaddset(&theirs, 1);
	assert_memory_equal(&own, &theirs, SIGNALS / 8);
	sigemptyset(&other);
	sigaddset(&other, SIGPROF);
	own_sigorset(&own, &own, &other);
	sigorset(&theirs, &theirs, &other);
	assert_memory_equal(&own, &theirs, SIGNALS / 8);
	for (int i = 1; i <= 64; i++)
		assert_int_equal(own_sigismember(&own, i), sigismember(&theirs, i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_of_any_size_and_overlap),
		cmocka_unit_test(texts),
		cmocka_unit_test(sets_of_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
