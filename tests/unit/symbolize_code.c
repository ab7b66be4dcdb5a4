/* Hashes of machine code: the same function in other builds, and another one. */
#include "tests/unit/symbolize_helpers.h"

#include "symbolize/elf/code_hash.h"

static const char program[] =
	"#include <stdlib.h>\n"
	"extern int outer;\n"
	"#ifdef MORE\n"
	"char table[100000]; __attribute__((noinline)) int other(int x) { return table[x] + atoi(\"4\"); }\n"
	"#endif\n"
	"int outer = 3; int numbers[64];\n"
	"__attribute__((noinline)) int called(int x) { return x * CONSTANT + numbers[x & 63]; }\n"
	"__attribute__((noinline)) int work(int n) { int s = 0; for (int i = 0; i < n; i++) s += called(i) ^ outer ^ "
	"atoi(\"7\");"
	" return s; }\n"
	"int main(int argc, char **argv) { (void)argv;\n"
	"#ifdef MORE\n"
	"if (argc > 3) return other(argc);\n"
	"#endif\n"
	"return work(argc); }\n";

static void build_programs(void)
{
	write_file("p.c", program);
	shell("gcc -O2 -DCONSTANT=77 -o one p.c && gcc -O2 -DCONSTANT=77 -DMORE -o more p.c && gcc -O2 -DCONSTANT=78 "
	      "-o another p.c && "
	      "gcc -O2 -no-pie -DCONSTANT=77 -o fixed p.c && gcc -O2 -no-pie -DCONSTANT=77 -DMORE -o fixed_more p.c && "
	      "strip -o "
	      "stripped one");
	shell("gcc() { aarch64-linux-gnu-gcc -O2 \"$@\"; }; gcc -DCONSTANT=77 -o arm_one p.c && "
	      "gcc -DCONSTANT=77 -DMORE -o arm_more p.c && gcc -DCONSTANT=78 -o arm_another p.c");
}

/* A table, a switch that has a table of its own, and a pointer to a string; MORE moves all of them. */
static const char tables[] =
	"#include <stdio.h>\n"
	"#ifdef MORE\n"
	"const int more[999] = {1, 2, 3}; __attribute__((noinline)) int other(int x) { return puts(\"other text\") + "
	"more[x]; }\n"
	"#else\n"
	"#define other(x) 0\n"
	"#endif\n"
	"static const short table[] = {10, 20, MIDDLE, 40}; const char *words[] = {\"some\", \"words\"};\n"
	"static int set[] = {-1, 0, SET};\n"
	"#define F(n) __attribute__((noinline)) int f##n(int x) { return x * n + set[x & 1]++; }\n"
	"F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8)\n"
	"#define C(n) case n: return f##n(n + argc);\n"
	"#ifndef FAR\n"
	"#define FAR 2\n"
	"#endif\n"
	"struct row { short far; int (*how)(int); };\n"
	"static const struct row rows[] = {{1, f1}, {FAR, f2}, {3, f3}};\n"
	"int main(int argc, char **argv) { puts(words[argc & 1]); argc += rows[argc % 3].how(rows[argc % 3].far); "
	"(void)argv;\n"
	"switch (table[argc & 3] + other(argc)) { C(1) C(2) C(3) C(4) C(5) C(6) C(7) C(8) } return 0; }\n";

static void build_tables(void)
{
	write_file("t.c", tables);
	shell("for how in gcc 'gcc -no-pie' aarch64-linux-gnu-gcc; do build() { name=$1; shift; $how -O2 \"$@\" -o "
	      "\"t_$name $how\" t.c; };"
	      " build one -DMIDDLE=128 -DSET=4 && build more -DMIDDLE=128 -DSET=4 -DMORE && build table -DMIDDLE=1024 "
	      "-DSET=4 &&"
	      " build set -DMIDDLE=128 -DSET=5 && build row -DMIDDLE=128 -DSET=4 -DFAR=7 || exit; done");
}

static int kept(const char *before, const char *now, const char *how)
{
	char first[64], second[64];

	snprintf(first, sizeof(first), "t_%s %s", before, how);
	snprintf(second, sizeof(second), "t_%s %s", now, how);
	return sp_symbolize_constants_kept(in_scratch(first), in_scratch(second));
}

static void test_constants(void **state)
{
	static const char *const how[] = {"gcc", "gcc -no-pie", "aarch64-linux-gnu-gcc"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(kept("one", "one", how[i]), 1);
		assert_int_equal(kept("one", "more", how[i]), 1);
		assert_int_equal(kept("more", "one", how[i]), 0); /* its words are gone */
		assert_int_equal(kept("one", "table", how[i]), 0);
		assert_int_equal(kept("one", "set", how[i]), 0);
		assert_int_equal(kept("one", "row", how[i]), 0); /* among pointers */
	}
	assert_true(kept("one", "nothing", "gcc") < 0);
	assert_true(sp_symbolize_constants_kept(in_scratch("t.c"), in_scratch("t_one gcc")) < 0);
}

