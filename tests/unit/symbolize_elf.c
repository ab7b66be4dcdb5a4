/* Names from ELF symbols alone, against nm; and files that are missing, wrong, damaged or no files. */
#include "tests/unit/symbolize_helpers.h"

#include <dlfcn.h>
#include <elf.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <sys/auxv.h>

#define RANDOM_ADDRESSES 2000

static const char program[] =
	"#include <stdlib.h>\n"
	"__attribute__((noinline)) static int hidden(int x) { return x * 3 + (x >> 2); }\n"
	"__attribute__((noinline)) int shown(int x) { return hidden(x) + atoi(\"7\"); }\n"
	"int main(int argc, char **argv) { (void)argv; return shown(argc); }\n"
	"__asm__(\".text\\n.globl sized_asm\\n.type sized_asm,@function\\nsized_asm: nop\\nlabel_inside: "
	"nop\\nret\\n\"\n"
	"\".size sized_asm,.-sized_asm\\nud2\\nud2\\n.globl bare_asm\\nbare_asm: nop\\nnop\\nret\\n\");\n";

static void build_programs(void)
{
	write_file("p.c", program);
	shell("gcc -O2 -g0 -o plain p.c && strip -o stripped plain && gcc -O2 -g0 -fPIC -shared -o lib.so p.c && strip "
	      "lib.so");
}

static const char *name_at(struct sp_symbolizer *s, uint64_t address)
{
	static struct sp_symbol frames[8];

	assert_true(sp_symbolize(s, 0, address, frames, 8) >= 1);
	return frames[0].function;
}

static void test_symtab(void **state)
{
	struct sp_symbolizer *s = open_file("plain");
	uint64_t sized = address_of("plain", "sized_asm"), bare = address_of("plain", "bare_asm");

	(void)state;
	assert_int_equal(sp_symbolizer_source(s, 0), SP_SYMBOLS_ELF);
	assert_string_equal(name_at(s, address_of("plain", "main")), "main");
	assert_string_equal(name_at(s, address_of("plain", "hidden") + 1), "hidden");
	assert_string_equal(name_at(s, sized), "sized_asm");
	assert_string_equal(name_at(s, sized + 2), "sized_asm");
	assert_null(name_at(s, sized + 3));
	assert_string_equal(name_at(s, bare + 2), "bare_asm");
	assert_null(name_at(s, 0));
	assert_null(name_at(s, UINT64_MAX));
	sp_symbolizer_free(s);
}

static void test_stripped(void **state)
{
	struct sp_symbolizer *s = open_file("stripped");
	uint64_t hidden = address_of("plain", "hidden");

	(void)state;
	assert_null(name_at(s, hidden));
	assert_null(name_at(s, address_of("plain", "main")));
	sp_symbolizer_free(s);
}

static void test_dynamic_only(void **state)
{
	struct sp_symbolizer *s = open_file("lib.so");
	uint64_t shown = strtoull(shell_line("nm -D lib.so | awk '$3 == \"shown\" {print $1}'"), NULL, 16);
	uint64_t bare = strtoull(shell_line("nm -D lib.so | awk '$3 == \"bare_asm\" {print $1}'"), NULL, 16);
	struct sp_symbol frame;

	(void)state;
	assert_int_equal(sp_symbolizer_source(s, 0), SP_SYMBOLS_DYNAMIC);
	assert_int_equal(sp_symbolize(s, 0, shown + 4, &frame, 1), 1);
	assert_string_equal(frame.function, "shown");
	assert_int_equal(frame.function_address, shown);
	assert_null(frame.file);
	assert_false(frame.inlined);
	/* Without .symtab nobody can say where code without a size ends. */
	assert_null(name_at(s, bare + 1));
	sp_symbolizer_free(s);
}

