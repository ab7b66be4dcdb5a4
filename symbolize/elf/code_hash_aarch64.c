/* Hashes of aarch64's machine code: see code_hash.h. Instructions are words, and addresses of other code and data stand in the
 * immediate numbers of a few (Arm ARM, C4.1). */
#include "symbolize/elf/code_hash.h"

#include <string.h>

/* Where a kind of instruction has the distance to its target: `bits` of them from bit `at` on, in words. */
static const struct kind {
	uint32_t mask, code;
	uint8_t at, bits;
} kinds[] = {
	{0x7c000000, 0x14000000, 0, 26}, /* b, bl */
	{0xff000010, 0x54000000, 5, 19}, /* b.cond */
	{0x7e000000, 0x34000000, 5, 19}, /* cbz, cbnz */
	{0x7e000000, 0x36000000, 5, 14}, /* tbz, tbnz */
	{0x3b000000, 0x18000000, 5, 19}, /* ldr of a literal */
};

#define ADDRESS_MASK 0x9f000000u /* adr, adrp */
#define ADDRESS_FIELD 0x60ffffe0u
#define ADR 0x10000000u
#define ADRP 0x90000000u

struct hasher {
	uint64_t low, high;
	uint32_t pages; /* registers that hold the address of a page of other data, a bit for each */
};

static int64_t signed_bits(uint32_t value, unsigned bits)
{
	return (int32_t)(value << (32 - bits)) >> (32 - bits);
}

static bool is_within(const struct hasher *h, uint64_t target)
{
	return target >= h->low && target < h->high;
}

static uint32_t without_target(const struct hasher *h, uint32_t code, uint64_t at)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint32_t field = ((1u << kinds[i].bits) - 1) << kinds[i].at;

		if ((code & kinds[i].mask) == kinds[i].code)
			return is_within(h,
				       at + 4 * (uint64_t)signed_bits((code & field) >> kinds[i].at, kinds[i].bits))
				? code
				: code & ~field;
	}
	if ((code & ADDRESS_MASK) == ADR &&
		is_within(h, at + (uint64_t)signed_bits((code >> 3 & 0x1ffffc) | (code >> 29 & 3), 21)))
		return code;
	return (code & ADDRESS_MASK) == ADR || (code & ADDRESS_MASK) == ADRP ? code & ~ADDRESS_FIELD : code;
}

/* The lower half of an address: add, or a load or store, of a register that holds the upper half. */
static uint32_t without_offset(struct hasher *h, uint32_t code)
{
	bool adds = (code & 0xff800000) == 0x91000000, transfers = (code & 0x3b000000) == 0x39000000;
	bool loads = transfers && (code & 0x00c00000) && !(code & 0x04000000);
	uint32_t base = code >> 5 & 31, to = code & 31;

	if ((code & ADDRESS_MASK) == ADRP)
		h->pages |= 1u << to;
	if (!(adds || transfers) || !(h->pages >> base & 1))
		return code;
	if ((adds || loads) && to == base)
		h->pages &= ~(1u << base);
	return code & ~(0xfffu << 10);
}

uint64_t sp_code_hash_aarch64(const uint8_t *code, size_t bytes, uint64_t address)
{
	struct hasher h = {address, address + bytes, 0};
	uint64_t state = SP_CODE_HASH_START;
	uint32_t word;

	if (bytes % sizeof(word))
		return 0;
	for (size_t at = 0; at < bytes; at += sizeof(word)) {
		memcpy(&word, code + at, sizeof(word));
		word = without_target(&h, without_offset(&h, word), address + at);
		state = sp_code_hash_add(state, (const uint8_t *)&word, sizeof(word));
	}
	return state ? state : 1;
}