static uint64_t code_of(const char *file, const char *function)
{
	struct sp_symbolizer *s = open_file(file);
	uint64_t hash = sp_symbolize_code(s, 0, address_of(file, function) + 1);

	sp_symbolizer_free(s);
	return hash;
}

static void same(const char *a, const char *b, const char *function, bool wanted)
{
	uint64_t x = code_of(a, function), y = code_of(b, function);

	if (!x || !y || (x == y) != wanted)
		fail_msg("%s in %s: %llx, in %s: %llx", function, a, (unsigned long long)x, b, (unsigned long long)y);
}

static void test_builds(void **state)
{
	(void)state;
	same("one", "more", "called", true);
	same("one", "more", "work", true);
	same("one", "more", "main", false);
	same("fixed", "fixed_more", "called", true);
	same("fixed", "fixed_more", "work", true);
	same("fixed", "fixed_more", "main", false);
	same("one", "another", "called", false);
	same("one", "another", "work", true);
	same("arm_one", "arm_more", "called", true);
	same("arm_one", "arm_more", "work", true);
	same("arm_one", "arm_more", "main", false);
	same("arm_one", "arm_another", "called", false);
	same("arm_one", "arm_another", "work", true);
}

static void test_not_to_be_had(void **state)
{
	struct sp_symbolizer *s = open_file("stripped");

	(void)state;
	assert_int_equal(sp_symbolize_code(s, 0, address_of("one", "work")), 0);
	assert_int_equal(sp_symbolize_code(s, 0, 0), 0);
	assert_int_equal(sp_symbolize_code(s, 0, UINT64_MAX), 0);
	assert_int_equal(sp_symbolize_code(s, 1, 0), 0);
	sp_symbolizer_free(s);
}

/* A file that was written to after it was opened is not what was mapped. */
static void test_changed_meanwhile(void **state)
{
	struct sp_symbolizer *s;

	(void)state;
	shell("cp one copy");
	s = open_file("copy");
	assert_int_equal(sp_symbolizer_source(s, 0) >= SP_SYMBOLS_ELF, 1);
	shell("cat another >copy");
	assert_int_equal(sp_symbolize_code(s, 0, address_of("one", "work")), 0);
	sp_symbolizer_free(s);
}

static void test_masks(void **state)
{
	static const uint8_t call[] = {0xe8, 1, 2, 3, 4, 0xc3}, other_call[] = {0xe8, 9, 9, 9, 9, 0xc3};
	static const uint8_t loop[] = {0xeb, 0xfe, 0xc3}, other_loop[] = {0xeb, 0xff, 0xc3};
	static const uint8_t load[] = {0x8b, 5, 1, 0, 0, 0}, other_load[] = {0x8b, 5, 2, 0x10, 0, 0},
			     field[] = {0x8b, 0x47, 8}, other_field[] = {0x8b, 0x47, 16};
	static const uint8_t immediate[] = {0xbf, 0, 0x20, 0x40, 0}, other_immediate[] = {0xbf, 4, 0x20, 0x40, 0};

	(void)state;
	assert_int_equal(sp_code_hash(call, 6, 0x1000, 0, 0), sp_code_hash(other_call, 6, 0x2000, 0, 0));
	assert_int_not_equal(sp_code_hash(loop, 3, 0x1000, 0, 0), sp_code_hash(other_loop, 3, 0x1000, 0, 0));
	assert_int_equal(sp_code_hash(load, 6, 0x1000, 0, 0), sp_code_hash(other_load, 6, 0x1000, 0, 0));
	assert_int_not_equal(sp_code_hash(field, 3, 0x1000, 0, 0), sp_code_hash(other_field, 3, 0x1000, 0, 0));
	assert_int_not_equal(sp_code_hash(immediate, 5, 0x1000, 0, 0), sp_code_hash(other_immediate, 5, 0x1000, 0, 0));
	assert_int_equal(sp_code_hash(immediate, 5, 0x401000, 0x400000, 0x500000),
		sp_code_hash(other_immediate, 5, 0x401000, 0x400000, 0x500000));
	assert_int_equal(sp_code_hash(call, 3, 0x1000, 0, 0), 0);
	assert_int_not_equal(sp_code_hash(call, 6, 0x1000, 0, 0), 0);
}

static int set_up(void **state)
{
	int rc = make_scratch(state);

	if (!rc) {
		build_programs();
		build_tables();
	}
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builds),
		cmocka_unit_test(test_constants),
		cmocka_unit_test(test_not_to_be_had),
		cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_masks),
	};

	return cmocka_run_group_tests(tests, set_up, remove_scratch);
}