static void test_plt_of_aarch64(void **state)
{
	static const char *const flags[] = {
		"", "-Wl,-z,now", "-mbranch-protection=standard -Wl,-z,force-bti,-z,pac-plt"};

	(void)state;
	write_file("called.c",
		"#include <stdlib.h>\nint main(int n, char **list) { return n > 1 && strtol(list[1], NULL, 10); }\n");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct sp_symbolizer *s;
		uint64_t stub;

		shell("aarch64-linux-gnu-gcc -O2 %s -o plt called.c", flags[i]);
		stub = strtoull(
			shell_line("aarch64-linux-gnu-objdump -d plt | awk '/^[0-9a-f]+ <.*strtol@plt>:/ {print $1}'"),
			NULL, 16);
		s = open_file("plt");
		assert_string_equal(name_at(s, stub), "strtol@plt");
		assert_string_equal(name_at(s, stub + 12), "strtol@plt");
		sp_symbolizer_free(s);
	}
}

static void test_plt(void **state)
{
	static const char *const flags[] = {"", "-Wl,-z,now", "-fcf-protection -Wl,-z,ibtplt", "-fuse-ld=gold"};
	char command[256];
	int checked = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct sp_symbolizer *s;
		uint64_t stub;

		shell("gcc -O2 %s -o plt p.c", flags[i]);
		snprintf(command, sizeof(command), "objdump -d plt | awk '/^[0-9a-f]+ <.*strtol@plt>:/ {print $1}'");
		stub = strtoull(shell_line(command), NULL, 16);
		if (!stub)
			continue;
		s = open_file("plt");
		assert_string_equal(name_at(s, stub), "strtol@plt");
		assert_string_equal(name_at(s, stub + 7), "strtol@plt");
		sp_symbolizer_free(s);
		checked++;
	}
	assert_true(checked >= 3);
}

/* Every address nm -D has a symbol over gets one of its names there, every other one none. */
static void test_libc_against_nm(void **state)
{
	static struct {
		uint64_t low, high;
		char name[200];
	} known[8192];
	struct sp_symbolizer *s;
	uint64_t text_low, text_high, random = 88172645463325252u;
	size_t count = 0, named = 0;
	char line[512], type;
	Dl_info info;
	FILE *nm;

	(void)state;
	assert_true(dladdr((void *)gnu_get_libc_version, &info));
	shell("strip -o libc.so %s", info.dli_fname);
	snprintf(line, sizeof(line), "nm -DS --defined-only %s", in_scratch("libc.so"));
	nm = popen(line, "r");
	while (count < 8192 && fgets(line, sizeof(line), nm)) {
		uint64_t size;

		if (sscanf(line, "%lx %lx %c %199[^@\n]", &known[count].low, &size, &type, known[count].name) == 4 &&
			strchr("TtWwi", type))
			known[count].high = known[count].low + size, count++;
	}
	pclose(nm);
	assert_true(count > 1000);
	text_low = strtoull(shell_line("readelf -SW libc.so | awk '$2 == \".text\" {print $4}'"), NULL, 16);
	text_high = text_low + strtoull(shell_line("readelf -SW libc.so | awk '$2 == \".text\" {print $6}'"), NULL, 16);
	assert_true(text_high > text_low);
	s = open_file("libc.so");
	for (int i = 0; i < RANDOM_ADDRESSES; i++) {
		bool covered = false, agreed = false;
		uint64_t address;
		const char *name;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		/* Half of them at known functions: most of libc's text is not exported. */
		address = i % 2 ? text_low + random % (text_high - text_low) : known[random % count].low + i % 5;
		name = name_at(s, address);
		for (size_t k = 0; k < count; k++) {
			if (address < known[k].low || address >= known[k].high)
				continue;
			covered = true;
			agreed |= name && !strcmp(name, known[k].name);
		}
		if (covered ? !agreed : name != NULL)
			fail_msg("%lx: %s", address, name ? name : "(none)");
		named += name != NULL;
	}
	assert_true(named > RANDOM_ADDRESSES / 3);
	sp_symbolizer_free(s);
}

