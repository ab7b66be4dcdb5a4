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
#include "profiles/markdown/markdown.h"
#include "profiles/output/output.h"
#include "symbolize/base/memory.h"
#include "tools/push/send.h"
#include "tools/tools.h"

#define LOOK_MS 900
#define PATIENCE_S 60 /* for a file that somebody still writes */

/* How far it has come: the change times of files, which renaming sets, so that a file is never older than one that was there
 * before it. */
struct watch {
	struct sp_outbox *box;
	struct sp_outbox_entry *entry;
	char mark[NAME_MAX + 1]; /* the file in the outbox that tells the next watch */
	uint64_t reached_ns, begun_at_ns;
	uint64_t from_ns; /* of the oldest that is to be looked at again */
	bool stuck;       /* the outbox took nothing when it was last asked */
	struct sp_map
		seen; /* by the hash of a path: 1 where the file was taken; by that and a change time: it was not whole then */
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
	w->begun_at_ns = w->from_ns = w->reached_ns;
}

struct found {
	char *path;
	uint64_t hash, ns;
};

enum taken { TAKEN, NOT_YET, STUCK };

/* What is copied here stands here before all of it has come; what is no profile at all is taken for one after a while, and refused.
 * STUCK: the outbox does not take it; the next round tries again. */
static enum taken take(struct watch *w, const struct found *file)
{
	const bool patient = sp_time_ns(CLOCK_REALTIME) < file->ns + PATIENCE_S * 1000000000ull;
	struct sp_buffer *text = &w->entry->markdown;
	const char *path = file->path;
	int found, err, kept = 0;
	uint32_t *half = sp_map_at(&w->seen, file->hash, file->ns, &found);

	if (*half && patient)
		return NOT_YET;
	err = sp_input_read(path, text);
	*half = !err && patient && !sp_markdown_is_whole(text->data, text->length);
	if (!err && !*half)
		kept = sp_outbox_put(w->box, w->entry);
	if (err < 0 && err != -ENOENT)
		sp_complain("push: %s: %s", path, sp_input_error(err));
	if (kept < 0 && !w->stuck)
		sp_complain("push: %s: %s: %s", path, w->box->path, strerror(-kept));
	w->stuck = kept < 0;
	sp_buffer_free(text);
	return w->stuck ? STUCK : *half ? NOT_YET : TAKEN;
}

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
		if (lstat(paths[i], &st) == 0 && S_ISREG(st.st_mode) && changed_ns(&st) >= w->from_ns) {
			sp_grow(list, capacity, *count + 1, sizeof(**list));
			(*list)[(*count)++] = (struct found){
				sp_copy_text(paths[i]), sp_hash_bytes(paths[i], strlen(paths[i])), changed_ns(&st)};
		}
	sp_input_free(paths, n > 0 ? (size_t)n : 0);
}

static bool is_new(struct watch *w, const struct found *file)
{
	int found;

	return file->ns > w->begun_at_ns && !*sp_map_at(&w->seen, file->hash, 0, &found);
}

/* The oldest first. */
static void take_all(struct watch *w, const struct found *list, size_t count)
{
	uint64_t reached = w->reached_ns, waits = UINT64_MAX;
	enum taken now = TAKEN;
	int found;

	for (size_t i = 0; i < count && now != STUCK; i++) {
		if (!is_new(w, &list[i]))
			continue;
		now = take(w, &list[i]);
		*sp_map_at(&w->seen, list[i].hash, 0, &found) = now == TAKEN;
		if (now != TAKEN && waits == UINT64_MAX)
			waits = list[i].ns;
		if (now == TAKEN && list[i].ns > reached)
			reached = list[i].ns;
	}
	w->from_ns = waits < reached ? waits : reached;
	if (reached == w->reached_ns)
		return;
	w->reached_ns = reached;
	write_mark(w);
}

static void go_round(struct watch *w, const char *directory)
{
	char **below = NULL;
	size_t below_count = sp_input_below(directory, &below), count = 0, capacity = 0;
	struct found *list = NULL;

	look_into(w, directory, &list, &count, &capacity);
	for (size_t i = 0; i < below_count; i++)
		look_into(w, below[i], &list, &count, &capacity);
	sp_input_free(below, below_count);
	if (count)
		qsort(list, count, sizeof(*list), oldest_first);
	take_all(w, list, count);
	for (size_t i = 0; i < count; i++)
		free(list[i].path);
	free(list);
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
