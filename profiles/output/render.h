/* One spool -> one profile: what `finish`, `recover`, `run` and `report` share. */
#ifndef SP_PROFILES_RENDER_H
#define SP_PROFILES_RENDER_H

#include <limits.h>
#include <stdbool.h>

#include "profiles/base/buffer.h"
#include "profiles/markdown/markdown.h"
#include "profiles/model/model.h"
#include "profiles/output/output.h"

/* How a process ended, as its parent knows. */
struct sp_ending {
	int wait_status;          /* as wait() has it */
	uint64_t ended_ns;        /* CLOCK_MONOTONIC; 0: not known */
	uint64_t user_ns, sys_ns; /* CPU time that it had used, its children not; 0: not known */
	uint64_t queue_ns;        /* for which its first thread had waited for a CPU; 0: not known */
};

struct sp_render_options {
	bool full;                                   /* no budget */
	size_t top;                                  /* rows of every table; 0: as usual. With `by`: of that table */
	enum sp_by by;                               /* sp_render_text: this table alone */
	struct sp_filter filter;                     /* sp_render_text: these stacks alone */
	const struct sp_symbolizer_options *symbols; /* NULL: the defaults; see sp_profile_from_snapshot */
	const struct sp_snapshot *since;             /* sp_render_text: only what happened since; NULL: all of it */
	const char *since_mark, *at_mark;            /* the same by a mark of the process (spool/marks.h), and as it was
	                                              * at one; NULL: not */
	sp_progress_fn *progress;                    /* NULL: none */
	void *progress_context;
	const char *only_tree;   /* render only members of this tree ("<pid>.<ns>"); NULL: any */
	int only_root;           /* render only members of the tree whose first process has this pid; 0: any */
	struct sp_ending ending; /* how only_root's process ended, where its spool does not say */
	bool only_orphan;        /* not while its process lives */
	bool no_memory_captures; /* of marks (captures.h): who asks has written them */
	const char *own;         /* but the spool at this path; NULL: none */
};

struct sp_render_result {
	char path[2 * PATH_MAX]; /* of the profile written; "" when the process was too small for one */
	const char *why;         /* failure: a phrase that follows the spool's name */
};

/* Renders a spool into its place and removes it. The spool must be a regular file of this user,
 * readable by nobody else; of several renderers one gets it, the others -EWOULDBLOCK. Returns 0 or
 * a negative errno (-ENOENT: somebody else has rendered it; -ECANCELED: not of only_tree, or no orphan); the
 * spool is then left alone. */
int sp_render_spool(const char *spool_path, const struct sp_render_options *options, struct sp_render_result *result);

/* The same of a spool that is open, whoever's it is and however little is in it, while its process lives on. wish: where
 * the profile goes; NULL: where the spool says. */
int sp_render_held(int fd, const char *spool_path, const struct sp_output_wish *wish,
	const struct sp_render_options *options, struct sp_render_result *result);

/* Where the profile of a spool, of which at least the header and the text were read, is to go. The strings are the
 * snapshot's, or `place`. */
struct sp_output_wish sp_render_wish(const char *spool_path, const struct sp_snapshot *snapshot,
	char place[static PATH_MAX]);

/* Renders a spool into *out and leaves it; the process may still run. 0 or a negative errno (-ENODATA: it
 * holds nothing of what was asked for). */
int sp_render_text(const char *spool_path, const struct sp_render_options *options, struct sp_buffer *out,
	const char **why);
/* The same of a spool that is open, and of what was read of one. */
int sp_render_open(int fd, const struct sp_render_options *options, struct sp_buffer *out, const char **why);
int sp_render_snapshot(struct sp_snapshot *snapshot, const struct sp_render_options *options, struct sp_buffer *out,
	const char **why);

#endif