/* Two files have a local function of one name, cold part and all; a third name is in one file only. */
static void test_local_names(void **state)
{
	static const char *const files[] = {"one", "two"};
	struct sp_symbolizer *s;
	struct sp_symbol frame;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		FILE *file = fopen(in_scratch(i ? "two.c" : "one.c"), "w");

		fprintf(file,
			"#include <stdlib.h>\n__attribute__((noinline)) static int twin(int x) { if (x == 7) abort(); "
			"return x * %zu; }\n"
			"__attribute__((noinline)) static int only_%s(int x) { return x + %zu; }\n"
			"int call_%s(int x) { return twin(x) ^ only_%s(x + 1); }\n",
			i + 3, files[i], i + 5, files[i], files[i]);
		fclose(file);
	}
	write_file("both.c",
		"int call_one(int), call_two(int);\nint main(int c, char **v)\n{\n\t(void)v;\n\treturn "
		"call_one(c) + call_two(c);\n}\n");
	shell("gcc -O2 -g0 -o both both.c one.c two.c");
	s = open_file("both");
	for (size_t i = 0; i < 2; i++) {
		char command[128];

		snprintf(command, sizeof(command), "nm -n both | awk '$3 == \"twin\" {print $1}' | sed -n %zup", i + 1);
		sp_symbolize(s, 0, strtoull(shell_line(command), NULL, 16), &frame, 1);
		assert_string_equal(frame.function, "twin");
		assert_string_equal(frame.local_to, i ? "two.c" : "one.c");
		snprintf(command, sizeof(command), "nm -n both | awk '$3 ~ /^twin.cold/ {print $1}' | sed -n %zup",
			i + 1);
		sp_symbolize(s, 0, strtoull(shell_line(command), NULL, 16), &frame, 1);
		assert_string_equal(frame.function, "twin");
		assert_string_equal(frame.local_to, i ? "two.c" : "one.c");
	}
	sp_symbolize(s, 0, address_of("both", "only_two"), &frame, 1);
	assert_string_equal(frame.function, "only_two");
	assert_null(frame.local_to);
	sp_symbolizer_free(s);
}

/* What an indirect function resolves to has its own name, and the resolver that of the function. */
static void test_ifunc(void **state)
{
	struct sp_symbolizer *s;

	(void)state;
	write_file("ifunc.c",
		"__attribute__((noinline)) static int fast(int x) { return x * 3; }\n"
		"static int (*choose(void))(int) { return fast; }\n"
		"int chosen(int) __attribute__((ifunc(\"choose\")));\n"
		"int main(int c, char **v) { (void)v; return chosen(c); }\n");
	shell("gcc -O2 -g0 -o ifunc ifunc.c");
	s = open_file("ifunc");
	assert_string_equal(name_at(s, address_of("ifunc", "fast")), "fast");
	assert_string_equal(name_at(s, address_of("ifunc", "chosen")), "chosen");
	sp_symbolizer_free(s);
}

static void test_popular_alias(void **state)
{
	struct sp_symbolizer *s = open_file("libc.so");
	const char *address = shell_line("nm -D libc.so | awk '$3 ~ /^write@/ {print $1}'");

	(void)state;
	assert_string_equal(name_at(s, strtoull(address, NULL, 16)), "write");
	sp_symbolizer_free(s);
}

static enum sp_symbol_source source_of(const char *path, const uint8_t *id, size_t bytes)
{
	struct sp_symbol_module module = {.path = path, .build_id = id, .build_id_bytes = bytes};
	struct sp_symbolizer *s =
		sp_symbolizer_new(&(struct sp_symbolizer_options){.debug_dirs = in_scratch("debugroot")});
	struct sp_symbol frame = {.function = "untouched"};
	enum sp_symbol_source source;

	assert_int_equal(sp_symbolizer_add_module(s, &module), 0);
	source = sp_symbolizer_source(s, 0);
	assert_int_equal(sp_symbolize(s, 0, address_of("plain", "main"), &frame, 1), 1);
	assert_true((source > SP_SYMBOLS_NONE) == (frame.function && !strcmp(frame.function, "main")));
	sp_symbolizer_free(s);
	return source;
}

