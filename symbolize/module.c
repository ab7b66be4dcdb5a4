/* One module: see module.h. */
#include "symbolize/module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "symbolize/elf/code_hash.h"
#include "symbolize/elf/debugfile.h"
#include "symbolize/elf/mapped.h"

#define DELETED " (deleted)"
/* Line table marks and index entries (about 48 bytes each) that the first reader holds. */
#define COST_LIMIT (6u << 20)

struct sp_module_symbols *sp_module_symbols_new(const struct sp_symbol_module *module)
{
	struct sp_module_symbols *m = sp_alloc(1, sizeof(*m));

	m->start = module->start;
	m->path = sp_copy_text(module->path);
	m->build_id = sp_alloc_bytes(module->build_id_bytes);
	if (module->build_id_bytes)
		memcpy(m->build_id, module->build_id, module->build_id_bytes);
	m->build_id_bytes = module->build_id_bytes;
	m->has_file = module->file && !m->build_id_bytes;
	if (m->has_file)
		m->file = *module->file;
	return m;
}

/* The path may have been cut when it was opened: then it is opened again. */
bool sp_module_symbols_are_of(const struct sp_module_symbols *m, const struct sp_symbol_module *module)
{
	bool has_file = module->file && !module->build_id_bytes;

	return !strcmp(m->path, module->path) && m->build_id_bytes == module->build_id_bytes &&
		(!m->build_id_bytes || !memcmp(m->build_id, module->build_id, m->build_id_bytes)) &&
		m->has_file == has_file && (!has_file || !memcmp(&m->file, module->file, sizeof(m->file)));
}

void sp_module_symbols_free(struct sp_module_symbols *m)
{
	if (!m)
		return;
	sp_deps_free(&m->deps);
	sp_perfmap_free(&m->perfmap);
	sp_frame_table_free(&m->frames);
	sp_unwind_table_free(&m->unwind);
	sp_dwarf_close(m->dwarf);
	sp_plt_free(&m->plt);
	sp_symtab_free(&m->symtab);
	sp_interval_map_free(&m->code);
	sp_object_close(&m->mini);
	sp_object_close(&m->debug);
	sp_object_close(&m->object);
	free(m->build_id);
	free(m->path);
	free(m);
}

static bool is_the_mapped_one(const struct sp_module_symbols *m)
{
	if (m->build_id_bytes)
		return sp_object_has_build_id(&m->object, m->build_id, m->build_id_bytes);
	return !m->has_file || !memcmp(&m->file, &m->object.file, sizeof(m->file));
}

/* The same of a file that the kernel says is mapped: another name or none, which changes st_ctim, is no matter. */
static bool is_still_the_mapped_one(const struct sp_module_symbols *m)
{
	const struct sp_symbol_file *then = &m->file, *now = &m->object.file;

	return m->has_file ? !then->changed_ns || (then->bytes == now->bytes && then->modified_ns == now->modified_ns)
			   : is_the_mapped_one(m);
}

/* Opens what stands at the path now. Returns 0, or a negative errno: -ESTALE for another build. */
static int open_path(struct sp_module_symbols *m)
{
	size_t length = strlen(m->path), mark = strlen(DELETED);
	bool deleted = length > mark && !strcmp(m->path + length - mark, DELETED);
	int rc;

	sp_deps_add(&m->deps, m->path);
	rc = m->path[0] == '/' ? sp_object_open(&m->object, m->path) : -ENOENT;
	if (rc == -ENOENT && deleted && m->build_id_bytes) {
		/* A rebuild that came out the same, or a reinstalled package: the build-id tells. */
		m->path[length - mark] = '\0';
		sp_deps_add(&m->deps, m->path);
		rc = sp_object_open(&m->object, m->path);
		if (!rc && !is_the_mapped_one(m)) {
			sp_object_close(&m->object);
			rc = -ENOENT;
		}
	}
	if (rc)
		return rc == -ENOEXEC && (m->build_id_bytes || m->has_file) ? -ESTALE : rc;
	if (is_the_mapped_one(m))
		return 0;
	sp_object_close(&m->object);
	return -ESTALE;
}

/* What the living process still has mapped, when the path leads elsewhere by now. */
static int open_mapped(struct sp_module_symbols *m, int pid)
{
	int rc = pid > 0 && m->start ? sp_process_open_mapped(&m->object, pid, m->start) : -ENOENT;

	m->deps.unusable = true; /* it will not be there next time */
	if (rc || is_still_the_mapped_one(m))
		return rc;
	sp_object_close(&m->object);
	return -ENOENT;
}

