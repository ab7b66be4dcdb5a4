/* This user's own directories, as the XDG base directory specification has them. */
#ifndef SP_PROFILES_XDG_H
#define SP_PROFILES_XDG_H

#include <stddef.h>

/* $XDG_STATE_HOME/smartprof or ~/.local/state/smartprof, followed by `rest`; 0 or -ENOENT. */
int sp_state_path(char *path, size_t size, const char *rest);

#endif
