/* Which profiles are being rendered right now: as their spools tell. */
#include "profiles/output/underway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/time.h"
#include "profiles/base/xdg.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "symbolize/base/memory.h"

/* For a renderer to take a spool up, once its process has ended: while that waits for it, and when it does not. */
#define WAITED_SECONDS 12
#define LEFT_SECONDS 2

/* What the reader wants. */
struct place {
	char path[PATH_MAX];      /* absolute */
	char directory[PATH_MAX]; /* empty: no directory's */
	bool below;               /* what is in the directory's own */
};

struct candidate {
	char tree[64];
	bool ended, busy, wanted;
};

struct candidates {
	struct candidate *items;
	size_t count, capacity;
};

static void make_absolute(char out[static PATH_MAX], const char *path)
{
	char here[PATH_MAX] = "";
	size_t length;

	if (path[0] != '/' && !getcwd(here, sizeof(here)))
		here[0] = '\0';
	if (snprintf(out, PATH_MAX, "%s%s%s", here, *here ? "/" : "", path) >= PATH_MAX)
		out[0] = '\0';
	for (length = strlen(out); length > 1 && out[length - 1] == '/'; length--)
		out[length - 1] = '\0';
}

static void find_place(struct place *place, const char *path)
{
	struct stat st;
	char *slash;
	bool is_there = stat(path, &st) == 0;

	make_absolute(place->path, path);
	strcpy(place->directory, place->path);
	slash = strrchr(place->directory, '/');
	if (place->below || (is_there && S_ISDIR(st.st_mode)))
		return;
	if (slash && strcmp(slash, "/latest.md") == 0)
		*slash = '\0';
	else if (is_there || !slash || strchr(slash, '.'))
		place->directory[0] = '\0';
}

static bool is_same(const char *a, const char *b)
{
	struct stat x, y;

	if (!*a || !*b)
		return false;
	if (stat(a, &x) == 0 && stat(b, &y) == 0)
		return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
	return strcmp(a, b) == 0;
}

static bool is_below(const struct place *place, const char *base, const char *environment)
{
	char path[2 * PATH_MAX];

	if (place->below)
		return is_same(base, place->directory);
	return *base && snprintf(path, sizeof(path), "%s/%s", base, environment) < PATH_MAX &&
		is_same(path, place->directory);
}

/* The places that sp_output_open tries. */
static bool goes_there(const struct place *place, const char *spool, const struct sp_snapshot *s)
{
	char text[PATH_MAX], own[2 * PATH_MAX], environment[SAFE_NAME_MAX + 1];
	struct sp_output_wish wish = sp_render_wish(spool, s, text);

	if (*wish.file && is_same(wish.file, place->path))
		return true;
	if (!place->directory[0])
		return false;
	sp_output_safe_name(environment, sizeof(environment), sp_snapshot_text(s, s->header.text.environment));
	if (!*wish.file && is_below(place, wish.directory, environment))
		return true;
	snprintf(own, sizeof(own), "%s/user-%u", wish.directory, (unsigned)geteuid());
	if (*wish.directory && is_below(place, own, environment))
		return true;
	return sp_state_path(own, PATH_MAX, "profiles") == 0 && is_below(place, own, environment);
}

/* Whether a renderer has the spool, or is about to. A spool that was left until the end of its tree waits for that
 * end, and nobody waits for the spool. */
static bool is_busy(int fd, const struct sp_spool_header *h)
{
	uint64_t now_ns = sp_time_ns(CLOCK_MONOTONIC), ended_ns = h->start_monotonic_ns + h->end_ns;
	uint64_t seconds = sp_spool_is_live(fd, h) ? WAITED_SECONDS : LEFT_SECONDS;

	if (sp_spool_is_claimed(fd))
		return true;
	return h->state == SP_STATE_ENDED && !h->left && now_ns >= ended_ns &&
		now_ns - ended_ns < seconds * 1000000000u;
}

static void look_at(struct candidates *all, const char *path, const struct place *place)
{
	struct sp_snapshot snapshot = {0};
	struct candidate *c;
	struct stat st;
	const char *why;
	int fd = sp_spool_open(path);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077) &&
		sp_snapshot_peek(&snapshot, fd, &why) == 0) {
		sp_grow(&all->items, &all->capacity, all->count + 1, sizeof(*all->items));
		c = &all->items[all->count++];
		*c = (struct candidate){.ended = snapshot.header.state == SP_STATE_ENDED,
			.busy = is_busy(fd, &snapshot.header),
			.wanted = goes_there(place, path, &snapshot)};
		snprintf(c->tree, sizeof(c->tree), "%s", sp_snapshot_text(&snapshot, snapshot.header.text.tree));
	}
	sp_snapshot_free(&snapshot);
	close(fd);
}

/* A renderer that works on one member of a tree goes on to the others, one after the other. */
static bool is_its_turn_coming(const struct candidates *all, const struct candidate *c)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].busy && c->tree[0] && strcmp(all->items[i].tree, c->tree) == 0)
			return true;
	return false;
}

static bool is_private(const char *directory)
{
	struct stat st;

	return lstat(directory, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022);
}

bool sp_output_is_under_way(const char *path, bool below)
{
	char directories[SP_SPOOL_DIRECTORIES][PATH_MAX];
	size_t n = sp_spool_directories(directories);
	struct candidates all = {0};
	struct sp_spool_file *files;
	struct place place = {.below = below};
	bool found = false;

	find_place(&place, path);
	for (size_t i = 0; i < n; i++) {
		long count = is_private(directories[i]) ? sp_spool_list(&files, directories[i]) : -1;

		for (long k = 0; k < count; k++)
			look_at(&all, files[k].path, &place);
		if (count >= 0)
			free(files);
	}
	for (size_t i = 0; i < all.count && !found; i++)
		found = all.items[i].wanted &&
			(all.items[i].busy || (all.items[i].ended && is_its_turn_coming(&all, &all.items[i])));
	free(all.items);
	return found;
}
