/* The symbolizer: modules opened on first use, answers kept by address. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/debugfile.h"
#include "symbolize/dwarf.h"
#include "symbolize/object.h"
#include "symbolize/perfmap.h"
#include "symbolize/plt.h"
#include "symbolize/strings.h"
#include "symbolize/symbolize.h"
#include "symbolize/symtab.h"
#include "symbolize/unwind_table.h"

#define DEFAULT_DEBUG_ROOT "/usr/lib/debug"
#define DELETED " (deleted)"
#define FRAMES_LIMIT 64u

struct module {
	char *path;
	uint64_t bias;
	uint8_t *build_id;
	size_t build_id_bytes;
	bool opened;
	enum sp_symbol_source source;
	struct sp_object object, debug, mini; /* the last two where needed */
	struct sp_spans code;
	struct sp_symtab symtab;
	struct sp_plt plt;
	struct sp_dwarf *dwarf;
	struct sp_unwind_table unwind; /* read when the first nameless address asks for it */
	bool unwind_read;
	struct sp_perfmap perfmap; /* instead of all that, for code that is in no file */
};

/* The answer for one address: frames[first .. first + count). */
struct answer {
	uint64_t address;
	uint32_t module;
	uint32_t count; /* 0: free slot */
	size_t first;
};

struct sp_symbolizer {
	char *debug_root;
	struct sp_strings strings;
	struct module **modules;
	size_t modules_count, modules_capacity;
	struct answer *answers; /* hash table, open addressing */
	size_t answers_count, answers_capacity;
	struct sp_symbol *frames;
	size_t frames_count, frames_capacity;
};

struct sp_symbolizer *sp_symbolizer_new(const char *debug_root)
{
	struct sp_symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	elf_version(EV_CURRENT);
	s->debug_root = strdup(debug_root ? debug_root : DEFAULT_DEBUG_ROOT);
	if (!s->debug_root) {
		free(s);
		return NULL;
	}
	return s;
}

static void free_module(struct module *m)
{
	if (!m)
		return;
	sp_perfmap_free(&m->perfmap);
	sp_unwind_table_free(&m->unwind);
	sp_dwarf_close(m->dwarf);
	sp_plt_free(&m->plt);
	sp_symtab_free(&m->symtab);
	sp_spans_free(&m->code);
	sp_object_close(&m->mini);
	sp_object_close(&m->debug);
	sp_object_close(&m->object);
	free(m->build_id);
	free(m->path);
	free(m);
}

void sp_symbolizer_free(struct sp_symbolizer *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->modules_count; i++)
		free_module(s->modules[i]);
	free(s->modules);
	free(s->answers);
	free(s->frames);
	sp_strings_free(&s->strings);
	free(s->debug_root);
	free(s);
}

static int add_module(struct sp_symbolizer *s, struct module *m)
{
	if (s->modules_count == s->modules_capacity) {
		size_t capacity = s->modules_capacity ? s->modules_capacity * 2 : 32;
		struct module **modules = reallocarray(s->modules, capacity, sizeof(struct module *));

		if (!modules)
			return -ENOMEM;
		s->modules = modules;
		s->modules_capacity = capacity;
	}
	s->modules[s->modules_count] = m;
	return (int)s->modules_count++;
}

int sp_symbolizer_add_module(struct sp_symbolizer *s, const struct sp_symbol_module *module)
{
	struct module *m = calloc(1, sizeof(*m));
	int handle;

	if (!m)
		return -ENOMEM;
	m->bias = module->bias;
	m->path = strdup(module->path);
	m->build_id = malloc(module->build_id_bytes + 1);
	if (!m->path || !m->build_id) {
		free_module(m);
		return -ENOMEM;
	}
	if (module->build_id_bytes)
		memcpy(m->build_id, module->build_id, module->build_id_bytes);
	m->build_id_bytes = module->build_id_bytes;
	handle = add_module(s, m);
	if (handle < 0)
		free_module(m);
	return handle;
}

int sp_symbolizer_add_perf_map(struct sp_symbolizer *s, const char *root, int pid, unsigned uid, uint64_t since_ns)
{
	struct module *m = calloc(1, sizeof(*m));
	int handle;

	if (!m)
		return -ENOMEM;
	handle = sp_perfmap_read(&m->perfmap, root, pid, uid, since_ns);
	if (!handle) {
		m->opened = true; /* there is no file to open */
		m->source = SP_SYMBOLS_PERF_MAP;
		handle = add_module(s, m);
	}
	if (handle < 0)
		free_module(m);
	return handle;
}

static bool is_the_mapped_one(const struct module *m)
{
	return !m->build_id_bytes || sp_object_has_build_id(&m->object, m->build_id, m->build_id_bytes);
}

