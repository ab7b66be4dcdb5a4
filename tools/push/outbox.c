/* The outbox as a directory: entries. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/directory.h"
#include "profiles/base/escape.h"
#include "profiles/base/time.h"
#include "profiles/base/xdg.h"
#include "profiles/output/output.h"
#include "symbolize/base/memory.h"
#include "tools/push/outbox.h"
#include "tools/tools.h"

#define HEAD "smartprof-outbox/1\n"
#define SUFFIX ".entry"
#define REFUSED_SUFFIX ".refused"
#define LOCK_FILE "sending.lock"
#define TARGET_MOST 16384u
#define ENTRY_MOST (72u << 20) /* a profile is 64 MB at the most */
#define NAME_TRIES 100
#define OLD_TEMPORARY_S 3600

/* --- the place */

static bool is_ours_alone(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 022);
}

int sp_outbox_open(struct sp_outbox *box, bool make, const char **why)
{
	struct sp_value most;
	bool made;

	*box = (struct sp_outbox){.fd = -1, .lock_fd = -1};
	sp_value_load(&most, SP_OPT_PUSH_OUTBOX_SIZE, environ, sp_settings_file());
	box->bytes_most =
		(most.number & SP_MB_OF_LIMIT ? sp_option_rows[SP_OPT_PUSH_OUTBOX_SIZE].defaults[0] : most.number) *
		1000000u;
	*why = "there is no home directory; set XDG_STATE_HOME";
	if (sp_state_path(box->path, sizeof(box->path), "outbox") < 0)
		return -ENOENT;
	if (!make && access(box->path, F_OK) < 0) {
		*why = strerror(errno);
		return -errno;
	}
	box->fd = sp_directory_open(box->path, &made);
	*why = box->fd < 0 ? strerror(-box->fd) : "it is not a directory that this user alone can write to";
	if (box->fd < 0)
		return box->fd;
	if (made)
		fchmod(box->fd, 0700); /* where others may not look: profiles tell of programs */
	if (is_ours_alone(box->fd))
		return 0;
	sp_outbox_close(box);
	return -EPERM;
}

void sp_outbox_close(struct sp_outbox *box)
{
	sp_outbox_unlock(box);
	if (box->fd >= 0)
		close(box->fd);
	box->fd = -1;
}

