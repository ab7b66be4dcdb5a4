/* One module: the files that may name its addresses, and what they answer. */
#ifndef SP_SYMBOLIZE_MODULE_H
#define SP_SYMBOLIZE_MODULE_H

#include "symbolize/cache/answers.h"
#include "symbolize/context.h"
#include "symbolize/disk/deps.h"
#include "symbolize/dwarf/dwarf.h"
#include "symbolize/elf/frame_table.h"
#include "symbolize/elf/object.h"
#include "symbolize/perfmap.h"
#include "symbolize/elf/plt.h"
#include "symbolize/elf/symtab.h"
#include "symbolize/elf/unwind_table.h"

struct sp_module_symbols {
	char *path;
	uint64_t start;
	uint8_t *build_id;
	size_t build_id_bytes;
	struct sp_symbol_file file; /* without a build-id: see struct sp_symbol_module */
	bool has_file;
	bool opened;
	bool cached; /* source and some answers came from the cache */
	enum sp_symbol_source source;
	struct sp_object object, debug, mini; /* the last two where needed */
	const struct sp_object *with_dwarf;   /* one of them, or NULL */
	struct sp_interval_map code;
	struct sp_symtab symtab;
	bool names_only; /* its DWARF is not read, as the symbols tell all that is wanted */
	struct sp_plt plt;
	struct sp_dwarf *dwarf;        /* the first reader */
	bool dwarf_taken;              /* atomic: some thread is at it */
	struct sp_unwind_table unwind; /* read when the first nameless address asks for it */
	bool unwind_read;
	struct sp_frame_table frames; /* read when the first copied stack comes to it */
	bool frames_read;
	struct sp_perfmap perfmap; /* instead of all that, for code that is in no file */
	struct sp_deps deps;
};

struct sp_module_symbols *sp_module_symbols_new(const struct sp_symbol_module *module);
void sp_module_symbols_free(struct sp_module_symbols *m);

/* Whether it is the same file as far as the target knew. */
bool sp_module_symbols_are_of(const struct sp_module_symbols *m, const struct sp_symbol_module *module);

/* Finds and opens the files, unless that has been done. One thread a module. */
void sp_module_symbols_open(struct sp_module_symbols *m, struct sp_symbol_context *context);

/* Another reader of the opened module's DWARF, for a thread that does not get the first one; NULL when
 * there can be none. It must be closed before the module is freed. cost_limit: see sp_dwarf_open. */
struct sp_dwarf *sp_module_symbols_reader(struct sp_module_symbols *m, struct sp_symbol_context *context,
	size_t cost_limit);

/* May several readers work at once? Not where each of them would unpack the sections for itself. */
bool sp_module_symbols_are_shareable(const struct sp_module_symbols *m);

/* Works one ELF virtual address out: fills out[0..n), n >= 1, n <= SP_FRAMES_MAX. Threads may do so at
 * once, each with a reader of its own (NULL: without DWARF). */
size_t sp_module_symbols_resolve(struct sp_module_symbols *m, struct sp_symbol_context *context,
	struct sp_dwarf *reader, uint64_t address, struct sp_symbol *out);

/* The rules of the frame of code at one ELF virtual address; false: there are none. Opens the module if need be. One
 * thread a module. */
bool sp_module_symbols_frame(struct sp_module_symbols *m, struct sp_symbol_context *context, uint64_t address,
	struct sp_frame_rules *rules);

/* A hash of the machine code of the function with a symbol at one ELF virtual address (symbolize/elf/code_hash.h); 0: it is not to
 * be had. Opens the module if need be. One thread a module. */
uint64_t sp_module_symbols_code(struct sp_module_symbols *m, struct sp_symbol_context *context, uint64_t address);

#endif
