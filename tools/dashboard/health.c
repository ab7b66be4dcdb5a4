/* How much there is of everything. */
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/base/json.h"
#include "profiles/base/xdg.h"
#include "symbolize/cache/cache.h"
#include "tools/dashboard/board.h"

static uint64_t size_of(const char *path, const char *ending)
{
	char whole[PATH_MAX];
	struct stat st;

	snprintf(whole, sizeof(whole), "%s%s", path, ending);
	return stat(whole, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* The blobs beside the database. */
static void count_blobs(const char *path, uint64_t *files, uint64_t *bytes)
{
	char directory[PATH_MAX];
	char *roots[] = {directory, NULL};
	FTSENT *entry;
	FTS *tree;

	snprintf(directory, sizeof(directory), "%s.blobs", path);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	while (tree && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_F) {
			++*files;
			*bytes += (uint64_t)entry->fts_statp->st_size;
		}
	if (tree)
		fts_close(tree);
}

static json_t *cache_json(void)
{
	char path[PATH_MAX];
	struct sp_cache_stats stats;

	if (sp_cache_path(path, sizeof(path), SP_CACHE_FILE) < 0 || sp_cache_stats(path, &stats) != 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "place", sp_json_text(path), "bytes", sp_json_count(stats.bytes), "entries",
		sp_json_count(stats.answers));
}

json_t *sp_board_health(struct sp_board *b)
{
	const char *path = sp_history_path(b->store);
	uint64_t runs = 0, pinned = 0, shown = 0, files = 0, bytes = 0;

	sp_history_count(b->store, &(struct sp_history_filter){0}, &runs);
	sp_history_count(b->store, &(struct sp_history_filter){.pinned = true}, &pinned);
	for (size_t i = 0; i < b->series_count; i++)
		shown += b->series[i].run_count;
	count_blobs(path, &files, &bytes);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "place", sp_json_text(path), "runs",
		sp_json_count(runs), "left_out", sp_json_count(runs > shown ? runs - shown : 0), "bytes",
		sp_json_count(size_of(path, "") + size_of(path, "-wal")), "blobs", sp_json_count(files), "blob_bytes",
		sp_json_count(bytes), "pinned", sp_json_count(pinned), "cache", cache_json());
}
