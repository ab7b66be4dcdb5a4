/* Debug files from a debuginfod server. */
#ifndef SP_SYMBOLIZE_ELF_DEBUGINFOD_H
#define SP_SYMBOLIZE_ELF_DEBUGINFOD_H

#include "symbolize/elf/object.h"

struct sp_symbol_context;

/* Asks the servers in DEBUGINFOD_URLS for the debug file of `object`, through libdebuginfod.so.1 where
 * that is installed. All requests of a symbolizer together take at most
 * options.debuginfod_seconds. Returns 0 or -ENOENT. */
int sp_debuginfod_open(struct sp_object *found, const struct sp_object *object, struct sp_symbol_context *context);

#endif
