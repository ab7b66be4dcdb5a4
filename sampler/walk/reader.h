/* Reading what stands in tables one after the other, never beyond their end: fixed-size numbers and DWARF's LEB128
 * (DWARF 5, 7.6). Any context. */
#ifndef SP_SAMPLER_WALK_READER_H
#define SP_SAMPLER_WALK_READER_H

#include <string.h>

#include "sampler/agent.h"

/* A part of a table that is read from its start. `bad` is set once more was asked for than it holds. */
struct sp_reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline uint64_t sp_read_fixed(struct sp_reader *r, unsigned bytes)
{
	uint64_t value = 0;

	if ((uint64_t)(r->end - r->at) < bytes) {
		r->bad = true;
		return 0;
	}
	memcpy(&value, r->at, bytes);
	r->at += bytes;
	return value;
}

/* As a signed number of that size. */
static inline uint64_t sp_read_signed(struct sp_reader *r, unsigned bytes)
{
	unsigned unused = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(sp_read_fixed(r, bytes) << unused) >> unused);
}

/* Groups of seven bits, lowest first. *shift: how many bits there were, *last: the last byte. */
static inline uint64_t sp_read_leb(struct sp_reader *r, unsigned *shift, uint64_t *last)
{
	uint64_t value = 0;

	*shift = 0;
	do {
		*last = sp_read_fixed(r, 1);
		if (*shift < 64)
			value |= (*last & 0x7f) << *shift;
		*shift += 7;
	} while (*last & 0x80 && !r->bad);
	return value;
}

static inline uint64_t sp_read_uleb(struct sp_reader *r)
{
	uint64_t last;
	unsigned shift;

	return sp_read_leb(r, &shift, &last);
}

static inline int64_t sp_read_sleb(struct sp_reader *r)
{
	uint64_t last, value;
	unsigned shift;

	value = sp_read_leb(r, &shift, &last);
	if (last & 0x40 && shift < 64)
		value |= ~0ull << shift;
	return (int64_t)value;
}

static inline void sp_read_past(struct sp_reader *r, uint64_t bytes)
{
	if (bytes > (uint64_t)(r->end - r->at))
		r->bad = true;
	else
		r->at += bytes;
}

#endif
