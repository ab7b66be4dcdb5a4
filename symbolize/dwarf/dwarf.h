/* File, line, function and inlined calls of an address, from one object's DWARF. */
#ifndef SP_SYMBOLIZE_DWARF_DWARF_H
#define SP_SYMBOLIZE_DWARF_DWARF_H

#include "symbolize/disk/deps.h"
#include "symbolize/elf/object.h"
#include "symbolize/symbolize.h"

struct sp_dwarf;
struct sp_symbol_context;

/* What a reader is opened for. All of it must outlive the reader. */
struct sp_dwarf_file {
	const struct sp_object *object;     /* with the DWARF: the program itself or a separate debug file */
	const struct sp_object *program;    /* whose code it describes */
	const char *program_path;           /* as the target saw it */
	const struct sp_interval_map *code; /* of the program; what is outside of it the linker threw away */
	struct sp_deps *deps;               /* files that were looked for are noted here, under the context's lock */
};

/* Indexes the compilation units; functions and lines are read when first asked for. Shared (dwz) and split files are looked
 * for by the context's options. cost_limit: line table marks and index entries (about 48 bytes each) held before all is
 * dropped and read anew. reopen: with a handle of its own on the file, to work in another thread.
 * Returns NULL when the DWARF is unusable, or the file cannot be opened again. */
struct sp_dwarf *sp_dwarf_open(const struct sp_dwarf_file *file, struct sp_symbol_context *context, size_t cost_limit,
	bool reopen);
void sp_dwarf_close(struct sp_dwarf *dwarf);

/* The number of the unit with the address, which is the same for all readers of a file; SIZE_MAX: none. */
size_t sp_dwarf_unit(const struct sp_dwarf *dwarf, uint64_t address);

/* Until the next call only these addresses, ascending and of one unit, will be asked for: what they do not need is
 * not kept. With 0 of them any may be asked for. Frees what was read for the addresses before. */
void sp_dwarf_expect(struct sp_dwarf *dwarf, const uint64_t *addresses, size_t count);

/* Fills out[0..n) as sp_symbolize does and returns n <= max (max >= 1). The last frame's function is
 * NULL where DWARF knows only the line. *linkage: that name is the linker's, not the bare one of the
 * source. 0: the address is in no compilation unit. */
size_t sp_dwarf_frames(struct sp_dwarf *dwarf, uint64_t address, struct sp_symbol *out, size_t max, bool *linkage);

#endif
