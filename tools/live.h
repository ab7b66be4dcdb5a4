/* Processes that are looked at while they run, and snapshots of them. */
#ifndef SP_TOOLS_LIVE_H
#define SP_TOOLS_LIVE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiles/spool/read.h"

struct sp_render_options;

/* The spool of a process or a program (sp_spool_named), a snapshot, or the file of that name. Returns 0, or complains and
 * returns SP_EXIT_USAGE. */
int sp_live_find(const char *command, const char *what, char path[static PATH_MAX]);

/* A spool that its process goes on with; the open file stays readable when that ends and its profile is written. */
struct sp_live_spool {
	char path[PATH_MAX];
	int fd;
	struct sp_spool_header header; /* when it was opened */
};

/* what: as sp_live_find. Returns 0, or complains (also when it has ended) and returns
 * SP_EXIT_USAGE. */
int sp_live_open(struct sp_live_spool *live, const char *command, const char *what);
void sp_live_close(struct sp_live_spool *live);

enum sp_live_end { SP_LIVE_TIME, SP_LIVE_ENDED, SP_LIVE_EXEC, SP_LIVE_INTERRUPTED };

/* Waits for the end of the time or of the process, whichever comes first, or for Ctrl-C; shows it on a terminal. */
enum sp_live_end sp_live_await(const struct sp_live_spool *live, uint64_t ns);

/* From now on SIGINT and SIGTERM end waiting, and nothing else. */
void sp_live_catch(void);
bool sp_live_is_interrupted(void);

/* "10s", "5min", "1h", "500ms": 0, or complains and returns SP_EXIT_USAGE. */
int sp_duration_parse(const char *command, const char *flag, const char *text, uint64_t *ns);

/* --- snapshots in files */

/* Finds what PID@NAME means. Returns 1, 0 where the text is not of that form, or complains and returns a negative
 * number. */
int sp_snapshot_find(const char *command, const char *text, char path[static PATH_MAX]);

/* The snapshot that --since names for the process: NAME, PID@NAME or a file. Returns 1, 0 when there is none, or complains
 * and returns a negative number. */
int sp_snapshot_since(const char *command, const char *text, int pid, char path[static PATH_MAX]);

/* Reads any spool. 0 or SP_EXIT_USAGE after a complaint; *snapshot is to be freed in both cases. */
int sp_snapshot_load(const char *command, const char *path, struct sp_snapshot *snapshot);

/* --- windows */

/* What to make of a window; of one that is not asked for, `text` of --for, --loop, --since and --at are NULL. */
struct sp_window_wish {
	const char *lasts, *since, *loop, *at;
	const char *keep, *keep_bytes;
};

/* What is wrong with the flags together, after a complaint: SP_EXIT_USAGE; else 0. */
int sp_window_check_wish(const struct sp_window_wish *wish);

/* Opens what the window ends with, and takes the snapshot that it begins with, waiting for its time to pass: where it begins
 * with a mark there is none, and *mark is its name. Returns the descriptor, or a negative number after a complaint. */
int sp_window_open(const struct sp_window_wish *wish, const char *what, struct sp_snapshot *earlier, const char **mark);

/* What is open as `what` has no mark of that name: tells which it has. Returns SP_EXIT_USAGE. */
int sp_mark_complain(const char *what, int fd, const char *label);

/* A window after the other, each in a file of the directory (NULL: profiles/windows). The exit status. */
int sp_window_loop(const struct sp_window_wish *wish, const char *what, const char *directory,
	const struct sp_render_options *options);

#endif
