/* Files that a living process has mapped, though their paths may lead to other files by now. */
#ifndef SP_SYMBOLIZE_ELF_MAPPED_H
#define SP_SYMBOLIZE_ELF_MAPPED_H

#include "symbolize/elf/object.h"

/* Opens the file mapped at `address` in process `pid`: by /proc/PID/map_files, which takes
 * CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN (proc(5)), else by /proc/PID/exe if that is the same file.
 * Returns 0 or a negative errno; -ENOENT: no file is mapped there. */
int sp_process_open_mapped(struct sp_object *object, int pid, uint64_t address);

#endif
