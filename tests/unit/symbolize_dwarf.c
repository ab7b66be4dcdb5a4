/* Files, lines and inlined calls, against addr2line, for programs compiled in many ways. */
#include "tests/unit/symbolize_reference.h"

static void test_compilers(void **state)
{
	/* clang's DWARF 5 has range lists that addr2line 2.40 does not follow */
	static const char *const builds[] = {
		"gcc -g -O2 -o prog p.c",
		"gcc -g -O0 -o prog p.c",
		"gcc -g -O3 -gdwarf-4 -o prog p.c",
		"gcc -g -O2 -gdwarf-3 -o prog p.c",
		"gcc -g -O2 -gz -o prog p.c",
		"gcc -g -O2 -pg -o prog p.c",
		"gcc -g -O2 -no-pie -o prog p.c",
		"gcc -g -O2 -flto -o prog p.c",
		"clang -g -O2 -gdwarf-4 -o prog p.c",
		"g++ -g -O2 -o prog p.cc",
		"g++ -g -O2 -gdwarf-4 -o prog p.cc",
		"g++ -g -O0 -o prog p.cc",
		"clang++ -g -O2 -gdwarf-4 -o prog p.cc",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++) {
		shell("%s", builds[i]);
		if (compare_file("prog", "prog") < 30)
			fail_msg("hardly any address: %s", builds[i]);
	}
}

/* The old way of compressing, in which addr2line does not find all sections. */
static void test_zdebug(void **state)
{
	(void)state;
	shell("gcc -g -O2 -o full p.c && objcopy --compress-debug-sections=zlib-gnu full prog");
	assert_true(compare_file("prog", "full") >= 50);
}

/* What this libelf cannot unpack is as if it were not there: names then come from the symbol table. */
static void test_zstd(void **state)
{
	struct sp_symbolizer *s;
	struct sp_symbol frame;

	(void)state;
	if (system("objcopy --help | grep -q zstd"))
		skip();
	shell("gcc -g -O2 -o full p.c && objcopy --compress-debug-sections=zstd full prog");
	s = open_file("prog");
	sp_symbolize(s, 0, address_of("full", "outer"), &frame, 1);
	assert_string_equal(frame.function, "outer");
	if (sp_symbolizer_source(s, 0) == SP_SYMBOLS_DWARF)
		assert_true(compare_file("prog", "full") >= 50);
	else
		assert_int_equal(sp_symbolizer_source(s, 0), SP_SYMBOLS_ELF);
	sp_symbolizer_free(s);
}

static void test_inlines(void **state)
{
	struct sp_symbolizer *s;
	struct sp_symbol frames[FRAMES_MAX], few[2];
	uint64_t outer, three = 0;

	(void)state;
	shell("gcc -g -O2 -o prog p.c");
	outer = address_of("prog", "outer");
	s = open_file("prog");
	for (uint64_t at = outer; at < outer + 40 && !three; at++) {
		if (sp_symbolize(s, 0, at, frames, FRAMES_MAX) == 3)
			three = at;
	}
	assert_true(three);
	assert_string_equal(frames[0].function, "leaf");
	assert_string_equal(frames[0].file, in_scratch("p.c"));
	assert_int_equal(frames[0].decl_line, 3);
	assert_string_equal(frames[0].decl_file, in_scratch("p.c"));
	assert_true(frames[0].inlined && frames[1].inlined && !frames[2].inlined);
	assert_string_equal(frames[1].function, "middle");
	assert_int_equal(frames[1].line, 12);
	assert_int_equal(frames[1].decl_line, 9);
	assert_string_equal(frames[2].function, "outer");
	assert_int_equal(frames[2].line, 17);
	assert_int_equal(frames[2].decl_line, 17);
	assert_int_equal(frames[0].function_address, outer);
	assert_int_equal(frames[2].function_address, outer);
	/* a second time from memory, and cut short: the real function stays */
	assert_int_equal(sp_symbolize(s, 0, three, few, 2), 2);
	assert_ptr_equal(few[0].function, frames[0].function);
	assert_ptr_equal(few[1].function, frames[2].function);
	assert_int_equal(sp_symbolize(s, 0, three, few, 1), 1);
	assert_ptr_equal(few[0].function, frames[2].function);
	sp_symbolizer_free(s);
}

static void test_bias(void **state)
{
	struct sp_symbol_module module = {.path = in_scratch("prog"), .bias = 0x7f1234560000};
	struct sp_symbolizer *s = sp_symbolizer_new(NULL);
	struct sp_symbol frame;

	(void)state;
	shell("gcc -g -O2 -o prog p.c");
	assert_int_equal(sp_symbolizer_add_module(s, &module), 0);
	sp_symbolize(s, 0, module.bias + address_of("prog", "main"), &frame, 1);
	assert_string_equal(frame.function, "main");
	assert_int_equal(frame.decl_line, 18);
	sp_symbolizer_free(s);
}

