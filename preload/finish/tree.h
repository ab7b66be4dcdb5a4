/* A tree's processes are rendered together, when its first one ends. That one holds the tree: it has a file beside
 * the spools locked for as long as it lives, and members that end while it is locked leave their spools to it. Where
 * there is no such process, or it has gone, a member is rendered by itself. */
#ifndef SP_PRELOAD_FINISH_TREE_H
#define SP_PRELOAD_FINISH_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/agent.h"

struct sp_facts;

/* The process may be about to have a child: if it is the first of its tree, or that is gone, it becomes the holder.
 * Returns whether it has just become that: then the signals that would kill it are to be watched. Any context. */
bool sp_tree_expect(void) SP_HIDDEN;

/* The tree's first process has replaced itself by this program, and may have had children before. Returns as
 * sp_tree_expect. The constructor's. */
bool sp_tree_resume(void) SP_HIDDEN;

/* The process is about to do so: the next program may not be one of ours. Any context. */
void sp_tree_before_exec(void) SP_HIDDEN;

/* Looks for what the tree's processes share: what they have read of the machine, and of files' unwind tables. Any context; more
 * than once only if it was not there. */
void sp_tree_share(void) SP_HIDDEN;

/* What processes of the tree have found out about the machine, for all of them; NULL when there is no tree. May be called
 * before there is a spool. */
struct sp_facts *sp_tree_facts(void) SP_HIDDEN;

/* The process has a spool from now on. */
void sp_tree_join(const char *spool_path) SP_HIDDEN;

/* It gets none: the holder's profile will say how many. Any context. */
void sp_tree_refused(void) SP_HIDDEN;

/* What a process of the tree has found out for those that come after it: perf events work under these limits. */
bool sp_tree_knows_events(uint64_t limits) SP_HIDDEN;
void sp_tree_tell_events(uint64_t limits) SP_HIDDEN;

/* In a forked child. */
void sp_tree_forked(void) SP_HIDDEN;

/* Whether this process holds it. Any context. */
bool sp_tree_is_held(void) SP_HIDDEN;

/* The holder's end: members look after themselves from here on. Returns the path of the tree's file when any of them may
 * have left something, else NULL. */
const char *sp_tree_close(void) SP_HIDDEN;

/* The process will soon not be able to render for others: seccomp, another user. Normal context. */
void sp_tree_give_up(void) SP_HIDDEN;

/* Whether somebody else holds it, and so a spool can be left. */
bool sp_tree_is_theirs(void) SP_HIDDEN;

/* The end of a member that can: returns whether its spool, which is complete and takes so many bytes, is left to the
 * holder. It may be this member's turn to have all that is there rendered: then *due is the path of the tree's file,
 * else NULL. */
bool sp_tree_leave(uint64_t bytes, const char **due) SP_HIDDEN;

#endif