/* Opens the module's own file; returns whether its contents may be used, else says why not. */
static bool open_object(struct module *m)
{
	size_t length = strlen(m->path), mark = strlen(DELETED);
	bool deleted = length > mark && !strcmp(m->path + length - mark, DELETED);
	int rc;

	m->source = SP_SYMBOLS_GONE;
	if (!strcmp(m->path, "[vdso]"))
		rc = sp_object_open_vdso(&m->object);
	else
		rc = m->path[0] == '/' ? sp_object_open(&m->object, m->path) : -ENOENT;
	if (rc == -ENOENT && deleted && m->build_id_bytes) {
		/* A rebuild that came out the same, or a reinstalled package: the build-id tells. */
		m->path[length - mark] = '\0';
		rc = sp_object_open(&m->object, m->path);
		if (!rc && !is_the_mapped_one(m)) {
			sp_object_close(&m->object);
			rc = -ENOENT;
		}
	}
	if (!rc && is_the_mapped_one(m))
		return true;
	if (!rc || rc == -ENOEXEC)
		m->source = m->build_id_bytes ? SP_SYMBOLS_MISMATCH : SP_SYMBOLS_NONE;
	sp_object_close(&m->object);
	return false;
}

static void open_module(struct sp_symbolizer *s, struct module *m)
{
	const struct sp_object *with_dwarf = NULL;
	bool full;

	m->opened = true;
	if (!open_object(m))
		return;
	m->source = SP_SYMBOLS_NONE;
	full = sp_symtab_is_full(&m->object);
	if (sp_object_has_dwarf(&m->object))
		with_dwarf = &m->object;
	if ((!full || !with_dwarf) && !sp_debugfile_open(&m->debug, &m->object, s->debug_root) && !with_dwarf &&
		sp_object_has_dwarf(&m->debug))
		with_dwarf = &m->debug;
	if (!full && !(m->debug.elf && sp_symtab_is_full(&m->debug)))
		sp_debugfile_open_mini(&m->mini, &m->object);
	if (sp_object_code(&m->object, &m->code) ||
		sp_symtab_load(&m->symtab, &m->object, m->debug.elf ? &m->debug : NULL,
			m->mini.elf ? &m->mini : NULL) ||
		sp_plt_load(&m->plt, &m->object))
		return;
	m->source = m->symtab.source;
	if (with_dwarf)
		m->dwarf = sp_dwarf_open(with_dwarf, &m->code, s->debug_root, &s->strings);
	if (m->dwarf)
		m->source = SP_SYMBOLS_DWARF;
}

static struct module *get_module(struct sp_symbolizer *s, int handle)
{
	struct module *m;

	if (handle < 0 || (size_t)handle >= s->modules_count)
		return NULL;
	m = s->modules[handle];
	if (!m->opened)
		open_module(s, m);
	return m;
}

enum sp_symbol_source sp_symbolizer_source(struct sp_symbolizer *s, int module)
{
	const struct module *m = get_module(s, module);

	return m ? m->source : SP_SYMBOLS_GONE;
}

static const char *stub_name(struct sp_symbolizer *s, const struct sp_plt_stub *stub)
{
	const char *target = sp_strings_function(&s->strings, stub->target), *kept;
	char *name;
	int bytes;

	if (!target)
		return sp_strings_keep(&s->strings, "[plt]", 5);
	bytes = asprintf(&name, "%s@plt", target);
	if (bytes < 0)
		return NULL;
	kept = sp_strings_keep(&s->strings, name, (size_t)bytes);
	free(name);
	return kept;
}

/* C libraries compile a function under one name (`__GI___libc_malloc`) and export it under another
 * (`malloc`): people, and other profilers, know the latter. Of a class inside a function DWARF gives
 * the method's bare name, the symbol all of it. */
static bool is_better_known(const struct sp_elf_symbol *symbol, const struct sp_symbol *frame, bool linkage)
{
	bool mangled = symbol->name[0] == '_' && (symbol->name[1] == 'Z' || symbol->name[1] == 'R');

	return symbol->address == frame->function_address && (mangled ? !linkage : symbol->exported);
}

/* Stripped code keeps its unwind table, so that samples without a name still add up by function. */
static uint64_t unwind_entry(struct module *m, uint64_t address)
{
	if (!m->unwind_read && m->object.elf)
		sp_unwind_table_read(&m->unwind, &m->object); /* without memory: addresses stay as they are */
	m->unwind_read = true;
	return sp_unwind_table_find(&m->unwind, address);
}

static size_t resolve_generated(struct sp_symbolizer *s, const struct module *m, uint64_t address,
	struct sp_symbol *out)
{
	const struct sp_perfmap_entry *entry = sp_perfmap_find(&m->perfmap, address);

