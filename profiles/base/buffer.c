/* Growing text. */
#include "profiles/base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/base/memory.h"

#define DIGITS_MAX 20u /* of a number of 64 bits */

char *sp_buffer_room(struct sp_buffer *b, size_t bytes)
{
	sp_grow(&b->data, &b->capacity, b->length + bytes + 1, 1);
	return b->data + b->length;
}

void sp_buffer_add(struct sp_buffer *b, const char *data, size_t length)
{
	sp_buffer_room(b, length);
	if (length)
		memcpy(b->data + b->length, data, length);
	b->length += length;
	b->data[b->length] = '\0';
}

void sp_buffer_puts(struct sp_buffer *b, const char *text)
{
	sp_buffer_add(b, text, strlen(text));
}

/* Most texts fit into what room there is. */
void sp_buffer_printf(struct sp_buffer *b, const char *format, ...)
{
	size_t room = b->capacity - b->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(room ? b->data + b->length : NULL, room, format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length >= room) {
		sp_buffer_room(b, (size_t)length);
		va_start(args, format);
		vsnprintf(b->data + b->length, (size_t)length + 1, format, args);
		va_end(args);
	}
	b->length += (size_t)length;
}

void sp_buffer_number(struct sp_buffer *b, uint64_t number, char after)
{
	char text[DIGITS_MAX + 1], *end = text + sizeof(text), *at = end;

	*--at = after;
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	sp_buffer_add(b, at, (size_t)(end - at));
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
