/* Composing a table of one entry. */
#include "symbolize/composed_table.h"

#include <string.h>

#include "symbolize/base/memory.h"
#include "symbolize/elf/frame_check.h"

#define RULES_BYTES_MAX (1u << 20)

static void put(struct sp_composed_table *t, const void *bytes, size_t count)
{
	memcpy(t->bytes + t->length, bytes, count);
	t->length += count;
}

static void put_byte(struct sp_composed_table *t, uint8_t byte)
{
	put(t, &byte, 1);
}

static void put_word(struct sp_composed_table *t, uint32_t word)
{
	put(t, &word, sizeof(word));
}

static void put_signed(struct sp_composed_table *t, int64_t value)
{
	uint64_t rest = (uint64_t)value, sign = value < 0 ? UINT64_MAX : 0;

	for (; rest >> 6 != sign >> 6; rest = rest >> 7 | sign << 57)
		put_byte(t, (uint8_t)(rest & 0x7f) | 0x80);
	put_byte(t, (uint8_t)(rest & 0x7f));
}

static void put_unsigned(struct sp_composed_table *t, uint64_t value)
{
	for (; value > 127; value >>= 7)
		put_byte(t, (uint8_t)(value & 0x7f) | 0x80);
	put_byte(t, (uint8_t)value);
}

static size_t begin_record(struct sp_composed_table *t)
{
	put_word(t, 0);
	return t->length;
}

static void end_record(struct sp_composed_table *t, size_t began)
{
	uint32_t bytes = (uint32_t)(t->length - began);

	memcpy(t->bytes + began - sizeof(bytes), &bytes, sizeof(bytes));
}

static void put_rules(struct sp_composed_table *t, const uint8_t *at, const uint8_t *end)
{
	size_t began = t->length;

	put(t, at, (size_t)(end - at));
	sp_frame_rules_unsign(t->bytes + began, t->bytes + t->length);
}

static void put_cie(struct sp_composed_table *t, const struct sp_frame_rules *rules)
{
	size_t began = begin_record(t);

	put_word(t, 0);
	put_byte(t, 1);
	put(t, rules->signal ? "zRS" : "zR", rules->signal ? 4 : 3);
	put_unsigned(t, rules->code_alignment);
	put_signed(t, rules->data_alignment);
	put_byte(t, (uint8_t)rules->return_register);
	put_byte(t, 1); /* of augmentation: */
	put_byte(t, 0); /* addresses are absolute, of 8 bytes */
	put_rules(t, rules->first, rules->first_end);
	end_record(t, began);
}

static void put_fde(struct sp_composed_table *t, const struct sp_frame_rules *rules, uint64_t bias, size_t cie)
{
	const uint64_t code[2] = {rules->low + bias, rules->high - rules->low};
	size_t began = begin_record(t);

	put_word(t, (uint32_t)(began - cie));
	put(t, code, sizeof(code));
	put_byte(t, 0); /* no augmentation */
	put_rules(t, rules->then, rules->then_end);
	end_record(t, began);
}

bool sp_composed_table_make(struct sp_composed_table *t, const struct sp_frame_rules *rules, uint64_t bias)
{
	size_t bytes = (size_t)(rules->first_end - rules->first) + (size_t)(rules->then_end - rules->then);
	const size_t cie = 2 * sizeof(uint32_t);
	uint32_t entry[2] = {0};

	if (bytes > RULES_BYTES_MAX)
		return false;
	sp_grow(&t->bytes, &t->capacity, bytes + 128, 1);
	t->length = 0;
	put(t, entry, sizeof(entry));
	put_cie(t, rules);
	entry[1] = (uint32_t)t->length;
	put_fde(t, rules, bias, cie);
	memcpy(t->bytes, entry, sizeof(entry));
	put(t, (const uint8_t[8]){0}, 8);
	return true;
}