	out[0] = (struct sp_symbol){0};
	if (entry) {
		out[0].function = sp_strings_keep(&s->strings, entry->name, strlen(entry->name));
		out[0].function_address = entry->low;
	}
	return 1;
}

/* Works one address out. */
static size_t resolve(struct sp_symbolizer *s, struct module *m, uint64_t address, struct sp_symbol *out)
{
	const struct sp_plt_stub *stub = sp_plt_find(&m->plt, address);
	const struct sp_elf_symbol *symbol = sp_symtab_find(&m->symtab, address);
	bool linkage = false;
	size_t count = 0;

	if (m->source == SP_SYMBOLS_PERF_MAP)
		return resolve_generated(s, m, address, out);
	if (stub) {
		out[0] = (struct sp_symbol){.function = stub_name(s, stub), .function_address = stub->address};
		return 1;
	}
	if (m->dwarf)
		count = sp_dwarf_frames(m->dwarf, address, out, FRAMES_LIMIT, &linkage);
	if (!count) {
		out[0] = (struct sp_symbol){0};
		count = 1;
	}
	if (symbol && (!out[count - 1].function || is_better_known(symbol, &out[count - 1], linkage)))
		out[count - 1].function = sp_strings_function(&s->strings, symbol->name);
	if (symbol && !out[0].function_address) {
		for (size_t i = 0; i < count; i++)
			out[i].function_address = symbol->address;
	}
	if (!out[count - 1].function && !out[count - 1].function_address)
		out[count - 1].function_address = unwind_entry(m, address);
	return count;
}

static size_t hash_address(uint64_t address, uint32_t module)
{
	uint64_t hash = (address + module * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;

	return (size_t)(hash ^ hash >> 32);
}

static struct answer *find_answer(struct answer *table, size_t capacity, uint64_t address, uint32_t module)
{
	size_t i = hash_address(address, module) & (capacity - 1);

	while (table[i].count && (table[i].address != address || table[i].module != module))
		i = (i + 1) & (capacity - 1);
	return &table[i];
}

static int grow_answers(struct sp_symbolizer *s)
{
	size_t capacity = s->answers_capacity ? s->answers_capacity * 2 : 4096;
	struct answer *bigger = calloc(capacity, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	for (size_t i = 0; i < s->answers_capacity; i++) {
		const struct answer *a = &s->answers[i];

		if (a->count)
			*find_answer(bigger, capacity, a->address, a->module) = *a;
	}
	free(s->answers);
	s->answers = bigger;
	s->answers_capacity = capacity;
	return 0;
}

/* Keeps an answer; without memory it is just worked out again next time. */
static void remember(struct sp_symbolizer *s, uint64_t address, uint32_t module, const struct sp_symbol *frames,
	size_t count)
{
	if (s->answers_count * 2 >= s->answers_capacity && grow_answers(s))
		return;
	if (s->frames_count + count > s->frames_capacity) {
		size_t capacity = s->frames_capacity * 2 + FRAMES_LIMIT;
		struct sp_symbol *bigger = reallocarray(s->frames, capacity, sizeof(*bigger));

		if (!bigger)
			return;
		s->frames = bigger;
		s->frames_capacity = capacity;
	}
	memcpy(s->frames + s->frames_count, frames, count * sizeof(*frames));
	*find_answer(s->answers, s->answers_capacity, address, module) = (struct answer){
		.address = address,
		.module = module,
		.count = (uint32_t)count,
		.first = s->frames_count,
	};
	s->frames_count += count;
	s->answers_count++;
}

/* Hands out a chain: when it does not fit, calls between the innermost ones and the function are left out. */
static size_t copy_frames(struct sp_symbol *out, size_t max, const struct sp_symbol *frames, size_t count)
{
	size_t n = count < max ? count : max;

	if (!n)
		return 0;
	memcpy(out, frames, (n - 1) * sizeof(*out));
	out[n - 1] = frames[count - 1];
	return n;
}

size_t sp_symbolize(struct sp_symbolizer *s, int module, uint64_t address, struct sp_symbol *out, size_t max)
{
	struct module *m = get_module(s, module);
	struct sp_symbol frames[FRAMES_LIMIT];
	const struct answer *known = NULL;
	size_t count;

	if (m && s->answers_capacity)
		known = find_answer(s->answers, s->answers_capacity, address, (uint32_t)module);
	if (known && known->count)
		return copy_frames(out, max, s->frames + known->first, known->count);
	if (m && m->source >= SP_SYMBOLS_NONE) {
		count = resolve(s, m, address - m->bias, frames);
		remember(s, address, (uint32_t)module, frames, count);
	} else {
		frames[0] = (struct sp_symbol){0};
		count = 1;
	}
	return copy_frames(out, max, frames, count);
}
