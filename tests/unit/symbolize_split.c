/* Debug information that is split off the program: .dwo files, and packages of them. */
#include "tests/unit/symbolize_reference.h"

#include <dwarf.h>

#include "symbolize/dwarf/dwp.h"
#include "symbolize/elf/object.h"

static void test_split(void **state)
{
	static const char *const versions[] = {"4", "5"};
	struct sp_symbol frames[FRAMES_MAX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sp_symbolizer *s;
		size_t count;

		shell("gcc -g -O2 -gsplit-dwarf -gdwarf-%s -c p.c -o p.o && gcc -o prog p.o", versions[i]);
		s = open_file("prog");
		assert_int_equal(sp_symbolizer_source(s, 0), SP_SYMBOLS_DWARF);
		count = sp_symbolize(s, 0, address_of("prog", "outer") + 1, frames, FRAMES_MAX);
		assert_true(count > 1);
		assert_string_equal(frames[0].function, "leaf");
		assert_string_equal(frames[0].file, in_scratch("p.c"));
		assert_string_equal(frames[count - 1].function, "outer");
		assert_int_equal(frames[count - 1].line, 17);
		assert_int_equal(frames[count - 1].decl_line, 17);
		sp_symbolizer_free(s);
		shell("rm -f *.dwo");
		s = open_file("prog");
		assert_int_equal(sp_symbolize(s, 0, address_of("prog", "outer"), frames, FRAMES_MAX), 1);
		assert_string_equal(frames[0].function, "outer");
		assert_true(frames[0].line > 0);
		sp_symbolizer_free(s);
	}
}

/* Compiles `source` and a second unit, so that the first is not all there is. */
static void compile_two(const char *compiler, const char *flags, const char *source, const char *output)
{
	shell("%s -g -O2 %s -c %s -o p.o && %s -g -O2 %s -c q.c -o q.o && %s -o %s p.o q.o", compiler, flags, source,
		compiler, flags, compiler, output);
}

/* Puts the split parts of prog in one package. */
static void make_package(const char *tool)
{
	shell("rm -f *.dwp && timeout 20 %s -e prog -o prog.dwp && rm *.dwo", tool);
}

static void test_package(void **state)
{
	static const struct {
		const char *tool, *compiler, *version, *source;
	} builds[] = {
		{"dwp", "gcc", "4", "p.c"},
		{"dwp", "g++", "4", "p.cc"},
		{"llvm-dwp", "clang", "4", "p.c"},
		{"llvm-dwp", "clang", "5", "p.c"},
		{"llvm-dwp", "clang++", "5", "p.cc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++) {
		char missing[64], flags[64];

		snprintf(missing, sizeof(missing), "! command -v %s >/dev/null", builds[i].tool);
		if (!system(missing))
			continue;
		/* addr2line 2.40 follows neither packages nor clang's range lists of DWARF 5 */
		compile_two(builds[i].compiler, "-gdwarf-4", builds[i].source, "full");
		snprintf(flags, sizeof(flags), "-gsplit-dwarf -gdwarf-%s", builds[i].version);
		compile_two(builds[i].compiler, flags, builds[i].source, "prog");
		make_package(builds[i].tool);
		if (compare_file("prog", "full") < 50)
			fail_msg("hardly any address: %s %s", builds[i].tool, builds[i].compiler);
	}
}

/* The frames of `outer` in prog: 1 without the split parts. */
static size_t frames_of_outer(uint64_t address)
{
	struct sp_symbol frames[FRAMES_MAX];
	struct sp_symbolizer *s = open_file("prog");
	size_t count = sp_symbolize(s, 0, address, frames, FRAMES_MAX);

	assert_string_equal(frames[count - 1].function, "outer");
	sp_symbolizer_free(s);
	return count;
}

/* Where gdb and lldb look for a package too: beside the program when its DWARF is elsewhere, beside the DWARF under the
 * program's name, in the debug directories; a package of another build does not stand in the way. */
static void test_package_places(void **state)
{
	static const char *const places[] = {
		"prog.dwp", ".debug/prog.dwp", ".debug/prog.debug.dwp", "debugroot/prog.dwp", "debugroot%s/prog.dwp"};
	uint64_t address;

	(void)state;
	if (system("command -v llvm-dwp >/dev/null"))
		skip();
	compile_two("clang", "-gsplit-dwarf -gdwarf-5 -Dleaf=trunk", "p.c", "prog");
	make_package("llvm-dwp");
	shell("mv prog.dwp another");
	compile_two("clang", "-gsplit-dwarf -gdwarf-5", "p.c", "prog");
	make_package("llvm-dwp");
	address = address_of("prog", "outer") + 1;
	shell("mv prog.dwp package && mkdir -p .debug debugroot%s && objcopy --only-keep-debug prog .debug/prog.debug "
	      "&& "
	      "strip prog && objcopy --add-gnu-debuglink=.debug/prog.debug prog",
		scratch);
	assert_int_equal(frames_of_outer(address), 1);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char place[512];

		snprintf(place, sizeof(place), places[i], scratch);
		shell("cp package %s", place);
		if (frames_of_outer(address) < 2)
			fail_msg("not found: %s", place);
		shell("rm %s", place);
	}
	shell("cp package debugroot/prog.dwp && cp another prog.dwp");
	assert_true(frames_of_outer(address) > 1);
	shell("rm -rf .debug debugroot *.dwp");
}

