/* Instructions' lengths, and what code without tables tells of its frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/walk/code_rule.h"
#include "sampler/walk/instruction.h"

#define BP SP_CFI_FROM_BP
#define LOADED SP_CFI_LOADED
#define SAVED SP_CFI_BP_SAVED
#define AT_BP SP_CFI_BP_AT_BP
#define MOST 2048u

struct code {
	const char *bytes;
	unsigned count;
	struct sp_cfi_rule rule;
};

/* Rules of a return address at rsp + n; with rbp at rsp + m. */
#define FROM_SP(n) \
	{ \
		SP_CFI_CODE, 0, 0, 0, (n) + 8 \
	}
#define FROM_SP_BP(n, m) \
	{ \
		SP_CFI_CODE, SAVED, 0, (m) - (n)-8, (n) + 8 \
	}

static const struct code known[] = {
	{"\xc3", 1, FROM_SP(0)},
	{"\xf3\xc3", 2, FROM_SP(0)},
	{"\xc2\x10\x00", 3, {SP_CFI_CODE, 0, 2, 0, 8}}, /* ret $16 */
	{"\x48\x83\xc4\x08\xc3", 5, FROM_SP(8)},        /* add $8, %rsp: CPython 3.12's trampolines */
	{"\x5d\xc3", 2, FROM_SP_BP(8, 0)},              /* pop %rbp: CPython 3.13's */
	{"\x48\x85\xc0\x0f\x1f\x40\x00\x48\x83\xc4\x08\xc3", 12, FROM_SP(8)},
	{"\x48\x81\xc4\x00\x02\x00\x00\x5b\x5d\x41\x5c\xc3", 12, FROM_SP_BP(0x218, 0x208)},
	{"\x48\x8d\x64\x24\x18\xc3", 6, FROM_SP(24)},                       /* lea 24(%rsp), %rsp */
	{"\xc9\xc3", 2, {SP_CFI_CODE, BP | SAVED, 0, -16, 16}},             /* leave */
	{"\x48\x89\xec\x5d\xc3", 5, {SP_CFI_CODE, BP | SAVED, 0, -16, 16}}, /* mov %rbp, %rsp; pop %rbp */
	{"\x48\x8d\x65\xe8\x5b\x41\x5c\x41\x5d\x5d\xc3", 11, {SP_CFI_CODE, BP | SAVED, 0, -16, 16}},
	{"\x53\x5b\xc3", 3, FROM_SP(0)},                                          /* push %rbx; pop %rbx */
	{"\x55\x48\x89\xe5\x48\x83\xec\x40\xc9\xc3", 10, FROM_SP(0)},             /* a whole function: rbp comes back */
	{"\x55\x48\x31\xed\x5d\xc3", 6, FROM_SP(0)},                              /* ... that computes with it */
	{"\x5c\xc3", 2, {SP_CFI_CODE, LOADED, 8, 0, 0}},                          /* pop %rsp */
	{"\x48\x8b\x64\x24\x40\xc3", 6, {SP_CFI_CODE, LOADED, 8, 0, 0x40}},       /* mov 64(%rsp), %rsp */
	{"\x48\x8b\x6c\x24\x10\x48\x83\xc4\x18\xc3", 10, FROM_SP_BP(24, 16)},     /* mov 16(%rsp), %rbp */
	{"\x48\x8b\x6d\x00\xc3", 5, {SP_CFI_CODE, SAVED | AT_BP, 0, 0, 8}},       /* mov (%rbp), %rbp */
	{"\x49\x89\xe3\x48\x83\xe4\xe0\x4c\x89\xdc\xc3", 11, FROM_SP(0)},         /* rsp kept in r11 */
	{"\x48\x89\xcc\xc3", 4, {SP_CFI_CODE_BY, 0, 2, 0, 8}},                    /* mov %rcx, %rsp */
	{"\x4c\x89\xdc\xc3", 4, {SP_CFI_CODE_BY, 0, 11, 0, 8}},                   /* mov %r11, %rsp */
	{"\x75\xfe\x58\xc3", 4, FROM_SP(8)},                                      /* jne to itself */
	{"\xeb\x01\xcc\x58\xc3", 5, FROM_SP(8)},                                  /* jmp over int3 */
	{"\x74\x02\xeb\xfc\x58\x58\xc3", 7, FROM_SP(16)},                         /* an endless loop with one way out */
	{"\x74\x02\x0f\x0b\x58\xc3", 6, FROM_SP(8)},                              /* je over ud2 */
	{"\xe8\x00\x00\x00\x00\x58\xc3", 7, FROM_SP(8)},                          /* a call takes off what it puts on */
	{"\xff\xe0\x58\xc3", 4, FROM_SP(8)},                                      /* jmp *%rax, into what follows */
	{"\xe9\x00\x00\x10\x00", 5, FROM_SP(0)},                                  /* another function goes on */
	{"\x62\xf1\x7c\x48\x10\x44\x24\x01\xc5\xf8\x77\x58\xc3", 13, FROM_SP(8)}, /* vectors */
	{"\x9c\x9d\x6a\x01\x68\x00\x00\x00\x00\x48\x83\xc4\x10\xc3", 14, FROM_SP(0)},
};

