/* The helpers of text.h. Files are read with bare system calls: libc's open() and close() are
 * cancellation points, and another preloaded library may have its own idea of them. */
#include "env/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool sp_text_starts(const char *text, const char *prefix, size_t bytes)
{
	size_t i = 0;

	while (i < bytes && text[i] && lower(text[i]) == lower(prefix[i]))
		i++;
	return i == bytes;
}

bool sp_text_same(const char *a, const char *b)
{
	size_t bytes = strlen(a);

	return sp_text_starts(b, a, bytes) && b[bytes] == '\0';
}

bool sp_text_ends(const char *text, const char *suffix)
{
	size_t bytes = strlen(text), suffix_bytes = strlen(suffix);

	return bytes >= suffix_bytes && strcmp(text + bytes - suffix_bytes, suffix) == 0;
}

bool sp_text_listed(const char *list, size_t bytes, const char *word)
{
	size_t word_bytes = strlen(word);

	while (bytes >= word_bytes) {
		const char *comma = memchr(list, ',', bytes);
		size_t item = comma ? (size_t)(comma - list) : bytes;

		if (item == word_bytes && memcmp(list, word, item) == 0)
			return true;
		if (!comma)
			break;
		list += item + 1;
		bytes -= item + 1;
	}
	return false;
}

bool sp_text_number(const char **text, uint64_t *number)
{
	const char *at = *text;
	uint64_t sum = 0;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*text = at;
	*number = sum;
	return true;
}

void sp_text_put_some(struct sp_text_out *out, const char *text, size_t bytes)
{
	if (out->size == 0)
		return;
	for (; bytes && *text && out->length + 1 < out->size; bytes--)
		out->buffer[out->length++] = *text++;
	out->buffer[out->length] = '\0';
}

void sp_text_put(struct sp_text_out *out, const char *text)
{
	sp_text_put_some(out, text, SIZE_MAX);
}

void sp_text_put_number(struct sp_text_out *out, uint64_t number)
{
	char digits[24];
	char *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	sp_text_put(out, at);
}

bool sp_path_join(char *out, size_t size, const char *a, const char *b)
{
	size_t a_bytes = strlen(a), b_bytes = strlen(b);

	if (a_bytes + b_bytes + 1 > size)
		return false;
	memcpy(out, a, a_bytes);
	memcpy(out + a_bytes, b, b_bytes + 1);
	return true;
}

static int open_lines(struct sp_lines *lines, const char *root, const char *path, int flags)
{
	char full[SP_PATH_BYTES];
	long fd;

	if (!sp_path_join(full, sizeof(full), root, path))
		return -ENAMETOOLONG;
	fd = syscall(SYS_openat, AT_FDCWD, full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags, 0);
	if (fd < 0)
		return -errno;
	lines->fd = (int)fd;
	lines->at = lines->have = 0;
	return 0;
}

int sp_lines_open(struct sp_lines *lines, const char *root, const char *path)
{
	return open_lines(lines, root, path, 0);
}

int sp_lines_open_itself(struct sp_lines *lines, const char *root, const char *path)
{
	return open_lines(lines, root, path, O_NOFOLLOW);
}

/* O_NONBLOCK above: a fifo in the place of a file must not hold the program up. */
static bool refill(struct sp_lines *lines)
{
	long got;

	do
		got = syscall(SYS_read, lines->fd, lines->chunk, sizeof(lines->chunk));
	while (got < 0 && errno == EINTR);
	lines->at = 0;
	lines->have = got > 0 ? (size_t)got : 0;
	return got > 0;
}

bool sp_lines_next(struct sp_lines *lines, char *line, size_t size)
{
	size_t length = 0;
	bool some = false, whole = false;

	while (!whole && (lines->at < lines->have || refill(lines))) {
		const char *from = lines->chunk + lines->at;
		size_t left = lines->have - lines->at;
		const char *newline = memchr(from, '\n', left);
		size_t bytes = newline ? (size_t)(newline - from) : left;
		size_t room = size - 1 - length;

		memcpy(line + length, from, bytes < room ? bytes : room);
		length += bytes < room ? bytes : room;
		lines->at += bytes + (newline != NULL);
		whole = newline != NULL;
		some = true;
	}
	line[length] = '\0';
	return some;
}

void sp_lines_close(struct sp_lines *lines)
{
	syscall(SYS_close, lines->fd);
}

bool sp_file_line(const char *root, const char *path, char *line, size_t size)
{
	struct sp_lines lines;
	bool some;

	if (sp_lines_open(&lines, root, path) < 0)
		return false;
	some = sp_lines_next(&lines, line, size);
	sp_lines_close(&lines);
	return some;
}

bool sp_file_exists(const char *root, const char *path)
{
	char full[SP_PATH_BYTES];

	return sp_path_join(full, sizeof(full), root, path) && syscall(SYS_faccessat, AT_FDCWD, full, F_OK) == 0;
}
