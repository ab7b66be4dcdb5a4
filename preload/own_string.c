/* Our own copies of the C library's simplest functions, hidden: see libc.h. The most frequent calls, the compiler's
 * included, are memcpy and memset of a few words. */
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "sampler/arch.h"

/* Loops stay loops: to the compiler, memcpy's looks like a call of memcpy. */
#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#define SHORT_BYTES 128u

/* Words at any address, of any type. */
typedef uint64_t __attribute__((may_alias, aligned(1))) word;

void *memcpy(void *restrict out, const void *restrict in, size_t bytes)
{
	unsigned char *to = out;
	const unsigned char *from = in;

	if (bytes > SHORT_BYTES) {
		sp_copy_bytes(out, in, bytes);
		return out;
	}
	for (; bytes >= sizeof(word); bytes -= sizeof(word), to += sizeof(word), from += sizeof(word))
		*(word *)to = *(const word *)from;
	for (; bytes; bytes--)
		*to++ = *from++;
	return out;
}

void *memmove(void *out, const void *in, size_t bytes)
{
	unsigned char *to = out;
	const unsigned char *from = in;

	if ((uintptr_t)out - (uintptr_t)in >= bytes)
		return memcpy(out, in, bytes);
	while (bytes--)
		to[bytes] = from[bytes];
	return out;
}

void *memset(void *out, int c, size_t bytes)
{
	unsigned char *to = out;
	uint64_t pattern = (unsigned char)c * 0x0101010101010101u;

	if (bytes > SHORT_BYTES) {
		sp_fill_bytes(out, c, bytes);
		return out;
	}
	for (; bytes >= sizeof(word); bytes -= sizeof(word), to += sizeof(word))
		*(word *)to = pattern;
	for (; bytes; bytes--)
		*to++ = (unsigned char)c;
	return out;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const unsigned char *x = a, *y = b;

	for (; bytes && *x == *y; bytes--)
		x++, y++;
	return bytes ? *x - *y : 0;
}

/* What clang makes of a memcmp that only asks for equality. */
int bcmp(const void *a, const void *b, size_t bytes)
{
	return memcmp(a, b, bytes);
}

void *memchr(const void *in, int c, size_t bytes)
{
	const unsigned char *p = in;

	for (; bytes; bytes--, p++)
		if (*p == (unsigned char)c)
			return (void *)(uintptr_t)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t most)
{
	size_t n = 0;

	while (n < most && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t most)
{
	for (; most && *a && *a == *b; most--)
		a++, b++;
	return most ? (unsigned char)*a - (unsigned char)*b : 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)(uintptr_t)s;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do
		if (*s == (char)c)
			last = s;
	while (*s++);
	return (char *)(uintptr_t)last;
}

char *strstr(const char *s, const char *wanted)
{
	size_t length = strlen(wanted);

	for (; length && (*s != *wanted || strncmp(s, wanted, length) != 0); s++)
		if (!*s)
			return NULL;
	return (char *)(uintptr_t)s;
}

size_t strspn(const char *s, const char *accepted)
{
	size_t n = 0;

	while (s[n] && strchr(accepted, s[n]))
		n++;
	return n;
}

size_t strcspn(const char *s, const char *refused)
{
	size_t n = 0;

	while (s[n] && !strchr(refused, s[n]))
		n++;
	return n;
}

char *stpcpy(char *restrict to, const char *restrict from)
{
	size_t length = strlen(from);

	memcpy(to, from, length + 1);
	return to + length;
}

char *strcpy(char *restrict to, const char *restrict from)
{
	stpcpy(to, from);
	return to;
}

/* Sets of signals as the kernel has them: the first word. The two that the C library keeps for itself are
 * in none that it fills. */
#define SIGNALS 64
#define LIBRARYS_OWN (3ull << 31)

static uint64_t *word_of(sigset_t *set)
{
	return (uint64_t *)set;
}

int sigemptyset(sigset_t *set)
{
	memset(set, 0, sizeof *set);
	return 0;
}

int sigfillset(sigset_t *set)
{
	memset(set, 0xff, sizeof *set);
	*word_of(set) &= ~LIBRARYS_OWN;
	return 0;
}

int sigaddset(sigset_t *set, int number)
{
	*word_of(set) |= 1ull << (number - 1) % SIGNALS;
	return 0;
}

int sigdelset(sigset_t *set, int number)
{
	*word_of(set) &= ~(1ull << (number - 1) % SIGNALS);
	return 0;
}

int sigismember(const sigset_t *set, int number)
{
	return (int)(*word_of((sigset_t *)(uintptr_t)set) >> (number - 1) % SIGNALS & 1);
}

int sigorset(sigset_t *result, const sigset_t *a, const sigset_t *b)
{
	sigset_t both = *a;
	uint64_t theirs;

	memcpy(&theirs, b, sizeof theirs);
	*word_of(&both) |= theirs;
	*result = both;
	return 0;
}
