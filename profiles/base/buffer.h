/* Growing text. Running out of memory ends the command (symbolize/base/memory.h). */
#ifndef SP_PROFILES_BUFFER_H
#define SP_PROFILES_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct sp_buffer {
	char *data; /* NUL-terminated once anything was added; NULL before */
	size_t length, capacity;
};

void sp_buffer_add(struct sp_buffer *b, const char *data, size_t length);
void sp_buffer_puts(struct sp_buffer *b, const char *text);
void sp_buffer_printf(struct sp_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The number in decimal digits, and a character behind it: what the large tables consist of. */
void sp_buffer_number(struct sp_buffer *b, uint64_t number, char after);

/* Room for so many bytes at the end, for the caller to fill and to add to `length`. */
char *sp_buffer_room(struct sp_buffer *b, size_t bytes);
void sp_buffer_clear(struct sp_buffer *b); /* keeps the memory */
void sp_buffer_free(struct sp_buffer *b);

/* Writes all of it; 0 or negative errno. */
int sp_buffer_write(const struct sp_buffer *b, int fd);

#endif
