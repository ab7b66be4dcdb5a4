/* Bytes as text (RFC 4648). */
#ifndef SP_PROFILES_BASE64_H
#define SP_PROFILES_BASE64_H

#include <stdbool.h>

#include "profiles/base/buffer.h"

/* Appends them. in_path: with the letters that may stand in an address, and nothing at the end that fills it up. */
void sp_base64(struct sp_buffer *out, const char *data, size_t length, bool in_path);

#endif
