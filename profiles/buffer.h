/* Growing text. Running out of memory ends the command (profiles/memory.h). */
#ifndef SP_PROFILES_BUFFER_H
#define SP_PROFILES_BUFFER_H

#include <stddef.h>

struct sp_buffer {
	char *data; /* NUL-terminated once anything was added; NULL before */
	size_t length, capacity;
};

void sp_buffer_add(struct sp_buffer *b, const char *data, size_t length);
void sp_buffer_puts(struct sp_buffer *b, const char *text);
void sp_buffer_printf(struct sp_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sp_buffer_clear(struct sp_buffer *b); /* keeps the memory */
void sp_buffer_free(struct sp_buffer *b);

/* Writes all of it; 0 or negative errno. */
int sp_buffer_write(const struct sp_buffer *b, int fd);

#endif
