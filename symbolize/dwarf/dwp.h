/* Split parts of units: of all of a program's in one file, PROGRAM.dwp (DWARF 5, 7.3.5, and the GNU format before it,
 * gcc.gnu.org/wiki/DebugFissionDWP), or of one source in a .dwo file, or in the object file beside its code
 * (-gsplit-dwarf=single). Each one that is asked for is made a plain unit in memory. */
#ifndef SP_SYMBOLIZE_DWARF_DWP_H
#define SP_SYMBOLIZE_DWARF_DWP_H

#include <elfutils/libdw.h>

#include "symbolize/dwarf/file_table.h"
#include "symbolize/elf/object.h"

struct sp_dwp;

/* Opens the .dwp file of `object`, at `path`; both must outlive it. NULL: there is none, or none that can be read; *error:
 * 0, or why the file could not be opened. */
struct sp_dwp *sp_dwp_open(const char *path, const struct sp_object *object, int *error);

/* The same for a file of one source's split parts. */
struct sp_dwp *sp_dwp_open_dwo(const char *path, const struct sp_object *object, int *error);
void sp_dwp_close(struct sp_dwp *dwp); /* NULL: nothing */

/* Is the split part of a skeleton unit in it? */
bool sp_dwp_has(const struct sp_dwp *dwp, Dwarf_Die *skeleton);

/* Finds the split part of a skeleton unit of the object. *body: its DIE, which lives until
 * sp_dwp_close, as do *files: its own file table, empty when it shares the skeleton's; *bytes: what is held for
 * it until then. Returns 0, or a negative errno: -ENOENT when the file does not have it, or not in
 * a form known here. */
int sp_dwp_find(struct sp_dwp *dwp, Dwarf_Die *skeleton, Dwarf_Die *body, struct sp_file_table *files, size_t *bytes);

#endif
