/* Numbers in the kernel's texts, without libc. Any context. */
#ifndef SP_SAMPLER_DIGITS_H
#define SP_SAMPLER_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reads a number and leaves *at behind it; 0 where there is none. */
static inline uint64_t sp_take_decimal(const char **at)
{
	uint64_t n = 0;

	for (; **at >= '0' && **at <= '9'; ++*at)
		n = n * 10 + (uint64_t)(**at - '0');
	return n;
}

/* Where what follows the key begins; NULL when there is no such key. */
static inline const char *sp_find_value(const char *text, const char *key)
{
	for (; *text; text++)
		if (!strncmp(text, key, strlen(key)))
			return text + strlen(key);
	return NULL;
}

static inline uint64_t sp_take_hexadecimal(const char **at)
{
	uint64_t n = 0;

	for (; (**at >= '0' && **at <= '9') || (**at >= 'a' && **at <= 'f'); ++*at)
		n = n << 4 | (uint64_t)(**at <= '9' ? **at - '0' : **at - 'a' + 10);
	return n;
}

#endif
