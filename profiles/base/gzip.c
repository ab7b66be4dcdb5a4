/* Compressing. */
#include "profiles/base/gzip.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "symbolize/base/memory.h"

#define GZIP_WINDOW (15 + 16) /* zlib.h: 16 more than the window's bits for a gzip header */

static void *alloc_for_zlib(void *context, unsigned items, unsigned bytes)
{
	(void)context;
	return sp_alloc(items, bytes);
}

static void free_for_zlib(void *context, void *memory)
{
	(void)context;
	free(memory);
}

void sp_gzip(struct sp_buffer *out, const char *plain, size_t length)
{
	z_stream z = {.next_in = (void *)(uintptr_t)plain, .zalloc = alloc_for_zlib, .zfree = free_for_zlib};
	char block[65536];
	size_t left = length;
	int status = deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY);

	while (status == Z_OK) {
		if (!z.avail_in) {
			z.avail_in = left < 1u << 30 ? (uInt)left : 1u << 30;
			left -= z.avail_in;
		}
		z.next_out = (void *)block;
		z.avail_out = sizeof(block);
		status = deflate(&z, left ? Z_NO_FLUSH : Z_FINISH);
		sp_buffer_add(out, block, sizeof(block) - z.avail_out);
	}
	deflateEnd(&z);
	if (status != Z_STREAM_END) {
		fprintf(stderr, "smartprof: compressing: %s\n", zError(status));
		exit(1);
	}
}
