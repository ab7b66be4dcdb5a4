/* Names without lines: those that the DWARF would give, from the symbols alone; and cold parts of functions. */
#include "tests/unit/symbolize_helpers.h"

#define FRAMES_MAX 64

static const char program[] =
	"#include <map>\n"
	"#include <string>\n"
	"#include <stdexcept>\n"
	"#include <cstdio>\n"
	"static std::map<std::string, int> seen;\n"
	"namespace { struct Local { int n; int twice(int x); };\n"
	"__attribute__((noinline)) int Local::twice(int x) { return 2 * x + n + std::puts(\"\"); } }\n"
	"static __attribute__((noinline)) int same(int x, int unused)\n"
	"{\n"
	"\tif (x > 100000)\n"
	"\t\tthrow std::runtime_error(\"large\");\n"
	"\treturn x * FACTOR + std::puts(\"x\");\n"
	"}\n"
	"struct Base { virtual ~Base(); virtual int go(int); std::string s; };\n"
	"#ifdef MAIN\n"
	"Base::~Base() {}\n"
	"int Base::go(int x) { seen[s] += x; return same(x, 2) + (int)seen.size(); }\n"
	"int other(int);\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"\tBase b;\n"
	"\tLocal l{argc};\n"
	"\ttry { seen[argv[0]] = b.go(argc); } catch (const std::exception &) { return 3; }\n"
	"\treturn same(argc, 7) + l.twice(argc) + other(argc);\n"
	"}\n"
	"#else\n"
	"int other(int x) { Local l{x}; seen[\"q\"] = x; return same(x, 9) + l.twice(x); }\n"
	"#endif\n";

static struct sp_symbolizer *open_names(const char *name)
{
	struct sp_symbolizer_options options = {.debug_dirs = in_scratch("debugroot"), .names_only = true};
	struct sp_symbol_module module = {.path = in_scratch(name)};
	struct sp_symbolizer *s = sp_symbolizer_new(&options);

	assert_non_null(s);
	assert_int_equal(sp_symbolizer_add_module(s, &module), 0);
	return s;
}

static void expect_same(struct sp_symbolizer *full, struct sp_symbolizer *names, uint64_t address)
{
	struct sp_symbol a[FRAMES_MAX], b[FRAMES_MAX];
	size_t n = sp_symbolize(full, 0, address, a, FRAMES_MAX);

	assert_int_equal(sp_symbolize(names, 0, address, b, FRAMES_MAX), 1);
	if (!a[n - 1].function) {
		assert_null(b[0].function);
		return;
	}
	assert_string_equal(b[0].function, a[n - 1].function);
	assert_null(strstr(b[0].function, "[clone"));
	assert_string_equal(b[0].local_to ? b[0].local_to : "-", a[n - 1].local_to ? a[n - 1].local_to : "-");
	assert_null(b[0].file);
	assert_int_equal(b[0].line, 0);
}

/* Every other byte of the program's code. */
static void compare(const char *name)
{
	struct sp_symbolizer *full = open_file(name), *names = open_names(name);
	char command[256];
	uint64_t low, bytes;

	snprintf(command, sizeof(command), "readelf -SW %s | sed -n 's/.* \\.text *PROGBITS *//p'", name);
	assert_int_equal(sscanf(shell_line(command), "%lx %*x %lx", &low, &bytes), 2);
	assert_true(bytes > 500);
	for (uint64_t at = low; at < low + bytes; at += 2)
		expect_same(full, names, at);
	assert_int_equal(sp_symbolizer_source(full, 0), SP_SYMBOLS_DWARF);
	assert_int_equal(sp_symbolizer_source(names, 0), SP_SYMBOLS_ELF);
	sp_symbolizer_free(full);
	sp_symbolizer_free(names);
}

static void test_same_names(void **state)
{
	static const char *const builds[] = {"g++ -g -O2", "g++ -g -O3 -gdwarf-4", "g++ -g -O0", "clang++ -g -O2"};

	(void)state;
	write_file("p.cc", program);
	for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++) {
		shell("%s -DMAIN -DFACTOR=3 -c -o main.o p.cc && cp p.cc q.cc && %s -DFACTOR=5 -c -o other.o q.cc",
			builds[i], builds[i]);
		shell("%s -o prog main.o other.o", builds[i]);
		compare("prog");
	}
}

