/* Small text and file helpers of env/: what libc would do with stdio, locale and malloc.
 * All are async-signal-safe. */
#ifndef SP_ENV_TEXT_H
#define SP_ENV_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest path put together from a root, a mount point and a cgroup; a longer one counts as
 * unreadable. */
#define SP_PATH_BYTES 768

/* Like strcasecmp() == 0, for ASCII. */
bool sp_text_same(const char *a, const char *b);

/* True when text starts with the first `bytes` bytes of prefix, in upper or lower case. */
bool sp_text_starts(const char *text, const char *prefix, size_t bytes);

bool sp_text_ends(const char *text, const char *suffix);

/* True when `word` is one item of the comma-separated list of that many bytes. */
bool sp_text_listed(const char *list, size_t bytes, const char *word);

/* Reads decimal digits and moves *text behind them. False: no digit there, or above 2^64 - 1. */
bool sp_text_number(const char **text, uint64_t *number);

/* A string being put together in a fixed buffer: what does not fit is cut, always NUL-terminated. */
struct sp_text_out {
	char *buffer;
	size_t size, length;
};
void sp_text_put_some(struct sp_text_out *out, const char *text, size_t bytes); /* or up to its NUL */
void sp_text_put(struct sp_text_out *out, const char *text);
void sp_text_put_number(struct sp_text_out *out, uint64_t number);

/* Reads a file line by line through a small window. */
struct sp_lines {
	int fd;
	size_t at, have;
	char chunk[512];
};

/* Opens root + path. 0 or a negative errno; close only what was opened. */
int sp_lines_open(struct sp_lines *lines, const char *root, const char *path);
int sp_lines_open_itself(struct sp_lines *lines, const char *root, const char *path); /* -ELOOP: it is a link */

/* The next line without its newline; one longer than size - 1 is cut. False at the end. */
bool sp_lines_next(struct sp_lines *lines, char *line, size_t size);
void sp_lines_close(struct sp_lines *lines);

/* The first line of root + path. False when it cannot be read. */
bool sp_file_line(const char *root, const char *path, char *line, size_t size);

/* True when root + path exists. */
bool sp_file_exists(const char *root, const char *path);

/* Writes a + b; false when it does not fit. */
bool sp_path_join(char *out, size_t size, const char *a, const char *b);

#endif
