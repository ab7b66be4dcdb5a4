/* Reading perf maps. */
#include "symbolize/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "symbolize/base/memory.h"

#define BYTES_MAX (64u << 20)
#define LINES_MAX (1u << 20)
#define NAME_MAX_BYTES 4096u
#define CLOCK_SLACK_NS 100000000u /* a file system's clock is a tick behind */
#define READ_BYTES 65535u

/* A line, and its place in the file: later lines win. */
struct line {
	struct sp_perfmap_entry entry;
	size_t order;
};

/* Links lead nowhere but below `root`, which may be another mount namespace's. */
static int open_map(const char *root, int pid, unsigned uid, uint64_t since_ns)
{
	struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
	struct stat st;
	char name[64];

	if (directory < 0)
		return -errno;
	snprintf(name, sizeof(name), "tmp/perf-%d.map", pid);
	fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(directory);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_uid == uid || st.st_uid == 0) &&
		(uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec + CLOCK_SLACK_NS >= since_ns)
		return fd;
	close(fd);
	return -EPERM;
}

static char *read_all(int fd, size_t *bytes)
{
	size_t capacity = 0, used = 0;
	char *text = NULL;
	ssize_t n = 1;

	while (used < BYTES_MAX && n != 0) {
		sp_grow(&text, &capacity, used + READ_BYTES + 1, 1);
		n = read(fd, text + used, capacity - used - 1);
		if (n < 0 && errno != EINTR)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	text[used] = '\0';
	*bytes = used;
	return text;
}

static bool parse_hex(char **at, uint64_t *value)
{
	char *end;

	if (!strchr("0123456789abcdefABCDEF", **at) || !**at)
		return false;
	errno = 0;
	*value = strtoull(*at, &end, 16);
	if (errno || *end != ' ')
		return false;
	*at = end + 1;
	return true;
}

/* "START SIZE name", ended by a NUL. A last line without an end may be half written. */
static bool parse_line(char *text, struct sp_perfmap_entry *entry)
{
	uint64_t size;

	if (!parse_hex(&text, &entry->low) || !parse_hex(&text, &size) || !size || entry->low + size < entry->low ||
		!*text)
		return false;
	if (strlen(text) > NAME_MAX_BYTES)
		text[NAME_MAX_BYTES] = '\0';
	entry->high = entry->low + size;
	entry->name = text;
	return true;
}

static struct line *parse(char *text, size_t bytes, size_t *count)
{
	struct line *lines = NULL;
	size_t n = 0, capacity = 0;
	char *end;

	for (char *at = text; n < LINES_MAX && (end = memchr(at, '\n', bytes - (size_t)(at - text))); at = end + 1) {
		*end = '\0';
		sp_grow(&lines, &capacity, n + 1, sizeof(*lines));
		lines[n].order = n;
		n += parse_line(at, &lines[n].entry);
	}
	*count = n;
	return lines;
}

static int by_low(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->entry.low != y->entry.low)
		return x->entry.low < y->entry.low ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* A heap of lines, the latest on top. */
static void heap_push(const struct line **heap, size_t *count, const struct line *line)
{
	size_t i = (*count)++;

	for (; i && heap[(i - 1) / 2]->order < line->order; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = line;
}

static void heap_pop(const struct line **heap, size_t *count)
{
	const struct line *last = heap[--*count];
	size_t i = 0, child;

	for (; (child = 2 * i + 1) < *count; i = child) {
		if (child + 1 < *count && heap[child + 1]->order > heap[child]->order)
			child++;
		if (heap[child]->order <= last->order)
			break;
		heap[i] = heap[child];
	}
	heap[i] = last;
}

/* Cuts the lines into pieces of which none overlaps another: at each address the latest line. */
static void cut(struct sp_perfmap *map, const struct line *lines, size_t count, const struct line **heap)
{
	uint64_t at = 0, end;
	size_t i = 0, open = 0;

	while (i < count || open) {
		if (!open)
			at = lines[i].entry.low;
		for (; i < count && lines[i].entry.low <= at; i++)
			heap_push(heap, &open, &lines[i]);
		while (open && heap[0]->entry.high <= at)
			heap_pop(heap, &open);
		if (!open)
			continue;
		end = heap[0]->entry.high;
		if (i < count && lines[i].entry.low < end)
			end = lines[i].entry.low;
		map->list[map->count++] = (struct sp_perfmap_entry){at, end, heap[0]->entry.name};
		at = end;
	}
}

int sp_perfmap_read(struct sp_perfmap *map, const char *root, int pid, unsigned uid, uint64_t since_ns)
{
	const struct line **heap;
	struct line *lines;
	size_t bytes, count;
	int fd = open_map(root, pid, uid, since_ns);

	*map = (struct sp_perfmap){0};
	if (fd < 0)
		return fd;
	map->text = read_all(fd, &bytes);
	close(fd);
	lines = parse(map->text, bytes, &count);
	if (!count) {
		free(lines);
		sp_perfmap_free(map);
		return -ENODATA;
	}
	heap = sp_alloc(count, sizeof(*heap));
	map->list = sp_alloc(2 * count, sizeof(*map->list)); /* a piece ends where a line starts or ends */
	qsort(lines, count, sizeof(*lines), by_low);
	cut(map, lines, count, heap);
	free(heap);
	free(lines);
	return 0;
}

void sp_perfmap_free(struct sp_perfmap *map)
{
	free(map->list);
	free(map->text);
	*map = (struct sp_perfmap){0};
}

const struct sp_perfmap_entry *sp_perfmap_find(const struct sp_perfmap *map, uint64_t address)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->list[middle].high <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < map->count && map->list[low].low <= address ? &map->list[low] : NULL;
}
