/* This user's own directories (XDG Base Directory Specification). Relative paths in the variables count as unset. */
#ifndef SP_PROFILES_XDG_H
#define SP_PROFILES_XDG_H

#include <stddef.h>

/* $XDG_STATE_HOME/smartprof or ~/.local/state/smartprof, followed by `rest`; 0 or -ENOENT. */
int sp_state_path(char *path, size_t size, const char *rest);

/* The same of $XDG_CACHE_HOME or $HOME/.cache. Without both there is no cache, and none is needed. */
int sp_cache_path(char *path, size_t size, const char *rest);

#endif
