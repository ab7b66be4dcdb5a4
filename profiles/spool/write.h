/* A snapshot -> a spool file that all readers of spools understand. */
#ifndef SP_PROFILES_SPOOL_WRITE_H
#define SP_PROFILES_SPOOL_WRITE_H

#include "profiles/spool/read.h"

/* Writes it to the empty file open at fd. Returns 0 or a negative errno. A window cannot be written. */
int sp_snapshot_write(const struct sp_snapshot *snapshot, int fd);

#endif
