/* push --watch: profiles are sent as they appear. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/base/time.h"
#include "profiles/output/output.h"
#include "symbolize/base/memory.h"
#include "tools/push/send.h"
#include "tools/tools.h"

#define LOOK_MS 900

/* How far it has come: the change times of files, which renaming sets, so that a file is never older than one that was there
 * before it. */
struct watch {
	struct sp_outbox *box;
	struct sp_outbox_entry *entry;
	char mark[NAME_MAX + 1]; /* the file in the outbox that tells the next watch */
	uint64_t reached_ns, begun_at_ns;
	bool stuck;         /* the outbox took nothing when it was last asked */
	struct sp_map seen; /* by the hash of a path: 1 where the file was taken */
};

static uint64_t changed_ns(const struct stat *st)
{
	return (uint64_t)st->st_ctim.tv_sec * 1000000000u + (uint64_t)st->st_ctim.tv_nsec;
}

static void name_mark(struct watch *w, const char *directory)
{
	char path[PATH_MAX];
	char *text = sp_text("%s\n%s", w->entry->target, realpath(directory, path) ? path : directory);

	snprintf(w->mark, sizeof(w->mark), "%016llx.watch", (unsigned long long)sp_hash_bytes(text, strlen(text)));
	free(text);
}

static void write_mark(struct watch *w)
{
	struct sp_buffer text = {0};

	sp_buffer_printf(&text, "%llu\n", (unsigned long long)w->reached_ns);
	sp_output_put(w->box->fd, w->mark, &text, true);
	sp_buffer_free(&text);
}

static void read_mark(struct watch *w)
{
	int fd = sp_regular_open(w->box->fd, w->mark);
	char text[32] = "";

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		w->reached_ns = strtoull(text, NULL, 10);
	if (fd >= 0)
		close(fd);
	if (!w->reached_ns) {
		w->reached_ns = sp_time_ns(CLOCK_REALTIME);
		write_mark(w);
	}
	w->begun_at_ns = w->reached_ns;
}

/* false: the outbox does not take it; the next round tries again. */
static bool take(struct watch *w, const char *path)
{
	int err = sp_input_read(path, &w->entry->markdown), kept = err ? 0 : sp_outbox_put(w->box, w->entry);

	if (err < 0 && err != -ENOENT)
		sp_complain("push: %s: %s", path, sp_input_error(err));
	if (kept < 0 && !w->stuck)
		sp_complain("push: %s: %s: %s", path, w->box->path, strerror(-kept));
	w->stuck = kept < 0;
	sp_buffer_free(&w->entry->markdown);
	return !w->stuck;
}

struct found {
	char *path;
	uint64_t ns;
};

static int oldest_first(const void *left, const void *right)
{
	const struct found *a = left, *b = right;

	return a->ns < b->ns ? -1 : a->ns > b->ns;
}

static void look_into(struct watch *w, const char *directory, struct found **list, size_t *count, size_t *capacity)
{
	char **paths = NULL;
	long n = sp_input_list(directory, &paths);
	struct stat st;

	for (long i = 0; i < n; i++)
		if (lstat(paths[i], &st) == 0 && S_ISREG(st.st_mode) && changed_ns(&st) >= w->reached_ns) {
			sp_grow(list, capacity, *count + 1, sizeof(**list));
			(*list)[(*count)++] = (struct found){sp_copy_text(paths[i]), changed_ns(&st)};
		}
	sp_input_free(paths, n > 0 ? (size_t)n : 0);
}

static void go_round(struct watch *w, const char *directory)
{
	char **below = NULL;
	size_t below_count = sp_input_below(directory, &below), count = 0, capacity = 0;
	uint64_t reached = w->reached_ns;
	struct found *list = NULL;
	bool going = true;

	look_into(w, directory, &list, &count, &capacity);
	for (size_t i = 0; i < below_count; i++)
		look_into(w, below[i], &list, &count, &capacity);
	sp_input_free(below, below_count);
	if (count)
		qsort(list, count, sizeof(*list), oldest_first);
	for (size_t i = 0; i < count; i++) {
		int found;
		uint32_t *taken = sp_map_at(&w->seen, sp_hash_bytes(list[i].path, strlen(list[i].path)), 0, &found);

		if (going && !*taken && list[i].ns > w->begun_at_ns) {
			going = take(w, list[i].path);
			*taken = going;
			reached = going ? list[i].ns : reached;
		}
		free(list[i].path);
	}
	free(list);
	if (reached != w->reached_ns) {
		w->reached_ns = reached;
		write_mark(w);
	}
}

int sp_push_watch(struct sp_outbox *box, struct sp_push_sender *sender, struct sp_outbox_entry *entry,
	const char *directory)
{
	struct watch w = {.box = box, .entry = entry};
	struct sp_push_flushed flushed;
	int err;

	name_mark(&w, directory);
	read_mark(&w);
	while (access(directory, R_OK | X_OK) == 0) {
		go_round(&w, directory);
		sp_push_flush(box, sender, entry->target, false, true, &flushed);
		sp_nap_ms(LOOK_MS);
	}
	err = errno;
	sp_map_free(&w.seen);
	sp_complain("push: --watch: %s: %s", directory, strerror(err));
	return SP_EXIT_USAGE;
}
