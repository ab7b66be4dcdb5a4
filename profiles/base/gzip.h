/* Text made shorter, in the form of gzip (RFC 1952). */
#ifndef SP_PROFILES_GZIP_H
#define SP_PROFILES_GZIP_H

#include "profiles/base/buffer.h"

/* Appends the bytes, compressed. */
void sp_gzip(struct sp_buffer *out, const char *plain, size_t length);

#endif
