/* Growing text. */
#include "profiles/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/memory.h"

void sp_buffer_add(struct sp_buffer *b, const char *data, size_t length)
{
	sp_grow(&b->data, &b->capacity, b->length + length + 1, 1);
	if (length)
		memcpy(b->data + b->length, data, length);
	b->length += length;
	b->data[b->length] = '\0';
}

void sp_buffer_puts(struct sp_buffer *b, const char *text)
{
	sp_buffer_add(b, text, strlen(text));
}

void sp_buffer_printf(struct sp_buffer *b, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		return;
	sp_grow(&b->data, &b->capacity, b->length + (size_t)length + 1, 1);
	va_start(args, format);
	vsnprintf(b->data + b->length, (size_t)length + 1, format, args);
	va_end(args);
	b->length += (size_t)length;
}

void sp_buffer_clear(struct sp_buffer *b)
{
	b->length = 0;
	if (b->data)
		b->data[0] = '\0';
}

void sp_buffer_free(struct sp_buffer *b)
{
	free(b->data);
	*b = (struct sp_buffer){0};
}

int sp_buffer_write(const struct sp_buffer *b, int fd)
{
	size_t done = 0;

	while (done < b->length) {
		ssize_t n = write(fd, b->data + done, b->length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}
