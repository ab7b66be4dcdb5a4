/* The agent's life inside the target: start, activation, forks, end. */
#ifndef SP_PRELOAD_AGENT_H
#define SP_PRELOAD_AGENT_H

#include <signal.h>
#include <stdbool.h>

#include "sampler/agent.h"

struct sp_file;

/* --- start.c --------------------------------------------------------------------------------- */

/* Facts of this process that must be taken down while they can be had: the application may change
 * directory, root, environment and arguments later. All strings are the agent's own copies, never
 * NULL, packed together: a process that lives a millisecond pays for every page it touches. */
struct sp_process {
	const char *cwd;
	const char *library;     /* absolute path of libsmartprof.so */
	const char *command;     /* SMARTPROF_BIN, absolute, or empty */
	const char *output_dir;  /* absolute */
	const char *output_file; /* absolute path asked for, or empty */
	const char *tree;        /* "<pid>.<ns>" of the tree's first process */
	uint64_t entry;          /* of a program that ld.so was told to run; else 0 */
	char **argv;
	char **envp;
	const struct sp_file *file; /* settings file */
	int ppid;
	bool is_root; /* of its tree */
	bool verbose;
	bool signal_is_asked; /* SMARTPROF_SIGNAL is set */
	bool inherits_locks;  /* forked from a process with threads, which may have held any of the C library's */
	bool follow_none;     /* SMARTPROF_FOLLOW=none: forked children are left alone */
	uint64_t start_realtime_ns;
	char *spool_path; /* SP_PATH_MAX bytes; empty while there is no spool */
};
#define SP_PATH_MAX 4096u
extern struct sp_process sp_process SP_HIDDEN;

/* Time counts from now. */
void sp_start_time(void) SP_HIDDEN;

/* Sets the timer that wakes the dormant agent; false when there is none to be had. */
bool sp_start_clockwork(void) SP_HIDDEN;

/* Says one line on stderr when SMARTPROF_VERBOSE is on. Any context. */
void sp_verbose(const char *what, const char *why) SP_HIDDEN;

/* --- malloc.c ---------------------------------------------------------------------------------- */

/* Resolves what malloc's fast paths call without a look. */
void sp_malloc_resolve(void) SP_HIDDEN;

/* The program's malloc, where it is not ours: the executable's own, or that of a library which stands before
 * ours in LD_PRELOAD. NULL where it is ours. Any context. */
const void *sp_malloc_bypass(void) SP_HIDDEN;

/* From now on malloc and calloc may well return NULL: the counters look whether they did. */
void sp_malloc_may_be_refused(void) SP_HIDDEN;

/* Does so if a limit is in force that lets them. Any context. */
void sp_limits_look(void) SP_HIDDEN;

void sp_malloc_find_bypass(void) SP_HIDDEN; /* the constructor's */

/* --- malloc_extensions.c, operators.c ---------------------------------------------------------- */

/* Look up what is behind the allocators' own functions, and operator new and delete, where there is a
 * library that has them: before there is a second thread, see SP_REAL. */
void sp_extensions_find_all(void) SP_HIDDEN;
void sp_operators_find_all(void) SP_HIDDEN;

/* --- activate.c ------------------------------------------------------------------------------ */

/* Makes the spool and arms the clocks of the calling thread: sp_agent.activate. */
void sp_activate(void) SP_HIDDEN;

/* Problems met, for the reader of the profile and, with SMARTPROF_VERBOSE, of stderr. Any context. */
#define SP_NOTE_SIGNAL_BLOCKED \
	"the program was started with the profiling signal and those that could take its place blocked: its CPU time " \
	"is not sampled until it unblocks one and starts again"
#define SP_NOTE_SIGNAL_TAKEN \
	"the program took the profiling signal for itself, past the C library's functions: CPU sampling has stopped " \
	"(SMARTPROF_SIGNAL names another signal)"
void sp_note(const char *line) SP_HIDDEN;

bool sp_under_valgrind(void) SP_HIDDEN;

/* --- fork.c ---------------------------------------------------------------------------------- */

void sp_fork_register(void) SP_HIDDEN;

/* In a child: forgets the parent's spool and goes back to dormant. */
void sp_fork_child(void) SP_HIDDEN;

/* True in the child of a vfork: another process in the same memory, which must be left alone. */
bool sp_is_vfork_child(void) SP_HIDDEN;

/* --- threads.c ------------------------------------------------------------------------------- */

/* True once this process or one it was forked from has made a thread. */
bool sp_threads_made(void) SP_HIDDEN;

/* There will be a second thread: activates a dormant agent. Normal context. */
void sp_threads_wake(void) SP_HIDDEN;

/* Takes in the calling thread, which was made behind our back: sp_agent.adopt. */
void sp_threads_adopt(void) SP_HIDDEN;

/* The calling thread may have unblocked the profiling signal: if its clocks have waited for that, they are armed. */
void sp_threads_unblocked(void) SP_HIDDEN;

/* Lets the calling thread's end be noticed. */
void sp_threads_own(struct sp_thread *t) SP_HIDDEN;

/* --- signals.c ------------------------------------------------------------------------------- */

