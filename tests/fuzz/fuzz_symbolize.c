/* Fuzzes the symbolizer with ELF files of unknown origin, DWARF and all: nothing may crash, and it must
 * end in bounded time and memory. Every answer must make sense. Where a second ELF file begins in the data, that is
 * the first one's DWARF package; a bit in the first one's padding asks for names only. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/symbolize.h"

#define FRAMES_MAX 64

static void require(int condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "fuzz_symbolize: %s\n", what);
		abort();
	}
}

static void ask(struct sp_symbolizer *s, uint64_t address)
{
	struct sp_symbol frames[FRAMES_MAX];
	size_t n = sp_symbolize(s, 0, address, frames, FRAMES_MAX);

	require(n >= 1 && n <= FRAMES_MAX, "no frame");
	require(!frames[n - 1].inlined, "the outermost function is inlined");
	for (size_t i = 0; i < n; i++) {
		require(!frames[i].function || strlen(frames[i].function) < (1u << 17), "a name without end");
		require(!frames[i].line || frames[i].file, "a line without a file");
	}
}

static char directory[] = "/tmp/smartprof-fuzz-XXXXXX";

static const char *in_directory(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void remove_directory(void)
{
	unlink(in_directory("object"));
	unlink(in_directory("object.dwp"));
	rmdir(directory);
}

/* A package is looked for beside a path without links. */
static int make_file(const char *name)
{
	int fd = open(in_directory(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	require(fd >= 0, "no file");
	return fd;
}

static void fill(int fd, const uint8_t *data, size_t size)
{
	require(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size, "no contents");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_symbolizer_options options = {
		.debug_dirs = "/nonexistent", .names_only = size >= EI_NIDENT && data[EI_NIDENT - 1] & 1};
	struct sp_symbol_module module = {0};
	struct sp_symbol_query queries[64];
	struct sp_symbolizer *s = sp_symbolizer_new(&options);
	const uint8_t *second = size > SELFMAG ? memmem(data + 1, size - 1, ELFMAG, SELFMAG) : NULL;
	size_t first_bytes = second ? (size_t)(second - data) : size;
	static int object = -1, package;

	if (object < 0) {
		require(mkdtemp(directory) != NULL && atexit(remove_directory) == 0, "no directory");
		object = make_file("object");
		package = make_file("object.dwp");
	}
	fill(object, data, first_bytes);
	fill(package, second ? second : data, size - first_bytes);
	module.path = in_directory("object");
	require(s && sp_symbolizer_add_module(s, &module) == 0, "no module");
	for (unsigned i = 0; i < 64; i++)
		queries[i] = (struct sp_symbol_query){.address = 0x400000 + i * 5};
	sp_symbolizer_prepare(s, queries, 64);
	for (unsigned i = 0; i < 64; i++)
		ask(s, queries[i].address);
	for (uint64_t at = 0x1000; at < 0x1200; at += 9)
		ask(s, at);
	sp_symbolizer_free(s);
	return 0;
}