/* Opens the module's own file; returns whether its contents may be used, else says why not. */
static bool open_object(struct sp_module_symbols *m, const struct sp_symbol_context *context)
{
	int rc;

	if (!strcmp(m->path, "[vdso]")) {
		m->deps.unusable = true;
		rc = sp_object_open_vdso(&m->object);
		if (!rc && !is_the_mapped_one(m)) {
			sp_object_close(&m->object);
			rc = -ESTALE;
		}
	} else {
		rc = open_path(m);
		if (rc && !open_mapped(m, context->options.pid))
			rc = 0;
	}
	if (rc)
		sp_deps_failed(&m->deps, rc);
	m->deps.unusable |= m->object.image.partial;
	if (rc == -ESTALE)
		m->source = SP_SYMBOLS_MISMATCH;
	else if (m->deps.error)
		m->source = SP_SYMBOLS_UNREADABLE;
	else
		m->source = !rc || rc == -ENOEXEC ? SP_SYMBOLS_NONE : SP_SYMBOLS_GONE;
	return !rc;
}

static void load_tables(struct sp_module_symbols *m)
{
	sp_object_code(&m->object, &m->code);
	sp_symtab_load(&m->symtab, &m->object, m->debug.elf ? &m->debug : NULL, m->mini.elf ? &m->mini : NULL);
	sp_plt_load(&m->plt, &m->object);
}

static struct sp_dwarf *open_reader(struct sp_module_symbols *m, struct sp_symbol_context *context, size_t cost_limit,
	bool reopen)
{
	return sp_dwarf_open(&(struct sp_dwarf_file){.object = m->with_dwarf,
				     .program = &m->object,
				     .program_path = m->path,
				     .code = &m->code,
				     .deps = &m->deps},
		context, cost_limit, reopen);
}

void sp_module_symbols_open(struct sp_module_symbols *m, struct sp_symbol_context *context)
{
	bool full;

	if (m->opened)
		return;
	m->opened = true;
	if (!open_object(m, context))
		return;
	full = sp_symtab_is_full(&m->object);
	if (sp_object_has_dwarf(&m->object))
		m->with_dwarf = &m->object;
	if ((!full || !m->with_dwarf) && !sp_debugfile_open(&m->debug, &m->object, context, &m->deps) &&
		!m->with_dwarf && sp_object_has_dwarf(&m->debug))
		m->with_dwarf = &m->debug;
	if (!full && !(m->debug.elf && sp_symtab_is_full(&m->debug)))
		sp_debugfile_open_mini(&m->mini, &m->object);
	load_tables(m);
	m->source = m->symtab.source;
	m->names_only = context->options.names_only && m->symtab.full;
	if (m->with_dwarf && !m->names_only)
		m->dwarf = open_reader(m, context, COST_LIMIT, false);
	if (m->dwarf)
		m->source = SP_SYMBOLS_DWARF;
}

struct sp_dwarf *sp_module_symbols_reader(struct sp_module_symbols *m, struct sp_symbol_context *context,
	size_t cost_limit)
{
	return open_reader(m, context, cost_limit, true);
}

bool sp_module_symbols_frame(struct sp_module_symbols *m, struct sp_symbol_context *context, uint64_t address,
	struct sp_frame_rules *rules)
{
	sp_module_symbols_open(m, context);
	if (!m->frames_read && m->object.elf)
		sp_frame_table_read(&m->frames, &m->object, m->debug.elf ? &m->debug : NULL);
	m->frames_read = true;
	return sp_frame_table_find(&m->frames, address, rules);
}

bool sp_module_symbols_are_shareable(const struct sp_module_symbols *m)
{
	return !m->dwarf || !sp_object_is_compressed(m->with_dwarf);
}

