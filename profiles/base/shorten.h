/* Long names made short enough for a line. */
#ifndef SP_PROFILES_SHORTEN_H
#define SP_PROFILES_SHORTEN_H

#include "profiles/base/buffer.h"

#define SP_NAME_CHARS 120 /* of names anywhere but in the complete part */

/* Appends the name, raw, in at most SP_NAME_CHARS characters (a byte that is no UTF-8 counts as
 * one). A longer one loses its template arguments, the innermost first (`map<…>::at`), then, if that
 * is not enough, its middle; it ends in "#" and eight hex digits of a hash over all of it, so that
 * two long names stay apart. */
void sp_shorten_name(struct sp_buffer *out, const char *name);

#endif