/* Only this user can open it. */
bool sp_outbox_lock(struct sp_outbox *box)
{
	box->lock_fd = openat(box->fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (box->lock_fd >= 0 && flock(box->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	sp_outbox_unlock(box);
	return false;
}

void sp_outbox_unlock(struct sp_outbox *box)
{
	if (box->lock_fd >= 0)
		close(box->lock_fd);
	box->lock_fd = -1;
}

/* --- what is in it */

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), n = strlen(end);

	return length > n && strcmp(name + length - n, end) == 0;
}

static void remove_old_temporary(const struct sp_outbox *box, const char *name)
{
	struct stat st;

	if (strncmp(name, ".smartprof.", 11) == 0 && ends_with(name, ".tmp") &&
		fstatat(box->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime + OLD_TEMPORARY_S < time(NULL))
		unlinkat(box->fd, name, 0); /* of a process that was killed while it wrote */
}

size_t sp_outbox_list(const struct sp_outbox *box, struct sp_outbox_file **files)
{
	struct dirent **entries;
	int count = scandirat(box->fd, ".", &entries, NULL, alphasort);
	size_t n = 0;

	*files = sp_alloc(count > 0 ? (size_t)count : 1, sizeof(**files));
	for (int i = 0; i < count; i++) {
		struct sp_outbox_file *file = &(*files)[n];
		const char *name = entries[i]->d_name;
		struct stat st;

		file->refused = ends_with(name, REFUSED_SUFFIX);
		if ((file->refused || ends_with(name, SUFFIX)) &&
			fstatat(box->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
			snprintf(file->name, sizeof(file->name), "%s", name);
			file->bytes = (uint64_t)st.st_size;
			n++;
		} else {
			remove_old_temporary(box, name);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return n;
}

void sp_outbox_remove(const struct sp_outbox *box, const char *name)
{
	unlinkat(box->fd, name, 0);
}

void sp_outbox_refuse(const struct sp_outbox *box, const char *name)
{
	char refused[NAME_MAX + 1];

	if (ends_with(name, SUFFIX) &&
		snprintf(refused, sizeof(refused), "%.*s" REFUSED_SUFFIX, (int)(strlen(name) - strlen(SUFFIX)), name) <
			(int)sizeof(refused))
		renameat(box->fd, name, box->fd, refused);
}

/* --- an entry */

static void put_line(struct sp_buffer *out, const char *key, const char *value)
{
	if (!value)
		return;
	sp_buffer_printf(out, "%s: ", key);
	sp_escape(out, SP_ESCAPE_PLAIN, value, strlen(value));
	sp_buffer_puts(out, "\n");
}

static void write_entry(struct sp_buffer *out, const struct sp_outbox_entry *entry)
{
	sp_buffer_puts(out, HEAD);
	put_line(out, "target", entry->target);
	put_line(out, "token-file", entry->token_file);
	put_line(out, "ca-file", entry->ca_file);
	for (size_t i = 0; i < entry->labels.count; i++) {
		put_line(out, "name", entry->labels.list[i].name);
		put_line(out, "value", entry->labels.list[i].value);
	}
	sp_buffer_puts(out, "\n");
	sp_buffer_add(out, entry->markdown.data, entry->markdown.length);
}

char *sp_outbox_target(const struct sp_outbox *box, const char *name)
{
	static const char begin[] = HEAD "target: "; /* as write_entry has it */
	int fd = sp_regular_open(box->fd, name);
	char text[TARGET_MOST], *target = text + sizeof(begin) - 1;
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (length < (ssize_t)sizeof(begin) - 1 || memcmp(text, begin, sizeof(begin) - 1) != 0)
		return NULL;
	text[length] = '\0';
	if (!strchr(target, '\n'))
		return NULL;
	*strchr(target, '\n') = '\0';
	sp_unescape(target);
	return sp_copy_text(target);
}

static void count_dropped(struct sp_outbox_state *state, void *unused)
{
	(void)unused;
	state->dropped++;
}

static void drop(const struct sp_outbox *box, const struct sp_outbox_file *file)
{
	char *target = sp_outbox_target(box, file->name);

	if (target)
		sp_outbox_state_change(box, target, count_dropped, NULL);
	free(target);
	sp_outbox_remove(box, file->name);
}

/* The newest is kept, however large it is. */
static void make_room(const struct sp_outbox *box)
{
	struct sp_outbox_file *files;
	size_t count = sp_outbox_list(box, &files);
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += files[i].bytes;
	for (int refused = 1; refused >= 0; refused--)
		for (size_t i = 0; i + 1 < count && bytes > box->bytes_most; i++)
			if (files[i].refused == refused) {
				drop(box, &files[i]);
				bytes -= files[i].bytes;
			}
	free(files);
}

int sp_outbox_put(struct sp_outbox *box, const struct sp_outbox_entry *entry)
{
	struct sp_buffer text = {0};
	char name[64];
	int err = -EEXIST;

	write_entry(&text, entry);
	for (int i = 0; i < NAME_TRIES && err == -EEXIST; i++) {
		snprintf(name, sizeof(name), "%020llu.%d.%02d" SUFFIX, (unsigned long long)sp_time_ns(CLOCK_REALTIME),
			getpid(), i);
		err = sp_output_put(box->fd, name, &text, false);
	}
	sp_buffer_free(&text);
	if (!err)
		make_room(box);
	return err;
}

/* Cuts the next line off, and its escapes back. NULL: there is none. */
static char *take_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return line;
}

static void take_value(struct sp_outbox_entry *entry, const char *key, char *value, char **name)
{
	char **to = strcmp(key, "target") == 0   ? &entry->target
		: strcmp(key, "token-file") == 0 ? &entry->token_file
		: strcmp(key, "ca-file") == 0    ? &entry->ca_file
		: strcmp(key, "name") == 0       ? name
						 : NULL;

	sp_unescape(value);
	if (to) {
		free(*to);
		*to = sp_copy_text(value);
	} else if (strcmp(key, "value") == 0 && *name) {
		sp_push_label_add(&entry->labels, *name, value);
	}
}

static bool read_entry(struct sp_outbox_entry *entry, char *text, size_t length)
{
	char *at = text + strlen(HEAD), *line, *name = NULL;

	if (length < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0 || strlen(text) != length)
		return false;
	while ((line = take_line(&at)) && *line) {
		char *colon = strstr(line, ": ");

		if (!colon)
			break;
		*colon = '\0';
		take_value(entry, line, colon + 2, &name);
	}
	free(name);
	if (!line || *line || !entry->target)
		return false;
	sp_buffer_add(&entry->markdown, at, length - (size_t)(at - text));
	return true;
}

const char sp_outbox_damaged[] = "it is damaged";

bool sp_outbox_read(const struct sp_outbox *box, const char *name, struct sp_outbox_entry *entry, const char **why)
{
	int fd = sp_regular_open(box->fd, name);
	struct sp_buffer text = {0};
	struct stat st;
	ssize_t n = 0;
	bool whole;

	*entry = (struct sp_outbox_entry){0};
	*why = fd < 0 ? strerror(-fd) : sp_outbox_damaged;
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && st.st_size <= (off_t)ENTRY_MOST)
		while ((n = read(fd, sp_buffer_room(&text, 65536), 65536)) > 0 && text.length <= ENTRY_MOST)
			text.length += (size_t)n;
	if (n < 0)
		*why = strerror(errno);
	sp_buffer_add(&text, "", 0);
	close(fd);
	whole = n == 0 && read_entry(entry, text.data, text.length);
	sp_buffer_free(&text);
	if (!whole)
		sp_outbox_entry_free(entry);
	return whole;
}

void sp_outbox_entry_free(struct sp_outbox_entry *entry)
{
	free(entry->target);
	free(entry->token_file);
	free(entry->ca_file);
	sp_push_labels_free(&entry->labels);
	sp_buffer_free(&entry->markdown);
	*entry = (struct sp_outbox_entry){0};
}
