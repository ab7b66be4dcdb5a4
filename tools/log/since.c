/* What a run adds to the timing log's files, for the history. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/env.h"
#include "tools/log/log.h"
#include "tools/tools.h"

#define KEPT_BYTES (64 << 20) /* the newest */

static void name_older(char path[static PATH_MAX], const char *file, int age)
{
	if (age)
		snprintf(path, PATH_MAX, "%.*s.%d", PATH_MAX - 8, file, age);
	else
		snprintf(path, PATH_MAX, "%.*s", PATH_MAX - 8, file);
}

void sp_log_place(struct sp_log_place *place)
{
	struct sp_value value;
	char older[PATH_MAX];
	struct stat st;

	*place = (struct sp_log_place){.path = ""};
	sp_value_load(&value, SP_OPT_SPAN_LOG, environ, sp_settings_file());
	if (!value.text || !*value.text || !sp_absolute(place->path, value.text))
		return;
	if (lstat(place->path, &st) == 0) {
		place->inode = st.st_ino;
		place->bytes = st.st_size;
	}
	name_older(older, place->path, 1);
	if (lstat(older, &st) == 0)
		place->older = st.st_ino;
}

/* Appends what is in the file from `from` on. */
static void read_from(struct sp_buffer *out, int fd, off_t from)
{
	char bytes[65536];
	ssize_t got;

	while ((got = pread(fd, bytes, sizeof(bytes), from)) > 0) {
		sp_buffer_add(out, bytes, (size_t)got);
		from += got;
	}
}

/* A file of the run's, opened; -1: none, or it is of a run before. *met: the run began in it; its bytes from *from on. */
static int open_one(const struct sp_log_place *place, int age, bool *met, off_t *from, off_t *bytes)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	name_older(path, place->path, age);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino == place->older) {
		close(fd);
		return -1;
	}
	*met = st.st_ino == place->inode;
	*from = *met && st.st_size >= place->bytes ? place->bytes : 0;
	*bytes += st.st_size - *from;
	return fd;
}

void sp_log_since(struct sp_buffer *out, const struct sp_log_place *place)
{
	int fds[SP_LOG_OLDER + 1], count = 0, fd = 0;
	off_t from = 0, bytes = 0;
	bool met = false;

	for (int age = 0; *place->path && age <= SP_LOG_OLDER && !met && bytes < KEPT_BYTES; age++) {
		fd = open_one(place, age, &met, &from, &bytes);
		if (fd < 0)
			break;
		fds[count++] = fd;
	}
	while (count-- > 0) {
		read_from(out, fds[count], from);
		from = 0;
		close(fds[count]);
	}
}
