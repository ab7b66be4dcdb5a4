/* Internal to the readers of debug information: bytes that may be damaged. */
#ifndef SP_SYMBOLIZE_BASE_INPUT_H
#define SP_SYMBOLIZE_BASE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Little-endian input; reading past the end gives zeros and sets `bad`. */
struct sp_input {
	const uint8_t *at, *end;
	bool bad;
};

static inline uint64_t sp_take(struct sp_input *in, size_t bytes)
{
	uint64_t value = 0;

	if ((size_t)(in->end - in->at) < bytes || bytes > sizeof(value)) {
		in->bad = true;
		in->at = in->end;
		return 0;
	}
	memcpy(&value, in->at, bytes);
	in->at += bytes;
	return value;
}

static inline void sp_skip(struct sp_input *in, uint64_t bytes)
{
	if ((uint64_t)(in->end - in->at) < bytes) {
		in->bad = true;
		bytes = (uint64_t)(in->end - in->at);
	}
	in->at += bytes;
}

static inline uint64_t sp_take_leb(struct sp_input *in, bool is_signed)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)sp_take(in, 1);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !in->bad);
	if (is_signed && (byte & 0x40) && shift < 64)
		value |= ~(uint64_t)0 << shift;
	return value;
}

#endif