/* Takes the profiling signal over; the constructor's. */
void sp_signals_init(void) SP_HIDDEN;

/* Looks whether our handler is still the one that the profiling signal runs: the C library's own functions and bare
 * system calls go by our hooks. Where it is not, another signal is taken, or sampling stops. Any context. */
void sp_signals_look(void) SP_HIDDEN;

/* The same, once what `number` does has changed. */
void sp_signals_look_at(int number) SP_HIDDEN;

/* In a forked child of a process whose clocks were stopped. */
void sp_signals_after_fork(void) SP_HIDDEN;

/* From now on no signal of ours is directed at the process, and our handler blocks its own: an alternate stack
 * or a handler of the application's for this signal do not go with being entered again. Any context. */
void sp_signals_shut(void) SP_HIDDEN;

/* Gives up what is directed at the process: it may be delivered where it breaks a system call. Any context. */
void sp_blocked_give_up(void) SP_HIDDEN;

/* The application installs a handler: it may run with the profiling signal blocked (blocked.c). */
void sp_blocked_note_handler(const struct sigaction *action) SP_HIDDEN;

/* An ignored signal stays ignored over execve, a handled one does not: shows the kernel what the
 * application believes; `back` when execve has failed. */
void sp_signals_before_exec(bool back) SP_HIDDEN;

/* Takes over those of SIGINT, SIGTERM, SIGHUP that would kill the process, to render first. */
void sp_signals_watch_endings(void) SP_HIDDEN;

/* --- loader.c -------------------------------------------------------------------------------- */

/* No more sampling and no more system calls: the application is about to install a seccomp
 * filter. sp_unseal: it did not. */
void sp_seal(void) SP_HIDDEN;
void sp_unseal(void) SP_HIDDEN;

/* --- endings.c ------------------------------------------------------------------------------- */

void sp_endings_init(void) SP_HIDDEN;

/* --- allocator_stats.c ------------------------------------------------------------------------- */

/* Puts the allocator's own statistics into the spool, where that is safe. At exit, in normal context. */
void sp_allocator_ask(void) SP_HIDDEN;

/* --- hold.c ------------------------------------------------------------------------------------ */

/* From here to sp_hold_end no signal that is sent to the process ends it. The calling thread has all signals blocked;
 * `before` is its mask before that, and after sp_hold_end. Default actions of signals that ask the process to end stand again then. Any context. */
void sp_hold_signals(uint64_t before) SP_HIDDEN;
void sp_hold_end(void) SP_HIDDEN;

/* In our handler of a signal whose default action would end the process: true when it must not now. */
bool sp_hold_takes(int signal) SP_HIDDEN;

/* Whether one has come meanwhile that asks the process to end. */
bool sp_hold_is_hurried(void) SP_HIDDEN;

/* --- park.c ------------------------------------------------------------------------------------ */

/* Holds all other threads of the process, in a millisecond or so and some 50 at the most. True when none of them
 * executes anything of the program any more; to be ended in both cases. The caller must not need what one of them may
 * have locked until it is. */
bool sp_park_threads(void) SP_HIDDEN;

/* The process is about to end: should it not be gone in a tenth of a second, its threads go on. */
void sp_park_end(void) SP_HIDDEN;

/* --- renderer.c -------------------------------------------------------------------------------- */

/* Starts the renderer on the spool (NULL: none) and on what the tree's members have left (`tree`: path of its file, NULL:
 * that can wait), and, `patient`, waits for it a bounded time, signals held. Returns 0, or a negative errno when it
 * did not start. */
int sp_render(const char *spool, const char *tree, bool patient) SP_HIDDEN;

/* --- tree.c ------------------------------------------------------------------------------------ */

/* A tree's processes are rendered together, when its first one ends. That one holds the tree: it has a file beside the
 * spools locked for as long as it lives, and members that end while it is locked leave their spools to it. Where it is
 * not there, or gone, a member is rendered by itself. */

/* The process may be about to have a child: if it is the first of its tree, or that is gone, it becomes the holder. Any
 * context. */
void sp_tree_expect(void) SP_HIDDEN;

/* The tree's first process has replaced itself by this program, and may have had children before. The constructor's. */
void sp_tree_resume(void) SP_HIDDEN;

/* The process is about to do so: the next program may not be one of ours. Any context. */
void sp_tree_before_exec(void) SP_HIDDEN;

/* The process has a spool from now on. */
void sp_tree_join(const char *spool_path) SP_HIDDEN;

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

/* The end of a member that can: returns whether its spool, which is complete and takes so many bytes, is left to the holder. It may be
 * this member's turn to have all that is there rendered: then *due is the path of the tree's file, else NULL. */
bool sp_tree_leave(uint64_t bytes, const char **due) SP_HIDDEN;

/* --- finish.c -------------------------------------------------------------------------------- */

/* Whether a process that is still dormant has used enough for one. Any context. */
bool sp_is_worth_a_profile(void) SP_HIDDEN;

/* Ends the profile: once, by whichever thread is first; others wait for it. Starts the renderer
 * and waits for it a bounded time. Any context. */
void sp_finish(enum sp_exit_kind kind, int value) SP_HIDDEN;

#endif