static void expect_source(const char *file, enum sp_symbol_source source)
{
	struct sp_symbolizer *s = open_file(file);

	assert_int_equal(sp_symbolizer_source(s, 0), source);
	sp_symbolizer_free(s);
}

static void test_separate_by_link(void **state)
{
	/* -Wl,--build-id=none: only the CRC can tell */
	static const char *const ids[] = {"sha1", "none"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		shell("gcc -g -O2 -Wl,--build-id=%s -o full p.c && objcopy --only-keep-debug full prog.debug && "
		      "cp full prog && strip prog && objcopy --add-gnu-debuglink=prog.debug prog",
			ids[i]);
		assert_true(compare_file("prog", "full") >= 50);
		shell("mkdir -p .debug && mv prog.debug .debug");
		assert_true(compare_file("prog", "full") >= 50);
		shell("mkdir -p debugroot/%s && mv .debug/prog.debug debugroot/%s", scratch, scratch);
		assert_true(compare_file("prog", "full") >= 50);
		shell("sed 's/x \\* 7/x * 9/' p.c >p2.c && gcc -g -O2 -Wl,--build-id=%s -o full p2.c && "
		      "objcopy --only-keep-debug full debugroot/%s/prog.debug",
			ids[i], scratch);
		expect_source("prog", SP_SYMBOLS_NONE);
		shell("rm debugroot/%s/prog.debug", scratch);
		expect_source("prog", SP_SYMBOLS_NONE);
	}
}

static void test_separate_by_id(void **state)
{
	char hex[129] = "";
	uint8_t id[64];
	size_t bytes;

	(void)state;
	shell("gcc -g -O2 -o full p.c && cp full prog && strip prog");
	bytes = build_id_of("prog", id);
	for (size_t i = 0; i < bytes; i++)
		sprintf(hex + 2 * i, "%02x", id[i]);
	shell("mkdir -p debugroot/.build-id/%.2s && objcopy --only-keep-debug full debugroot/.build-id/%.2s/%s.debug",
		hex, hex, hex + 2);
	assert_true(compare_file("prog", "full") >= 50);
	/* another build's file under our name */
	shell("sed 's/x \\* 7/x * 9/' p.c >p2.c && gcc -g -O2 -o other p2.c && "
	      "objcopy --only-keep-debug other debugroot/.build-id/%.2s/%s.debug",
		hex, hex + 2);
	expect_source("prog", SP_SYMBOLS_NONE);
}

static void test_minidebug(void **state)
{
	struct sp_symbolizer *s;
	struct sp_symbol frame;

	(void)state;
	shell("gcc -O2 -o full p.c && objcopy --only-keep-debug full mini && xz -kf mini && cp full prog && strip prog "
	      "&& "
	      "objcopy --add-section .gnu_debugdata=mini.xz prog");
	s = open_file("prog");
	assert_int_equal(sp_symbolizer_source(s, 0), SP_SYMBOLS_ELF);
	sp_symbolize(s, 0, address_of("full", "outer"), &frame, 1);
	assert_string_equal(frame.function, "outer");
	sp_symbolizer_free(s);
}

/* dwz moves what two files share into a third. */
static void test_dwz(void **state)
{
	(void)state;
	if (system("command -v dwz >/dev/null"))
		skip();
	shell("g++ -g -O2 -gdwarf-4 -o one p.cc && g++ -g -O2 -gdwarf-4 -DX -o two p.cc && cp one prog && cp two prog2 "
	      "&& "
	      "dwz -m shared.debug -M %s/shared.debug prog prog2",
		scratch);
	assert_true(compare_file("prog", "one") >= 50);
	shell("rm shared.debug");
	expect_source("prog", SP_SYMBOLS_ELF);
}

