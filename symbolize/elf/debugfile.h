/* Where a module's debug information may live when it is not in the module itself. Nothing is
 * fetched from the network unless the options ask for debuginfod. */
#ifndef SP_SYMBOLIZE_ELF_DEBUGFILE_H
#define SP_SYMBOLIZE_ELF_DEBUGFILE_H

#include <elfutils/libdw.h>
#include <limits.h>
#include <stdbool.h>

#include "symbolize/disk/deps.h"
#include "symbolize/elf/object.h"

struct sp_symbol_context;

/* The separate debug file of `object`: by build-id in the debug directories, then by .gnu_debuglink
 * beside the object and in those directories, then from debuginfod where that is asked for. A file is
 * taken only if its build-id agrees or, where one side has none, its CRC. What was looked for is
 * noted in *deps. Returns 0 or -ENOENT. */
int sp_debugfile_open(struct sp_object *found, const struct sp_object *object, struct sp_symbol_context *context,
	struct sp_deps *deps);

/* The file that `dwarf`, read from `object`, shares entries with (dwz, .gnu_debugaltlink).
 * Returns 1 when it needs none, 0 when it was opened, -ENOENT when it is needed and missing. */
int sp_debugfile_open_alt(struct sp_object *found, Dwarf *dwarf, const struct sp_object *object,
	const struct sp_symbol_context *context, struct sp_deps *deps);

/* Place number `i` where the DWARF package may be: beside the file with the DWARF, beside the program, and in the debug
 * directories, as gdb and lldb look for it. Puts its path, or "" for a place that is the same as another one. program_path:
 * as the target saw it. False: there are no more places. */
bool sp_debugfile_dwp(char path[PATH_MAX], size_t i, const struct sp_object *with_dwarf,
	const struct sp_object *program, const char *program_path, const struct sp_symbol_context *context);

/* The small symbol table some distributions pack into .gnu_debugdata. Returns 0 or -ENOENT. */
int sp_debugfile_open_mini(struct sp_object *found, const struct sp_object *object);

#endif
