/* What the last instructions of code without tables tell of its frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "sampler/epilogue.h"
#include "tests/unit/sampler_spool.h"

#define ENDS SP_EPILOGUE_ENDS
#define BP SP_EPILOGUE_FROM_BP
#define POPS SP_EPILOGUE_POPS_BP
#define MORE SP_EPILOGUE_POPS_MORE

static void they_are_read(void **state)
{
	static const struct {
		const char *code;
		unsigned bytes;
		struct sp_epilogue found;
	} cases[] = {
		{"\xc3", 1, {0, 0, ENDS, 0}},
		{"\xf3\xc3", 2, {0, 0, ENDS, 0}},
		{"\xc2\x10\x00", 3, {0, 0, ENDS, 2}},
		{"\x48\x83\xc4\x08\xc3", 5, {8, 0, ENDS, 0}}, /* CPython 3.12 */
		{"\x5d\xc3", 2, {8, 0, ENDS | POPS, 0}},      /* CPython 3.13 */
		{"\x48\x81\xc4\x00\x02\x00\x00\x5b\x5d\x41\x5c\xc3", 12, {0x218, 0x208, ENDS | POPS | MORE, 0}},
		{"\x48\x8d\x64\x24\x18\xc3", 6, {24, 0, ENDS, 0}},
		{"\xc9\xc3", 2, {8, 0, ENDS | BP | POPS, 0}},
		{"\x48\x89\xec\x5d\xc3", 5, {8, 0, ENDS | BP | POPS, 0}},
		{"\x48\x8d\x65\xe8\x5b\x41\x5c\x41\x5d\x5d\xc3", 11, {8, 0, ENDS | BP | POPS | MORE, 0}},
		{"\x90\xc5\xf8\x77\x48\x83\xc4\x20\xc3", 9, {32, 0, ENDS, 0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sp_epilogue found = sp_epilogue_read((const uint8_t *)cases[i].code, cases[i].bytes);

		assert_int_equal(found.flags, cases[i].found.flags);
		assert_int_equal(found.return_at, cases[i].found.return_at);
		assert_int_equal(found.dropped, cases[i].found.dropped);
		if (found.flags & POPS)
			assert_int_equal(found.bp_at, cases[i].found.bp_at);
		for (unsigned cut = 0; cut < cases[i].bytes; cut++)
			assert_int_equal(sp_epilogue_read((const uint8_t *)cases[i].code, cut).flags, 0);
	}
}

static void nothing_else_is(void **state)
{
	static const struct {
		const char *code;
		unsigned bytes;
	} cases[] = {
		{"\x48\x85\xc0\xc3", 4},                              /* test: an ordinary instruction */
		{"\xe8\x00\x00\x00\x00\xc3", 6},                      /* another call */
		{"\x48\x83\xc4\xf8\xc3", 5},                          /* the stack grows */
		{"\x48\x81\xc4\x00\x00\x01\x00\xc3", 8},              /* by too much */
		{"\x5c\xc3", 2},                                      /* pop %rsp */
		{"\x5d\xc9\xc3", 3},                                  /* rbp is another one by then */
		{"\x5d\x5d\xc3", 3},                                  /* twice */
		{"\xc9\x48\x8d\x65\xf0\xc3", 6},                      /* twice */
		{"\xc2\x03\x00", 3},                                  /* ret of no whole word */
		{"\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\xc3", 11}, /* too far away */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(sp_epilogue_read((const uint8_t *)cases[i].code, cases[i].bytes).flags, 0);
}

static void any_bytes_are_safe(void **state)
{
	uint8_t *code = malloc(40);

	(void)state;
	srand(1);
	for (unsigned i = 0; i < 200000; i++) {
		size_t bytes = (unsigned)rand() % 40;
		struct sp_epilogue found;

		for (size_t k = 0; k < bytes; k++)
			code[k] = "\x48\x83\xc4\x08\xc3\x5d\x5b\xc9\x41\x81\xec\x65\xf3\xc2\x89\x90"[rand() % 16];
		found = sp_epilogue_read(code, bytes);
		if (found.flags)
			assert_in_range(found.return_at + 4096, 0, 11 * 4096);
	}
	free(code);
}

/* Code that changes is read again in a while, and code that goes is none. */
static void what_was_read_is_not_kept_for_long(void **state)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t later = 1ull << 29;

	(void)state;
	memcpy(code, "\x48\x83\xc4\x08\xc3", 5);
	assert_int_equal(sp_epilogue_find((uintptr_t)code, 0).return_at, 8);
	code[3] = 16;
	assert_int_equal(sp_epilogue_find((uintptr_t)code, 1).return_at, 8);
	assert_int_equal(sp_epilogue_find((uintptr_t)code, later).return_at, 16);
	munmap(code, 4096);
	assert_int_equal(sp_epilogue_find((uintptr_t)code, 2 * later).flags, 0);
	assert_int_equal(sp_epilogue_find(3, later).flags, 0);
}

static int set_up(void **state)
{
	(void)state;
	return agent_open("/tmp", 1000);
}

static int tear_down(void **state)
{
	(void)state;
	agent_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_read),
		cmocka_unit_test(nothing_else_is),
		cmocka_unit_test(any_bytes_are_safe),
		cmocka_unit_test(what_was_read_is_not_kept_for_long),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
