/* Fuzzes walks of copied stacks: registers, stack and unwind tables may be anything. Nothing may crash, nor go on without
 * end, nor find more frames than were asked for. Half of the inputs are the instructions of one well-formed entry, the others
 * whole sections. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/symbolize.h"

#define CODE 0x401000u
#define CODE_BYTES 0x1000u
#define TABLE_ADDRESS 0x500000u
#define STACK 0x7fff0000u
#define WORDS_MAX 512u
#define TABLE_MAX 8192u

static const char names[] = "\0.eh_frame\0.debug_frame\0.shstrtab";

static void require(int condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "fuzz_walk: %s\n", what);
		abort();
	}
}

static char path[] = "/tmp/smartprof-walk-XXXXXX";

static void remove_file(void)
{
	unlink(path);
}

/* An object with one table and nothing else. */
static void write_object(int fd, const uint8_t *table, size_t bytes, int debug)
{
	static uint8_t image[sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Shdr) + sizeof(names) + TABLE_MAX];
	Elf64_Ehdr *header = (Elf64_Ehdr *)image;
	Elf64_Shdr *sections = (Elf64_Shdr *)(header + 1);
	uint64_t at = (uint64_t)((uint8_t *)(sections + 3) - image);

	memset(image, 0, sizeof(image));
	*header = (Elf64_Ehdr){.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_shoff = sizeof(*header),
		.e_ehsize = sizeof(*header),
		.e_shentsize = sizeof(*sections),
		.e_shnum = 3,
		.e_shstrndx = 2};
	sections[1] = (Elf64_Shdr){.sh_name = debug ? 11 : 1,
		.sh_type = SHT_PROGBITS,
		.sh_addr = debug ? 0 : TABLE_ADDRESS,
		.sh_offset = at + sizeof(names),
		.sh_size = bytes};
	sections[2] = (Elf64_Shdr){.sh_name = 24, .sh_type = SHT_STRTAB, .sh_offset = at, .sh_size = sizeof(names)};
	memcpy(image + at, names, sizeof(names));
	memcpy(image + at + sizeof(names), table, bytes);
	require(ftruncate(fd, 0) == 0 && pwrite(fd, image, sizeof(image), 0) == (ssize_t)sizeof(image), "no contents");
}

/* One CIE and one FDE around the instructions, a part of which each gets. */
static size_t compose(uint8_t *table, const uint8_t *data, size_t size)
{
	static const uint8_t cie[] = {0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0};
	const uint64_t code[2] = {CODE, CODE_BYTES};
	size_t first = size < 64 ? size / 4 : 16, at = 4;
	uint32_t length, back;

	memcpy(table + at, cie, sizeof(cie));
	memcpy(table + at + sizeof(cie), data, first);
	at += sizeof(cie) + first;
	length = (uint32_t)at - 4;
	memcpy(table, &length, 4);
	back = (uint32_t)at + 4;
	memcpy(table + at + 4, &back, 4);
	memcpy(table + at + 8, code, sizeof(code));
	table[at + 8 + sizeof(code)] = 0;
	memcpy(table + at + 9 + sizeof(code), data + first, size - first);
	length = (uint32_t)(5 + sizeof(code) + size - first);
	memcpy(table + at, &length, 4);
	at += 4 + length;
	memset(table + at, 0, 4);
	return at + 4;
}

static int module_at(void *context, uint64_t address)
{
	(void)context;
	return address - CODE < CODE_BYTES ? 0 : -1;
}

/* What the input does not say leads back into the code, so that walks are long. */
static void fill_stack(struct sp_copied_stack *stack, uint64_t *words, const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < WORDS_MAX; i++)
		words[i] = i % 3 ? STACK + 8 * (i + 5) : CODE + i;
	memcpy(words, data, size < WORDS_MAX * 8 ? size : WORDS_MAX * 8);
	for (unsigned i = 0; i < SP_STACK_REGISTERS; i++)
		stack->registers[i] = STACK + 8 * i;
	if (size >= sizeof(stack->registers) * 2)
		memcpy(stack->registers, data + size - sizeof(stack->registers), sizeof(stack->registers));
	stack->registers[16] = CODE + stack->registers[16] % CODE_BYTES;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t words[WORDS_MAX], frames[256], known[4] = {CODE, 5, CODE + 3, 7};
	static uint8_t table[TABLE_MAX + 256];
	struct sp_copied_stack stack = {.words = words,
		.count = WORDS_MAX,
		.low = STACK,
		.known = known,
		.known_count = 4,
		.module_at = module_at};
	struct sp_symbol_module module = {.path = path};
	struct sp_symbolizer *s = sp_symbolizer_new(&(struct sp_symbolizer_options){.debug_dirs = "/nonexistent"});
	size_t half = size > 3 ? (size - 2) / 2 : 0, bytes, n;
	enum sp_copied_end end;
	static int fd = -1;

	if (fd < 0) {
		fd = mkstemp(path);
		require(fd >= 0 && atexit(remove_file) == 0, "no file");
	}
	if (half > TABLE_MAX - 256)
		half = TABLE_MAX - 256;
	if (size && data[0] & 1) {
		bytes = compose(table, data + 2, half);
	} else {
		memcpy(table, half ? data + 2 : data, half);
		bytes = half;
	}
	write_object(fd, table, bytes, size && data[0] & 2);
	fill_stack(&stack, words, half ? data + 2 + half : data, half ? size - 2 - half : 0);
	known[0] = stack.registers[16];
	require(s && sp_symbolizer_add_module(s, &module) == 0, "no module");
	n = sp_symbolizer_walk(s, &stack, frames, 256, &end);
	require(n <= 256 && (n || end == SP_COPIED_LOST), "no frames");
	sp_symbolizer_frame_start(s, 0, CODE + 5);
	sp_symbolizer_free(s);
	return 0;
}
