/* Stacks of threads that nobody has stopped: the stack pointer and the instruction are the kernel's word, the stack is copied, and
 * it is walked by the tables in the files that are mapped. */
#include "tools/where/where.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "symbolize/base/memory.h"

#define STACK_WORDS 32768u /* 256 KB */
#define SEGMENTS_MAX 64u
#define CALL_BYTES 7u /* of the longest call instruction */

struct module {
	const struct sp_attach_map *map; /* the executable mapping */
	uint64_t base;                   /* where its file's beginning is mapped */
	int handle;
};

struct sp_where_code {
	struct sp_symbolizer *symbolizer;
	const struct sp_where_process *process;
	struct module *modules;
	size_t count;
	int perf_map; /* handle of what a just-in-time compiler names, negative: none */
	uint64_t words[STACK_WORDS];
};

/* What the file's first segment was linked for, and where the last one ends; by the headers as they are in memory. */
static bool read_bias(const struct sp_where_process *p, uint64_t base, uint64_t *bias, uint64_t *end)
{
	Elf64_Ehdr header;
	Elf64_Phdr segments[SEGMENTS_MAX];

	if (!sp_attach_read(p->pid, base, &header, sizeof(header)) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
		header.e_phnum > SEGMENTS_MAX || header.e_phentsize != sizeof(segments[0]) ||
		!sp_attach_read(p->pid, base + header.e_phoff, segments, header.e_phnum * sizeof(segments[0])))
		return false;
	*end = 0;
	for (size_t i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_LOAD) {
			if (!*end)
				*bias = base - (segments[i].p_vaddr & ~(uint64_t)4095);
			*end = *bias + segments[i].p_vaddr + segments[i].p_memsz;
		}
	return *end != 0;
}

/* Where the mappings of this one's file begin. */
static uint64_t base_of(const struct sp_attach_maps *maps, const struct sp_attach_map *map)
{
	const struct sp_attach_map *first = map;

	while (first > maps->list && first->offset && first[-1].inode == map->inode)
		first--;
	return first->start - first->offset;
}

bool sp_where_module(const struct sp_where_process *p, const struct sp_attach_map *map, uint64_t address,
	uint64_t *base, uint64_t *bias)
{
	uint64_t end;

	*base = base_of(&p->maps, map);
	return p->has_memory && map->inode && read_bias(p, *base, bias, &end) && address < end;
}

static void describe_file(struct sp_symbol_file *file, int pid, const struct sp_attach_map *map)
{
	char path[PATH_MAX];
	struct stat st;

	*file = (struct sp_symbol_file){.inode = map->inode};
	if (!sp_attach_map_open_path(path, pid, map) || stat(path, &st) < 0)
		return;
	*file = sp_symbol_file_of(&st);
}

static void add_module(struct sp_where_code *code, const struct sp_attach_map *map)
{
	bool vdso = strcmp(map->path, "[vdso]") == 0;
	struct module m = {.map = map, .base = vdso ? map->start : base_of(&code->process->maps, map)};
	struct sp_symbol_module what = {.path = map->path, .start = m.base};
	struct sp_symbol_file file;
	uint64_t end;

	if (!read_bias(code->process, m.base, &what.bias, &end))
		return;
	if (!vdso) {
		describe_file(&file, code->process->pid, map);
		what.file = &file;
	}
	m.handle = sp_symbolizer_add_module(code->symbolizer, &what);
	code->modules[code->count++] = m;
}

struct sp_where_code *sp_where_code_new(const struct sp_where_process *p, const struct sp_symbolizer_options *symbols)
{
	struct sp_where_code *code = sp_alloc(1, sizeof(*code));
	struct sp_symbolizer_options options = *symbols;
	char root[48];
	struct stat st;

	options.pid = p->pid;
	code->process = p;
	code->symbolizer = sp_symbolizer_new(&options);
	code->modules = sp_alloc(p->maps.count, sizeof(*code->modules));
	for (size_t i = 0; p->has_memory && i < p->maps.count; i++)
		if (p->maps.list[i].executable &&
			(p->maps.list[i].inode || strcmp(p->maps.list[i].path, "[vdso]") == 0))
			add_module(code, &p->maps.list[i]);
	snprintf(root, sizeof(root), "/proc/%d/root", p->pid);
	code->perf_map = -1;
	if (stat(root, &st) == 0 && p->count)
		code->perf_map =
			sp_symbolizer_add_perf_map(code->symbolizer, root, p->tasks[0].inner_tid, st.st_uid, 0);
	return code;
}

