/* Function names from ELF symbol tables. */
#ifndef SP_SYMBOLIZE_ELF_SYMTAB_H
#define SP_SYMBOLIZE_ELF_SYMTAB_H

#include "symbolize/elf/object.h"
#include "symbolize/symbolize.h"

struct sp_elf_symbol {
	const char *name; /* as in the file; lives as long as the object it was loaded from */
	const char *file; /* its source file, when other files have local functions of the same name; else NULL */
	uint64_t address;
	uint64_t whole; /* address of the function that this is the cold part of; 0: it is none */
	bool exported;
	bool sized;        /* tells where it ends; else it is taken to reach to the next symbol */
	const char *shown; /* for the user, atomic: its name as people should see it; NULL: not worked out */
};

struct sp_symtab {
	struct sp_elf_symbol *symbols;
	size_t count;
	struct sp_interval_map sized;   /* symbols that tell their size */
	struct sp_interval_map unsized; /* hand-written code: up to the next symbol or the section's end */
	enum sp_symbol_source source;   /* SP_SYMBOLS_NONE, _DYNAMIC or _ELF */
	bool full; /* from a .symtab that has kept local functions (ld -x drops them): all are there */
};

/* Loads the best tables there are: .symtab of `main` or else of `debug`, else .dynsym of `main`
 * with what `mini` adds. debug and mini may be NULL; all must outlive the table. */
void sp_symtab_load(struct sp_symtab *table, const struct sp_object *main, const struct sp_object *debug,
	const struct sp_object *mini);
void sp_symtab_free(struct sp_symtab *table);

/* Has this file a .symtab? */
bool sp_symtab_is_full(const struct sp_object *object);

/* The symbol whose code covers the address, or NULL: never merely the nearest one. Of a cold part its function's. One
 * without a size may have functions behind it whose symbols were dropped: see the unwind table. */
struct sp_elf_symbol *sp_symtab_find(const struct sp_symtab *table, uint64_t address);

#endif