static void test_build_id(void **state)
{
	uint8_t id[64];
	size_t bytes = build_id_of("plain", id);

	(void)state;
	assert_int_equal(bytes, 20);
	assert_int_equal(source_of(in_scratch("plain"), id, bytes), SP_SYMBOLS_ELF);
	assert_int_equal(source_of(in_scratch("plain"), NULL, 0), SP_SYMBOLS_ELF);
	assert_int_equal(source_of(in_scratch("plain"), id, bytes - 1), SP_SYMBOLS_MISMATCH);
	id[19] ^= 1;
	assert_int_equal(source_of(in_scratch("plain"), id, bytes), SP_SYMBOLS_MISMATCH);
	assert_int_equal(source_of(in_scratch("p.c"), id, bytes), SP_SYMBOLS_MISMATCH);
	assert_int_equal(source_of(in_scratch("p.c"), NULL, 0), SP_SYMBOLS_NONE);
}

static void test_gone(void **state)
{
	static const char *const paths[] = {"/nonexistent/lib.so", "/memfd:code (deleted)", "[heap]", "", "/",
		"/dev/zero", " (deleted)", "relative"};
	uint8_t id[64];
	size_t bytes = build_id_of("plain", id);

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(source_of(paths[i], id, bytes), SP_SYMBOLS_GONE);
	shell("mkfifo fifo");
	assert_int_equal(source_of(in_scratch("fifo"), NULL, 0), SP_SYMBOLS_GONE);
	/* The same build put back is found again, another one, or one we cannot tell, is not. */
	assert_int_equal(source_of(in_scratch("plain (deleted)"), id, bytes), SP_SYMBOLS_ELF);
	assert_int_equal(source_of(in_scratch("plain (deleted)"), NULL, 0), SP_SYMBOLS_GONE);
	id[0] ^= 1;
	assert_int_equal(source_of(in_scratch("plain (deleted)"), id, bytes), SP_SYMBOLS_GONE);
}

static void test_vdso(void **state)
{
	uintptr_t start = getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const void *)start;
	const Elf64_Phdr *segments = (const void *)(start + header->e_phoff);
	struct sp_symbol_module module = {.path = "[vdso]", .bias = start};
	struct sp_symbolizer *s = sp_symbolizer_new(NULL);
	struct sp_symbol frame;
	int named = 0;

	(void)state;
	assert_int_equal(sp_symbolizer_add_module(s, &module), 0);
	module.build_id = (const uint8_t *)"wrong";
	module.build_id_bytes = 5;
	assert_int_equal(sp_symbolizer_add_module(s, &module), 1);
	assert_int_equal(sp_symbolizer_source(s, 0), SP_SYMBOLS_DYNAMIC);
	assert_int_equal(sp_symbolizer_source(s, 1), SP_SYMBOLS_MISMATCH);
	for (uintptr_t at = 0; at < segments[0].p_memsz; at++) {
		sp_symbolize(s, 0, start + at, &frame, 1);
		named += frame.function && !strcmp(frame.function, "clock_gettime");
	}
	assert_true(named > 0);
	sp_symbolizer_free(s);
}

static void test_handles(void **state)
{
	struct sp_symbolizer *s = open_file("plain");
	struct sp_symbol frame = {.function = "untouched"};

	(void)state;
	assert_int_equal(sp_symbolize(s, 1, 0, &frame, 1), 1);
	assert_null(frame.function);
	assert_int_equal(sp_symbolize(s, -1, 0, &frame, 1), 1);
	assert_int_equal(sp_symbolize(s, 0, 0, &frame, 0), 0);
	assert_int_equal(sp_symbolizer_source(s, 7), SP_SYMBOLS_GONE);
	sp_symbolizer_free(s);
	sp_symbolizer_free(NULL);
}

static int set_up(void **state)
{
	int rc = make_scratch(state);

	if (!rc)
		build_programs();
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symtab),
		cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_dynamic_only),
		cmocka_unit_test(test_plt),
		cmocka_unit_test(test_plt_of_aarch64),
		cmocka_unit_test(test_libc_against_nm),
		cmocka_unit_test(test_popular_alias),
		cmocka_unit_test(test_local_names),
		cmocka_unit_test(test_ifunc),
		cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_handles),
	};

	return cmocka_run_group_tests(tests, set_up, remove_scratch);
}