void sp_where_code_free(struct sp_where_code *code)
{
	if (!code)
		return;
	sp_symbolizer_free(code->symbolizer);
	free(code->modules);
	free(code);
}

static const struct module *find_module(const struct sp_where_code *code, uint64_t address)
{
	for (size_t i = 0; i < code->count; i++)
		if (address >= code->modules[i].map->start && address < code->modules[i].map->end)
			return &code->modules[i];
	return NULL;
}

static int module_at(void *context, uint64_t address)
{
	const struct module *m = find_module(context, address);

	return m ? m->handle : -1;
}

/* call rel32, or call of a register or of memory, whose last byte is before the address. */
static bool is_return(void *context, uint64_t address)
{
	const struct sp_where_code *code = context;
	const struct sp_attach_map *map = sp_attach_map_at(&code->process->maps, address);
	uint8_t bytes[CALL_BYTES];

	if (!map || !map->executable || address - map->start < CALL_BYTES ||
		!sp_attach_read(code->process->pid, address - CALL_BYTES, bytes, CALL_BYTES))
		return false;
	if (bytes[2] == 0xe8)
		return true;
	for (size_t length = 2; length <= CALL_BYTES; length++) { /* ff /2 */
		const uint8_t *at = bytes + CALL_BYTES - length;

		if (at[0] == 0xff && (at[1] >> 3 & 7) == 2)
			return true;
	}
	return false;
}

/* What there is of the stack from its top on. */
static size_t copy_stack(struct sp_where_code *code, uint64_t from)
{
	const struct sp_attach_map *map = sp_attach_map_at(&code->process->maps, from);
	uint64_t bytes = map ? map->end - from : 0;
	struct iovec local = {code->words, bytes < sizeof(code->words) ? bytes : sizeof(code->words)};
	struct iovec remote = {(void *)(uintptr_t)from, local.iov_len};
	ssize_t got = bytes ? process_vm_readv(code->process->pid, &local, 1, &remote, 1, 0) : -1;

	return got > 0 ? (size_t)got / sizeof(code->words[0]) : 0;
}

void sp_where_walk(struct sp_where_code *code, const struct sp_where_process *p, const struct sp_where_task *task,
	struct sp_where_stack *stack)
{
	/* A system call destroys rcx and r11; what it was given is in rdi, rsi, rdx, r10, r8 and r9, as DWARF numbers them. */
	static const uint8_t given[6] = {5, 4, 1, 10, 8, 9};
	struct sp_copied_stack copied = {.low = task->sp & ~(uint64_t)7, .module_at = module_at, .context = code};
	enum sp_copied_end end = SP_COPIED_LOST;

	*stack = (struct sp_where_stack){.guessed = SIZE_MAX};
	if (!task->has_call)
		return;
	stack->frames[0] = task->pc;
	stack->count = 1;
	if (!p->has_memory || !(copied.count = copy_stack(code, copied.low)))
		return;
	copied.words = code->words;
	copied.unknown = (1u << SP_STACK_REGISTERS) - 1;
	for (size_t i = 0; task->call >= 0 && i < 6; i++) {
		copied.registers[given[i]] = task->arguments[i];
		copied.unknown &= ~(1u << given[i]);
	}
	copied.registers[7] = task->sp;
	copied.registers[16] = task->pc;
	copied.unknown &= ~(1u << 7 | 1u << 16);
	copied.is_return = is_return;
	copied.guessed = &stack->guessed;
	stack->count = sp_symbolizer_walk(code->symbolizer, &copied, stack->frames, SP_WHERE_FRAMES, &end);
	stack->whole = end != SP_COPIED_LOST;
}

size_t sp_where_names(struct sp_where_code *code, const struct sp_where_stack *stack, size_t frame,
	struct sp_symbol *names, size_t max, const char **module, uint64_t *offset)
{
	uint64_t address = stack->frames[frame] - (frame > 0);
	const struct module *m = find_module(code, address);

	*module = m ? m->map->path : "";
	*offset = m ? address - m->base : address;
	memset(names, 0, sizeof(*names));
	if (m)
		return sp_symbolize(code->symbolizer, m->handle, address, names, max);
	return code->perf_map >= 0 ? sp_symbolize(code->symbolizer, code->perf_map, address, names, max) : 1;
}