static const char *stub_name(struct sp_strings *strings, const struct sp_plt_stub *stub)
{
	const char *target = sp_strings_function(strings, stub->target), *kept;
	char *name;

	if (!target)
		return sp_strings_keep(strings, "[plt]", 5);
	name = sp_text("%s@plt", target);
	kept = sp_strings_keep(strings, name, strlen(name));
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
static uint64_t unwind_entry(struct sp_module_symbols *m, struct sp_symbol_context *context, uint64_t address)
{
	pthread_mutex_lock(&context->lock);
	if (!m->unwind_read && m->object.elf)
		sp_unwind_table_read(&m->unwind, &m->object);
	m->unwind_read = true;
	pthread_mutex_unlock(&context->lock);
	return sp_unwind_table_find(&m->unwind, address);
}

/* A symbol without a size is believed where no other function starts before the address, and, where the local
 * functions may have been dropped, only of a function that the unwind table knows. */
static bool reaches(struct sp_module_symbols *m, struct sp_symbol_context *context, const struct sp_elf_symbol *symbol,
	uint64_t address)
{
	uint64_t entry = symbol->sized ? 0 : unwind_entry(m, context, address);

	return symbol->sized || entry == symbol->address || (m->symtab.full && entry < symbol->address);
}

static size_t resolve_generated(struct sp_strings *strings, const struct sp_module_symbols *m, uint64_t address,
	struct sp_symbol *out)
{
	const struct sp_perfmap_entry *entry = sp_perfmap_find(&m->perfmap, address);

	out[0] = (struct sp_symbol){0};
	if (entry) {
		out[0].function = sp_strings_keep(strings, entry->name, strlen(entry->name));
		out[0].function_address = entry->low;
	}
	return 1;
}

/* Of clones (`foo.isra.0`) DWARF has their origin's name: so have symbols where there is DWARF, whether it was read or
 * not. Threads that work a name out at once come to the same. */
static const char *shown_name(struct sp_strings *strings, const struct sp_module_symbols *m,
	struct sp_elf_symbol *symbol)
{
	const char *name = __atomic_load_n(&symbol->shown, __ATOMIC_ACQUIRE);

	if (!name) {
		name = m->with_dwarf ? sp_strings_origin(strings, symbol->name)
				     : sp_strings_function(strings, symbol->name);
		__atomic_store_n(&symbol->shown, name, __ATOMIC_RELEASE);
	}
	return name;
}

/* What the symbol table knows better or alone. */
static void add_symbol(struct sp_strings *strings, const struct sp_module_symbols *m, struct sp_elf_symbol *symbol,
	bool linkage, struct sp_symbol *out, size_t count)
{
	struct sp_symbol *outermost = &out[count - 1];

	if (!outermost->function || is_better_known(symbol, outermost, linkage))
		outermost->function = shown_name(strings, m, symbol);
	for (size_t i = 0; i < count && !out[i].function_address; i++)
		out[i].function_address = symbol->address;
	if (symbol->file && *symbol->file && *symbol->file != '<') /* "<artificial>": made by the linker */
		outermost->local_to = sp_strings_keep(strings, symbol->file, strlen(symbol->file));
}

/* glibc's `read` is `__libc_read` inlined into itself: one function, at the line inside. */
static size_t join_aliases(struct sp_symbol *out, size_t count)
{
	static const char prefix[] = "__libc_";
	const size_t n = sizeof(prefix) - 1;
	const struct sp_symbol *inner = &out[count >= 2 ? count - 2 : 0];
	struct sp_symbol *outer = &out[count - 1];

	if (count < 2 || !inner->function || !outer->function || strncmp(inner->function, prefix, n) != 0 ||
		strcmp(inner->function + n, outer->function) != 0)
		return count;
	outer->file = inner->file;
	outer->line = inner->line;
	out[count - 2] = *outer;
	return count - 1;
}

size_t sp_module_symbols_resolve(struct sp_module_symbols *m, struct sp_symbol_context *context,
	struct sp_dwarf *reader, uint64_t address, struct sp_symbol *out)
{
	const struct sp_plt_stub *stub;
	struct sp_elf_symbol *symbol;
	bool linkage = false;
	uint64_t start;
	size_t count = 0;

	if (m->source == SP_SYMBOLS_PERF_MAP)
		return resolve_generated(&context->strings, m, address, out);
	stub = sp_plt_find(&m->plt, address);
	if (stub) {
		out[0] = (struct sp_symbol){
			.function = stub_name(&context->strings, stub), .function_address = stub->address};
		return 1;
	}
	if (reader)
		count = sp_dwarf_frames(reader, address, out, SP_FRAMES_MAX, &linkage);
	if (!count) {
		out[0] = (struct sp_symbol){0};
		count = 1;
	}
	/* The function's own symbol, which is not that of its cold part. */
	start = out[count - 1].function_address ? out[count - 1].function_address : address;
	symbol = sp_symtab_find(&m->symtab, start);
	if (symbol && reaches(m, context, symbol, start))
		add_symbol(&context->strings, m, symbol, linkage, out, count);
	/* glibc's name for a function of its own that it calls past the exported one. */
	for (size_t i = 0; i < count; i++)
		if (out[i].function && strncmp(out[i].function, "__GI_", 5) == 0)
			out[i].function += 5;
	count = join_aliases(out, count);
	if (!out[count - 1].function && !out[count - 1].function_address)
		out[count - 1].function_address = unwind_entry(m, context, address);
	return count;
}

uint64_t sp_module_symbols_code(struct sp_module_symbols *m, struct sp_symbol_context *context, uint64_t address)
{
	const struct sp_interval *range;
	struct sp_elf_symbol *symbol;

	if (m->source == SP_SYMBOLS_PERF_MAP)
		return 0;
	sp_module_symbols_open(m, context);
	symbol = sp_symtab_find(&m->symtab, address);
	range = symbol && symbol->sized ? sp_interval_map_find(&m->symtab.sized, symbol->address) : NULL;
	return range && range->low == symbol->address ? sp_object_code_hash(&m->object, range->low, range->high) : 0;
}