/* As llvm-dwp or objcopy compress them. */
static void test_compressed_package(void **state)
{
	uint64_t address;

	(void)state;
	if (system("command -v llvm-dwp >/dev/null"))
		skip();
	compile_two("clang", "-gsplit-dwarf -gdwarf-5", "p.c", "prog");
	make_package("llvm-dwp");
	address = address_of("prog", "outer") + 1;
	shell("objcopy --compress-debug-sections=zlib prog.dwp");
	assert_string_equal(shell_line("readelf -tW prog.dwp | grep -q COMPRESSED && echo packed"), "packed");
	assert_true(frames_of_outer(address) > 1);
}

/* What units of a package hold is told, so that readers can keep to a limit. */
static void test_package_cost(void **state)
{
	struct sp_object object = {0};
	struct sp_dwp *package;
	size_t sum = 0, wanted, units = 0;
	Dwarf_CU *cu = NULL;
	Dwarf *dwarf;
	Dwarf_Die die;
	uint8_t type;
	int error;

	(void)state;
	if (system("command -v llvm-dwp >/dev/null"))
		skip();
	compile_two("clang", "-gsplit-dwarf -gdwarf-5", "p.c", "prog");
	make_package("llvm-dwp");
	wanted = (size_t)strtoul(shell_line("readelf -SW prog.dwp | sed -n 's/^.*debug_info.dwo *PROGBITS *[0-9a-f]* "
					    "[0-9a-f]* \\([0-9a-f]*\\) .*/0x\\1/p'"),
		NULL, 16);
	assert_int_equal(sp_object_open(&object, in_scratch("prog")), 0);
	package = sp_dwp_open(in_scratch("prog.dwp"), &object, &error);
	dwarf = dwarf_begin_elf(object.elf, DWARF_C_READ, NULL);
	assert_non_null(package);
	while (!dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL)) {
		struct sp_file_table files = {0};
		size_t bytes = 0;
		Dwarf_Die body;

		if (type != DW_UT_skeleton)
			continue;
		assert_int_equal(sp_dwp_find(package, &die, &body, &files, &bytes), 0);
		sp_file_table_free(&files);
		sum += bytes;
		units++;
	}
	assert_int_equal(units, 2);
	assert_true(wanted > 0 && sum > wanted);
	dwarf_end(dwarf);
	sp_dwp_close(package);
	sp_object_close(&object);
}

/* A damaged package gives fewer names, or others, but always some answer. */
static void test_damaged_package(void **state)
{
	static uint8_t bytes[65536];
	struct sp_symbol frames[FRAMES_MAX];
	unsigned random_state = 7;
	size_t size;
	FILE *file;

	(void)state;
	if (system("command -v llvm-dwp >/dev/null"))
		skip();
	compile_two("clang", "-gsplit-dwarf -gdwarf-5", "p.c", "prog");
	make_package("llvm-dwp");
	file = fopen(in_scratch("prog.dwp"), "r");
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	for (unsigned round = 0; round < 300; round++) {
		uint8_t saved[4];
		size_t at[4];
		struct sp_symbolizer *s;

		for (unsigned i = 0; i < 4; i++) {
			random_state = random_state * 1103515245u + 12345u;
			at[i] = (random_state >> 8) % size;
			saved[i] = bytes[at[i]];
			bytes[at[i]] ^= 1u << (random_state >> 28 & 7);
		}
		file = fopen(in_scratch("prog.dwp"), "w");
		fwrite(bytes, 1, round % 16 ? size : at[0], file);
		fclose(file);
		s = open_file("prog");
		assert_true(sp_symbolize(s, 0, address_of("prog", "outer") + 1, frames, FRAMES_MAX) >= 1);
		sp_symbolizer_free(s);
		for (unsigned i = 4; i-- > 0;)
			bytes[at[i]] = saved[i];
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_package),
		cmocka_unit_test(test_package_places),
		cmocka_unit_test(test_compressed_package),
		cmocka_unit_test(test_package_cost),
		cmocka_unit_test(test_damaged_package),
	};

	return cmocka_run_group_tests(tests, set_up_programs, remove_scratch);
}
