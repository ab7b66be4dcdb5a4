/* Old files go. */
#include "profiles/base/keep.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolize/base/memory.h"

struct kept {
	char name[NAME_MAX + 1];
	struct stat st;
};

static int newest_first(const void *left, const void *right)
{
	const struct timespec *a = &((const struct kept *)left)->st.st_mtim,
			      *b = &((const struct kept *)right)->st.st_mtim;

	if (a->tv_sec != b->tv_sec)
		return a->tv_sec > b->tv_sec ? -1 : 1;
	return a->tv_nsec > b->tv_nsec ? -1 : a->tv_nsec < b->tv_nsec;
}

static int is_between(const char *name, const char *begin, const char *end)
{
	size_t length = strlen(name), n = strlen(end);

	return strncmp(name, begin, strlen(begin)) == 0 && length > n && strcmp(name + length - n, end) == 0;
}

void sp_keep_newest(const char *directory, int directory_fd, const char *begin, const char *end, uint64_t files_most,
	uint64_t bytes_most)
{
	struct dirent **entries;
	int count = scandir(directory, &entries, NULL, NULL);
	struct kept *files = sp_alloc(count > 0 ? (size_t)count : 1, sizeof(*files));
	size_t n = 0;
	uint64_t bytes = 0;

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (is_between(name, begin, end) && fstatat(directory_fd, name, &files[n].st, AT_SYMLINK_NOFOLLOW) == 0)
			strcpy(files[n++].name, name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	qsort(files, n, sizeof(*files), newest_first);
	for (size_t i = 0; i < n; i++) {
		bytes += (uint64_t)files[i].st.st_size;
		if (i && (i >= files_most || bytes > bytes_most))
			unlinkat(directory_fd, files[i].name, 0);
	}
	free(files);
}
