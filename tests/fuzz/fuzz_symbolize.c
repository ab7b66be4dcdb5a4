/* Fuzzes the symbolizer with ELF files of unknown origin, DWARF and all: nothing may crash, and it must
 * end in bounded time and memory. Every answer must make sense. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sp_symbolizer_options options = {.debug_dirs = "/nonexistent"};
	struct sp_symbol_module module = {0};
	struct sp_symbol_query queries[64];
	struct sp_symbolizer *s = sp_symbolizer_new(&options);
	static int fd = -1;
	char path[64];

	if (fd < 0)
		fd = memfd_create("object", MFD_CLOEXEC);
	require(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size, "no file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	module.path = path;
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