/* The linker leaves the lines of functions it dropped at address 0 and up, right through those of live code. */
static void test_dropped_functions(void **state)
{
	static const char *const linkers[] = {"bfd", "gold"};
	FILE *file = fopen(in_scratch("dead.c"), "w");
	uint64_t live;

	(void)state;
	fputs("int dead(int x)\n{\n", file);
	for (int i = 0; i < 600; i++)
		fputs("\tx += x * 3; x ^= x >> 2; x += x * 7;\n", file);
	fputs("\treturn x;\n}\nint live(int x)\n{\n\tx++;\n\tx *= 3;\n\treturn x;\n}\n", file);
	fputs("int main(int argc, char **argv)\n{\n\t(void)argv;\n\treturn live(argc);\n}\n", file);
	fclose(file);
	for (size_t i = 0; i < 2; i++) {
		struct sp_symbolizer *s;
		struct sp_symbol frame;

		shell("gcc -g -O0 -ffunction-sections -Wl,--gc-sections -fuse-ld=%s -o prog dead.c", linkers[i]);
		live = address_of("prog", "live");
		s = open_file("prog");
		for (uint64_t at = live; at < live + 0x18; at++) {
			sp_symbolize(s, 0, at, &frame, 1);
			assert_string_equal(frame.function, "live");
			if (frame.line < 605 || frame.line > 610)
				fail_msg("%s: %lx is line %u", linkers[i], at, frame.line);
		}
		sp_symbolizer_free(s);
	}
}

static void ask_everything(const char *file)
{
	struct sp_symbolizer *s = open_file(file);
	struct sp_symbol frames[FRAMES_MAX];

	for (uint64_t at = 0x1000; at < 0x2000; at += 37)
		sp_symbolize(s, 0, at, frames, FRAMES_MAX);
	sp_symbolizer_free(s);
}

/* Nothing in a damaged file may hurt us; what it says is another matter. */
static void test_damaged(void **state)
{
	static unsigned char whole[1 << 20], damaged[1 << 20];
	uint32_t random = 99;
	size_t bytes;
	FILE *file;

	(void)state;
	shell("gcc -g -O2 -o prog p.c");
	file = fopen(in_scratch("prog"), "r");
	bytes = fread(whole, 1, sizeof(whole), file);
	fclose(file);
	assert_true(bytes > 10000);
	for (int round = 0; round < 300; round++) {
		size_t keep = round % 3 ? bytes : bytes * (unsigned)round / 300;

		memcpy(damaged, whole, bytes);
		for (int i = 0; i < (round % 3 ? 40 : 0); i++) {
			random = random * 1664525 + 1013904223;
			/* mostly in what follows the code: the debug sections and the section headers */
			damaged[(i % 8 ? 0x3000 : 0) + (random >> 4) % (bytes - 0x3000)] =
				(unsigned char)(random >> 24);
		}
		file = fopen(in_scratch("damaged"), "w");
		fwrite(damaged, 1, keep, file);
		fclose(file);
		ask_everything("damaged");
	}
}

/* Asking for one address, then for some at once, then for another one: each answer is whole, whatever was read for
 * those before. */
static void test_asked_by_turns(void **state)
{
	static const char source[] =
		"int printf(const char *, ...);\n"
		"static inline __attribute__((always_inline)) int leaf(int x) { return printf(\"%d\", x); }\n"
		"int first(int x) { return x + 1; }\n"
		"int second(int x)\n"
		"{\n"
		"\tx += leaf(x);\n"
		"\t__asm__ volatile(\"between: nop; nop\");\n"
		"\treturn x + leaf(x) * 2;\n"
		"}\n"
		"int main(int argc, char **argv) { return first(argc) + second(argc) + !argv; }\n";
	struct sp_symbol_query query = {0};
	struct sp_symbol frames[FRAMES_MAX];
	struct sp_symbolizer *s;
	uint64_t second, between;

	(void)state;
	write_file("turns.c", source);
	shell("gcc -g -O2 -o turns turns.c");
	second = address_of("turns", "second");
	between = address_of("turns", "between");
	s = open_file("turns");
	sp_symbolize(s, 0, address_of("turns", "first"), frames, FRAMES_MAX);
	query.address = between;
	sp_symbolizer_prepare(s, &query, 1);
	for (uint64_t at = second; at < between + 24; at++) {
		struct sp_symbolizer *fresh = open_file("turns");
		struct sp_symbol expected[FRAMES_MAX];

		assert_int_equal(sp_symbolize(s, 0, at, frames, FRAMES_MAX),
			sp_symbolize(fresh, 0, at, expected, FRAMES_MAX));
		assert_string_equal(frames[0].function, expected[0].function);
		sp_symbolizer_free(fresh);
	}
	sp_symbolizer_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compilers),
		cmocka_unit_test(test_zdebug),
		cmocka_unit_test(test_zstd),
		cmocka_unit_test(test_inlines),
		cmocka_unit_test(test_bias),
		cmocka_unit_test(test_separate_by_link),
		cmocka_unit_test(test_separate_by_id),
		cmocka_unit_test(test_minidebug),
		cmocka_unit_test(test_dwz),
		cmocka_unit_test(test_dropped_functions),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_asked_by_turns),
	};

	return cmocka_run_group_tests(tests, set_up_programs, remove_scratch);
}