static const char oddities[] = "#include <stdio.h>\n"
			       "#include <stdlib.h>\n"
			       "static __attribute__((noinline)) int run(int (*f)(int), int x) { return f(x) + 1; }\n"
			       "int outer(int y)\n"
			       "{\n"
			       "\t__attribute__((noinline)) int inner(int x) { return x * y + puts(\"i\"); }\n"
			       "\treturn run(inner, y);\n"
			       "}\n"
			       "int method(int x) __asm__(\"main.part\");\n"
			       "int method(int x) { return x * 3 + puts(\"m\"); }\n"
			       "static __attribute__((noinline)) int many(int *a, int n)\n"
			       "{\n"
			       "\tint sum = 0;\n"
			       "#pragma omp parallel for reduction(+ : sum)\n"
			       "\tfor (int i = 0; i < n; i++)\n"
			       "\t\tsum += a[i] * i;\n"
			       "\treturn sum;\n"
			       "}\n"
			       "int main(int argc, char **argv)\n"
			       "{\n"
			       "\tint a[50] = {argc};\n"
			       "\treturn outer(argc) + method(argc) + many(a, argc) + !argv;\n"
			       "}\n";

/* Functions inside functions, marks that are names, link-time optimization's clones. */
static void test_odd_names(void **state)
{
	(void)state;
	write_file("odd.c", oddities);
	shell("gcc -g -O2 -fopenmp -o prog odd.c 2>/dev/null");
	compare("prog");
	write_file("p.cc", program);
	shell("cp p.cc q.cc && g++ -g -O3 -flto -DMAIN -DFACTOR=3 -c -o main.o p.cc && g++ -g -O3 -flto -DFACTOR=5 -c "
	      "-o other.o q.cc && g++ -g -O3 -flto -o prog main.o other.o");
	assert_string_equal(shell_line("nm prog | grep -q '\\.constprop\\|\\.isra\\|\\.lto_priv' && echo clones"),
		"clones");
	compare("prog");
}

/* A clone in one file, the function itself in another. */
static void test_clones_of_two_files(void **state)
{
	struct sp_symbolizer *s;
	struct sp_symbol frame;

	(void)state;
	write_file("a.c",
		"#include <stdio.h>\n"
		"static __attribute__((noinline)) int same(int x, int k) { return x * k + puts(\"a\"); }\n"
		"int a(int x) { return same(x, 3); }\n");
	write_file("b.c",
		"#include <stdio.h>\n"
		"static __attribute__((noinline)) int same(int x, int k) { return x + k + puts(\"b\"); }\n"
		"int (*kept)(int, int) = same;\n"
		"int a(int);\n"
		"int main(int argc, char **argv) { return a(argc) + kept(argc, !argv); }\n");
	shell("gcc -g -O2 -o two a.c b.c");
	s = open_names("two");
	assert_true(address_of("two", "same.constprop.0"));
	assert_int_equal(sp_symbolize(s, 0, address_of("two", "same.constprop.0"), &frame, 1), 1);
	assert_string_equal(frame.function, "same");
	assert_string_equal(frame.local_to ? frame.local_to : "-", "a.c");
	assert_int_equal(sp_symbolize(s, 0, address_of("two", "same"), &frame, 1), 1);
	assert_string_equal(frame.local_to ? frame.local_to : "-", "b.c");
	sp_symbolizer_free(s);
}

/* Nor does a .symtab tell all when the linker has dropped what is local. */
static void test_dropped_locals(void **state)
{
	struct sp_symbolizer *s;
	struct sp_symbol frame;
	uint64_t address;

	(void)state;
	write_file("x.c",
		"#include <stdio.h>\n"
		"static __attribute__((noinline)) int hidden(int x) { return x * 5 + puts(\"h\"); }\n"
		"int main(int argc, char **argv) { return hidden(argc) + hidden(argc + !argv); }\n");
	shell("gcc -g -O2 -o whole x.c && gcc -g -O2 -Wl,--discard-all -o prog x.c");
	address = address_of("whole", "hidden");
	assert_int_equal(address_of("prog", "main"), address_of("whole", "main"));
	assert_int_equal(address_of("prog", "hidden"), 0);
	s = open_names("prog");
	sp_symbolize(s, 0, address, &frame, 1);
	assert_string_equal(frame.function ? frame.function : "-", "hidden");
	sp_symbolizer_free(s);
}

