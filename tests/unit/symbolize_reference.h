/* For the tests of DWARF: programs, and every address of one as addr2line sees it. */
#ifndef SP_TESTS_SYMBOLIZE_REFERENCE_H
#define SP_TESTS_SYMBOLIZE_REFERENCE_H

#include "tests/unit/symbolize_helpers.h"

#include <ctype.h>
#include <libgen.h>

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

static int set_up_programs(void **state)
{
	int rc = make_scratch(state);

	if (!rc) {
		write_file("p.c", c_program);
		write_file("p.cc", cxx_program);
		write_file("q.c", "int unused(int x)\n{\n\treturn x * 2 + (x >> 1);\n}\n");
	}
	return rc;
}

#endif
