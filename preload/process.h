/* The facts of this process that the rest of preload/ goes by. */
#ifndef SP_PRELOAD_PROCESS_H
#define SP_PRELOAD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/agent.h"

struct sp_facts;
struct sp_file;
struct sp_where;

/* They must be taken down while they can be had: the application may change directory, root, environment and
 * arguments later. All strings are the agent's own copies, never NULL, packed together: a process that lives a
 * millisecond pays for every page it touches. */
struct sp_process {
	const char *cwd;
	const char *library;     /* absolute path of libsmartprof.so */
	const char *command;     /* SMARTPROF_BIN, absolute, or empty */
	const char *output_dir;  /* absolute */
	const char *output_file; /* absolute path asked for, or empty */
	const char *span_log;    /* absolute path of the timing log, or empty */
	const char *tree;        /* "<pid>.<ns>" of the tree's first process */
	uint64_t entry;          /* of a program that ld.so was told to run; else 0 */
	char **argv;
	char **envp;
	const struct sp_file *file; /* settings file; NULL when there is none */
	int ppid;
	bool is_root; /* of its tree */
	bool verbose;
	bool signal_is_asked; /* SMARTPROF_SIGNAL is set */
	bool inherits_locks;  /* forked from a process with threads, which may have held any of the C library's */
	bool under_valgrind;
	bool follow_none;     /* SMARTPROF_FOLLOW=none: forked children are left alone */
	uint64_t attached_ns; /* the process had run for so long when the agent was put into it; 0: it was there */
	struct sp_facts *attached_facts; /* what the command has read of the machine then */
	const char *trouble;             /* why activation has failed; NULL: it has not */
	char *spool_path;                /* SP_PATH_MAX bytes; empty while there is no spool */
};
#define SP_PATH_MAX 4096u
extern struct sp_process sp_process SP_HIDDEN;

/* Paths of the tree's file, if it is no longer, and of the spool: side by side, as a page that is touched costs more than what is
 * written to it. */
#define SP_TREE_PATH_MAX 1024u
struct sp_paths {
	char tree[SP_TREE_PATH_MAX], spool[SP_PATH_MAX];
};
extern struct sp_paths sp_paths SP_HIDDEN;

/* Where settings are looked for. */
struct sp_where sp_process_where(void) SP_HIDDEN;

/* Time counts from now. */
void sp_process_start_time(void) SP_HIDDEN;

/* Sets the timer that wakes the dormant agent; false when there is none to be had. */
bool sp_process_arm_start(void) SP_HIDDEN;

/* True in the child of a vfork: another process in the same memory, which must be left alone. Any context. */
bool sp_is_vfork_child(void) SP_HIDDEN;

bool sp_is_under_valgrind(void) SP_HIDDEN;

#endif
