/* Files, lines and inlined calls, against addr2line, for programs compiled in many ways. */
#include "tests/unit/symbolize_helpers.h"

#include <ctype.h>
#include <dwarf.h>
#include <libgen.h>

#include "symbolize/elf/object.h"
#include "symbolize/dwarf/dwp.h"

static const char c_program[] = "#include <stdio.h>\n"
				"#include <stdlib.h>\n"
				"static inline __attribute__((always_inline)) int leaf(int x)\n"
				"{\n"
				"\tif (x > 1000)\n"
				"\t\tabort();\n"
				"\treturn x * 7 + (x >> 3);\n"
				"}\n"
				"static inline __attribute__((always_inline)) int middle(int x)\n"
				"{\n"
				"\tfor (int i = 0; i < 3; i++) {\n"
				"\t\tint y = leaf(x + i);\n"
				"\t\tx += y;\n"
				"\t}\n"
				"\treturn x;\n"
				"}\n"
				"__attribute__((noinline)) int outer(int x) { return middle(x) + leaf(x); }\n"
				"int main(int argc, char **argv)\n"
				"{\n"
				"\tint n = outer(argc);\n"
				"\tprintf(\"%d %s\\n\", n, argv[0]);\n"
				"\treturn middle(n) & 1;\n"
				"}\n";

static const char cxx_program[] =
	"#include <algorithm>\n"
	"#include <map>\n"
	"#include <string>\n"
	"#include <vector>\n"
	"namespace deep { namespace er {\n"
	"template <typename T> struct Box {\n"
	"\tstd::vector<T> v;\n"
	"\tvoid add(const T &t) { v.push_back(t); }\n"
	"\tT best() const { return *std::max_element(v.begin(), v.end(), [](const T &a, const T &b) { return a < b; "
	"}); }\n"
	"};\n"
	"} }\n"
	"static std::map<std::string, int> m;\n"
	"__attribute__((noinline)) int fill(const char *s) { m[s] += 1; return (int)m.size(); }\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"\tdeep::er::Box<std::string> b;\n"
	"\tstruct Local { __attribute__((noinline)) int f(int x) { return x * x + fill(\"q\"); } } l;\n"
	"\tfor (int i = 0; i < argc; i++) { b.add(argv[i]); fill(argv[i]); }\n"
	"\tstd::sort(b.v.begin(), b.v.end());\n"
	"\treturn (int)b.best().size() + l.f(argc);\n"
	"}\n";

#define FRAMES_MAX 64
#define NAME_MAX_BYTES 4096

struct reference {
	FILE *pipe;
	char line[NAME_MAX_BYTES];
	bool have; /* line holds the next address already */
};

static void next_line(struct reference *r)
{
	r->have = fgets(r->line, sizeof(r->line), r->pipe);
	r->line[strcspn(r->line, "\n")] = '\0';
}

/* addr2line marks parts and clones of functions, we report the function. */
static bool same_function(const char *ours, char *theirs)
{
	char *clone = strstr(theirs, " [clone ");

	if (clone)
		*clone = '\0';
	clone = strstr(theirs, ".cold");
	if (clone)
		*clone = '\0';
	return !strcmp(ours ? ours : "??", theirs);
}

static bool same_line(const struct sp_symbol *ours, char *theirs, unsigned *other_files)
{
	char *colon = strrchr(theirs, ':'), *end = NULL, path[NAME_MAX_BYTES];
	unsigned long line = strtoul(colon + 1, &end, 10);

	*colon = '\0';
	if (line != ours->line)
		return false;
	if (!line)
		return true;
	snprintf(path, sizeof(path), "%s", ours->file);
	*other_files += strcmp(basename(path), basename(theirs)) && !strstr(theirs, "<artificial>");
	return true;
}

/* Returns the number of frames whose file has another name. */
static unsigned compare_address(struct sp_symbolizer *s, uint64_t address, struct reference *r)
{
	struct sp_symbol frames[FRAMES_MAX];
	size_t count = sp_symbolize(s, 0, address, frames, FRAMES_MAX), i = 0;
	unsigned other_files = 0;

	assert_true(r->have && strtoull(r->line, NULL, 16) == address);
	next_line(r);
	for (; r->have && strncmp(r->line, "0x", 2); i++) {
		if (i >= count || !same_function(frames[i].function, r->line))
			fail_msg("%lx frame %zu: %s, addr2line %s", address, i,
				i < count ? frames[i].function : "(none)", r->line);
		next_line(r);
		if (!same_line(&frames[i], r->line, &other_files))
			fail_msg("%lx frame %zu: %s:%u, addr2line %s", address, i, frames[i].file, frames[i].line,
				r->line);
		assert_true(frames[i].inlined == (i + 1 < count));
		next_line(r);
	}
	assert_int_equal(i, count);
	return other_files;
}

/* Every third address of every function nm finds in `reference_file`, as addr2line sees that one and we see `file`.
 * Left out: what has no DWARF (the C start-up code), and C++ constructors of a unit, where addr2line repeats the
 * outer name for the inlined function. Returns the number compared. */
static unsigned compare_file(const char *file, const char *reference_file)
{
	static uint64_t addresses[20000];
	struct sp_symbolizer *s = open_file(file);
	struct reference reference = {0};
	unsigned count = 0, other_files = 0;
	char line[NAME_MAX_BYTES];
	FILE *out, *nm;

	assert_int_equal(sp_symbolizer_source(s, 0), SP_SYMBOLS_DWARF);
	snprintf(line, sizeof(line), "nm -S %s", in_scratch(reference_file));
	nm = popen(line, "r");
	out = fopen(in_scratch("addresses"), "w");
	assert_true(nm && out);
	while (fgets(line, sizeof(line), nm)) {
		char type, name[NAME_MAX_BYTES];
		uint64_t low, size;

		if (sscanf(line, "%lx %lx %c %4000s", &low, &size, &type, name) != 4 || !strchr("tTwW", type) ||
			name[0] == '.' || !strncmp(name, "_GLOBAL__sub_I", 14) || !strcmp(name, "_start") ||
			!strcmp(name, "_init") || !strcmp(name, "_fini"))
			continue;
		for (uint64_t at = low; at < low + size && count < 20000; at += 3) {
			addresses[count++] = at;
			fprintf(out, "0x%lx\n", at);
		}
	}
	pclose(nm);
	fclose(out);
	snprintf(line, sizeof(line), "addr2line -aCfie %s <%s", in_scratch(reference_file), in_scratch("addresses"));
	reference.pipe = popen(line, "r");
	assert_non_null(reference.pipe);
	next_line(&reference);
	for (unsigned i = 0; i < count; i++)
		other_files += compare_address(s, addresses[i], &reference);
	/* addr2line 2.40 at times takes the unit's own file, or with LTO an artificial one, for an included one. */
	assert_true(other_files <= count / 20);
	pclose(reference.pipe);
	sp_symbolizer_free(s);
	return count;
}

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

static int set_up(void **state)
{
	int rc = make_scratch(state);

	if (!rc) {
		write_file("p.c", c_program);
		write_file("p.cc", cxx_program);
		write_file("q.c", "int unused(int x)\n{\n\treturn x * 2 + (x >> 1);\n}\n");
	}
	return rc;
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
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_package),
		cmocka_unit_test(test_package_places),
		cmocka_unit_test(test_compressed_package),
		cmocka_unit_test(test_package_cost),
		cmocka_unit_test(test_damaged_package),
		cmocka_unit_test(test_dwz),
		cmocka_unit_test(test_dropped_functions),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_asked_by_turns),
	};

	return cmocka_run_group_tests(tests, set_up, remove_scratch);
}