static const struct code unknown[] = {
	{"\xeb\xfe", 2, {0}},             /* goes nowhere */
	{"\x0f\x0b", 2, {0}},             /* ud2 */
	{"\x48\x01\xc4\xc3", 4, {0}},     /* add %rax, %rsp */
	{"\x48\x83\xe4\xf0\xc3", 5, {0}}, /* and $-16, %rsp */
	{"\x06", 1, {0}},                 /* no instruction */
	{"\x48\x83\xc4\x08\x5a\xff\xe2\x06", 8, {0}},
};

static uint8_t *page;

/* At the very end of what can be read: nothing beyond is touched. */
static struct sp_cfi_rule rule_of(const char *bytes, unsigned count)
{
	memcpy(page + 4096 - count, bytes, count);
	return sp_code_rule((uintptr_t)page + 4096 - count, MOST);
}

static void the_way_to_the_return_is_followed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		struct sp_cfi_rule rule = rule_of(known[i].bytes, known[i].count);

		if (memcmp(&rule, &known[i].rule, sizeof rule) != 0)
			fail_msg("code %zu: kind %d flags %d after %d bp %d cfa %d", i, rule.kind, rule.flags,
				rule.after, rule.bp_offset, rule.cfa_offset);
	}
}

static void other_code_is_not_guessed_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		assert_int_equal(rule_of(unknown[i].bytes, unknown[i].count).kind, SP_CFI_GUESS);
	assert_int_equal(sp_code_rule(3, MOST).kind, SP_CFI_GUESS);
}

static void it_ends_after_so_many_instructions(void **state)
{
	(void)state;
	memset(page, 0x90, 4096);
	page[1000] = 0xc3;
	assert_int_equal(sp_code_rule((uintptr_t)page + 900, 101).kind, SP_CFI_CODE);
	assert_int_equal(sp_code_rule((uintptr_t)page + 900, 100).kind, SP_CFI_GUESS);
}

static void any_bytes_are_safe(void **state)
{
	(void)state;
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned count = 1 + (unsigned)rand() % 40;
		char bytes[40];

		for (unsigned k = 0; k < count; k++)
			bytes[k] = i % 2
				? (char)rand()
				: "\x48\x83\xc4\x08\x74\xeb\x5b\xc9\x41\x81\xec\x65\xf3\xc2\x89\x90"[rand() % 16];
		rule_of(bytes, count);
	}
}

static void instructions_have_their_lengths(void **state)
{
	static const struct {
		const char *bytes;
		unsigned count;
	} list[] = {{"\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", 10}, /* mov $64 bits */
		{"\x66\xb8\x01\x02", 4}, {"\xb8\x01\x02\x03\x04", 5},
		{"\xf7\x04\x25\x00\x00\x00\x00\x01\x00\x00\x00", 11}, {"\xf7\xd0", 2},
		{"\xf6\x05\x00\x00\x00\x00\x01", 7}, {"\xa1\x01\x02\x03\x04\x05\x06\x07\x08", 9},
		{"\xc8\x10\x00\x00", 4}, {"\x0f\x84\x00\x00\x00\x00", 6}, {"\x66\x0f\x3a\x0f\xc1\x08", 6},
		{"\x0f\x38\xf0\x07", 4}, {"\x0f\x05", 2}, {"\xc4\xe3\x79\x0f\xc1\x08", 6}, {"\xc5\xfb\x70\xc0\x1b", 5},
		{"\xc4\xe2\x7d\x18\x04\x8d\x00\x00\x00\x00", 10}, {"\x62\xf3\x7d\x48\x03\xc1\x01", 7},
		{"\x8f\xe8\x78\xa3\xc0\x10", 6}, {"\xf0\x48\x0f\xb1\x0c\x24", 6},
		{"\x64\x48\x8b\x04\x25\x28\x00\x00\x00", 9}, {"\x2e\x66\x0f\x1f\x84\x00\x00\x00\x00\x00", 10},
		{"\x48\x69\xc0\x00\x00\x01\x00", 7}, {"\x6b\xc0\x10", 3}};
	struct sp_instruction i;

	(void)state;
	for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
		assert_true(sp_instruction_decode((const uint8_t *)list[k].bytes, list[k].count, &i));
		assert_int_equal(i.bytes, list[k].count);
		for (unsigned cut = 0; cut < list[k].count; cut++)
			assert_false(sp_instruction_decode((const uint8_t *)list[k].bytes, cut, &i));
	}
	assert_true(sp_instruction_decode((const uint8_t *)"\x4c\x8b\x64\xe4\xf8", 5, &i)); /* mov -8(%rsp), %r12 */
	assert_int_equal(i.reg, 12);
	assert_int_equal(i.base, 4);
	assert_int_equal(i.offset, -8);
}

static int set_up(void **state)
{
	(void)state;
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sp_agent.pid = getpid();
	return page == MAP_FAILED || munmap(page + 4096, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_to_the_return_is_followed),
		cmocka_unit_test(other_code_is_not_guessed_at),
		cmocka_unit_test(it_ends_after_so_many_instructions),
		cmocka_unit_test(any_bytes_are_safe),
		cmocka_unit_test(instructions_have_their_lengths),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