/* Without a .symtab the DWARF is read after all. */
static void test_without_symtab(void **state)
{
	struct sp_symbolizer *s;
	struct sp_symbol frame;
	uint64_t address;

	(void)state;
	write_file("p.cc", program);
	shell("cp p.cc q.cc && g++ -g -O2 -DMAIN -DFACTOR=3 -c -o main.o p.cc && g++ -g -O2 -DFACTOR=5 -c -o other.o "
	      "q.cc");
	shell("g++ -o prog main.o other.o");
	address = address_of("prog", "main");
	shell("objcopy --strip-all --keep-section='.debug_*' prog");
	s = open_names("prog");
	assert_int_equal(sp_symbolize(s, 0, address, &frame, 1), 1);
	assert_string_equal(frame.function, "main");
	assert_int_equal(sp_symbolizer_source(s, 0), SP_SYMBOLS_DWARF);
	sp_symbolizer_free(s);
}

static uint64_t cold_part(const char *name, unsigned number)
{
	char command[256];

	snprintf(command, sizeof(command), "nm -n %s | awk '$3 ~ /^work.cold/ {print $1}' | sed -n %up", name, number);
	return strtoull(shell_line(command), NULL, 16);
}

/* Two functions of a name, one of them local, each with a cold part, which is local. Also where a version script makes
 * the exported one local, as linkers then put it behind all files. */
static void test_cold_parts(void **state)
{
	static const char source[] = "#include <cstdio>\n"
				     "#include <stdexcept>\n"
				     "extern \"C\" {\n"
				     "SCOPE __attribute__((noinline)) int work(int x)\n"
				     "{\n"
				     "\tif (x > 1000)\n"
				     "\t\tthrow std::runtime_error(\"large\");\n"
				     "\treturn x * 7 + puts(\"x\");\n"
				     "}\n"
				     "int ENTRY(int x) { return work(x) + 1; }\n"
				     "}\n";

	(void)state;
	write_file("a.cc", source);
	write_file("b.cc", source);
	write_file("map", "{ global: first; second; local: *; };\n");
	shell("g++ -O2 -fPIC -DSCOPE= -DENTRY=first -c a.cc && g++ -O2 -fPIC -DSCOPE=static -DENTRY=second -c b.cc");
	shell("g++ -shared -o all.so a.o b.o && g++ -shared -Wl,--version-script=map -o some.so a.o");
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "some.so" : "all.so";
		struct sp_symbolizer *s = open_file(name);
		struct sp_symbol frame;

		assert_true(cold_part(name, 1));
		sp_symbolize(s, 0, cold_part(name, 1), &frame, 1);
		assert_string_equal(frame.function, "work");
		assert_null(frame.local_to);
		if (i)
			assert_int_equal(frame.function_address, address_of(name, "work"));
		else
			assert_int_not_equal(frame.function_address, cold_part(name, 1));
		sp_symbolizer_free(s);
	}
}

/* Renders of several processes: the file at other places, and read once, for once it is gone the names are still known. */
static void test_pool(void **state)
{
	struct sp_symbolizer_pool pool = {0};
	struct sp_symbolizer_options options = {.debug_dirs = in_scratch("debugroot"), .pool = &pool};
	struct sp_symbolizer *s, *first = NULL;
	struct sp_symbol frame;
	uint64_t address;
	int handle;

	(void)state;
	write_file("x.c", "#include <stdio.h>\nint main(int argc, char **argv) { return argc + puts(argv[0]); }\n");
	shell("gcc -g -O2 -Wl,--build-id -o prog x.c");
	address = address_of("prog", "main");
	for (uint64_t bias = 0; bias < 4 << 20; bias += 1 << 20) {
		struct sp_symbol_module module = {.path = in_scratch("prog"), .bias = bias};
		struct sp_symbol_query query;

		s = sp_symbolizer_new(&options);
		handle = sp_symbolizer_add_module(s, &module);
		assert_int_equal(handle, 0);
		first = first ? first : s;
		assert_ptr_equal(s, first);
		query = (struct sp_symbol_query){bias + address, handle};
		sp_symbolizer_prepare(s, &query, 1);
		assert_int_equal(sp_symbolize(s, handle, bias + address, &frame, 1), 1);
		assert_string_equal(frame.function ? frame.function : "-", "main");
		sp_symbolizer_free(s);
		shell("rm -f prog");
	}
	options.names_only = true;
	s = sp_symbolizer_new(&options);
	assert_ptr_not_equal(s, first);
	sp_symbolizer_free(s);
	sp_symbolizer_pool_free(&pool);
	assert_null(pool.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_names),
		cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_clones_of_two_files),
		cmocka_unit_test(test_dropped_locals),
		cmocka_unit_test(test_without_symtab),
		cmocka_unit_test(test_cold_parts),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
