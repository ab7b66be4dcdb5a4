/* The `smartprof` command: one function and one file per subcommand, and what they share.
 *
 * A command gets its own name as argv[0] and returns the exit status: 0; 1 for a failure; 2 for
 * bad usage or unreadable input. Complaints are one line on stderr:
 * "smartprof: <what>: <why>; <what to do>". Every command answers --help. */
#ifndef SP_TOOLS_TOOLS_H
#define SP_TOOLS_TOOLS_H

#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "symbolize/symbolize.h"

#ifndef SP_VERSION
#define SP_VERSION "unknown"
#endif

#define SP_EXIT_USAGE 2

/* The kind of processor that the command and its agent are for: ELF's number, the kernel's name, ours, and Debian's for places. */
#if defined(__aarch64__)
#define SP_OWN_ELF_MACHINE EM_AARCH64
#define SP_OWN_MACHINE "aarch64"
#define SP_OWN_MACHINE_TEXT "aarch64"
#define SP_OWN_PLACE "aarch64-linux-gnu"
#else
#define SP_OWN_ELF_MACHINE EM_X86_64
#define SP_OWN_MACHINE "x86_64"
#define SP_OWN_MACHINE_TEXT "x86-64"
#define SP_OWN_PLACE "x86_64-linux-gnu"
#endif

struct sp_buffer;
struct sp_where;
struct sp_file;
struct sp_option_row;

int sp_cmd_run(int argc, char **argv);
int sp_cmd_config(int argc, char **argv);
int sp_cmd_report(int argc, char **argv);
int sp_cmd_validate(int argc, char **argv);
int sp_cmd_snapshot(int argc, char **argv);
int sp_cmd_guard(int argc, char **argv);
int sp_cmd_monitor(int argc, char **argv);
int sp_cmd_push(int argc, char **argv);
int sp_cmd_history(int argc, char **argv);
int sp_cmd_summary(int argc, char **argv);
int sp_cmd_list(int argc, char **argv);
int sp_cmd_insights(int argc, char **argv);
int sp_cmd_dashboard(int argc, char **argv);
int sp_cmd_top(int argc, char **argv);
int sp_cmd_fleet(int argc, char **argv);
int sp_cmd_where(int argc, char **argv);
int sp_cmd_ctl(int argc, char **argv);
int sp_cmd_log(int argc, char **argv);
int sp_cmd_attach(int argc, char **argv);
int sp_cmd_detach(int argc, char **argv);
int sp_cmd_recover(int argc, char **argv);
int sp_cmd_cache(int argc, char **argv);
int sp_cmd_init(int argc, char **argv);
int sp_cmd_compare(int argc, char **argv);
int sp_cmd_baseline(int argc, char **argv);
int sp_cmd_check(int argc, char **argv);
int sp_cmd_symbolize(int argc, char **argv);
int sp_cmd_finish(int argc, char **argv);
int sp_cmd_write_log(int argc, char **argv);
int sp_cmd_send_outbox(int argc, char **argv);

int sp_cmd_complete(int argc, char **argv);

/* Completion: a command that is given the first as a flag prints all its flags, one that is given the second as a flag's value
 * prints that flag's values, and does nothing else. Each word by sp_completion_put. */
#define SP_COMPLETE_FLAGS "--complete-flags"
#define SP_COMPLETE_VALUES "--complete-values"
void sp_completion_put(const char *word);

/* In main.c: the function of a command, NULL: there is none; puts the names of all, and of the topics. */
typedef int sp_command_fn(int argc, char **argv);
sp_command_fn *sp_command_find(const char *name);
void sp_commands_put(bool topics);

/* What `smartprof help` explains besides commands. false: no such topic. sp_topic_name: NULL behind the last. */
bool sp_topic_print(const char *name);
void sp_topics_list(FILE *out);
const char *sp_topic_name(size_t index);

/* Puts the names that --allocator takes. */
void sp_allocators_put(void);

/* Renders what the process `root` and the processes it started have left behind. verbose: a line on stderr per profile written.
 * Returns the number of profiles, or a negative errno. In cmd_recover.c. */
struct sp_ending;
int sp_recover_tree(pid_t root, const struct sp_ending *ending, int verbose);

/* How to symbolize by the settings, with the cache. complain: warn on stderr when that cannot be used. */
void sp_symbols_options(struct sp_symbolizer_options *options, int complain);

/* The flags about symbols of a command: in its table, in its help, and when it got one. The last returns
 * 1 when it was one of them, 0 when not, -1 after a complaint. */
#define SP_FLAG_DEBUG_DIR 1000
#define SP_FLAG_DEBUGINFOD 1001
#define SP_SYMBOLS_FLAGS \
	{"debug-dir", required_argument, NULL, SP_FLAG_DEBUG_DIR}, \
	{ \
		"debuginfod", no_argument, NULL, SP_FLAG_DEBUGINFOD \
	}
#define SP_SYMBOLS_HELP \
	"  --debug-dir DIR look for separate debug files in DIR too, before /usr/lib/debug\n" \
	"  --debuginfod    fetch missing debug files from the servers in DEBUGINFOD_URLS, a minute at most\n"
int sp_symbols_flag(struct sp_symbolizer_options *options, int got, const char *value);

/* Appends the file's content, at most 64 MB; of a spool nothing. Returns 0, SP_INPUT_SPOOL, or a negative
 * errno. */
#define SP_INPUT_SPOOL 1
int sp_input_read(const char *path, struct sp_buffer *text);

bool sp_input_is_spool(const char *path);

/* The paths of the profiles in a directory, in order of their names; latest.md and indexes are none. Negative: the directory
 * cannot be listed. */
long sp_input_list(const char *directory, char ***paths);

/* A file of /proc that one read gets, whose path is printed. Its length, else a negative errno; text is "" then. */
long sp_proc_read(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For how many nanoseconds a thread has not been on a CPU, time that a hypervisor took left out; SP_WAITED_UNKNOWN where the
 * kernel does not tell, or where this command may not run on the CPU the thread was on. From /proc/PID/task/TID/sched. */
#define SP_WAITED_UNKNOWN UINT64_MAX
uint64_t sp_waited_ns(int pid, int tid);

/* Waits, a minute at the most, until no profile is being rendered any more into the directory `path`, that of a latest.md,
 * or the file; with `below`, into those of the environments in that directory. Says so of `what` on stderr after a second. */
void sp_await_profiles(const char *command, const char *what, const char *path, bool below);

/* The directories in `directory` that have a latest.md: those of its environments. */
size_t sp_input_below(const char *directory, char ***directories);

/* Frees what sp_input_list and sp_input_below gave. */
void sp_input_free(char **paths, size_t count);

/* Calls fn for each profile in a directory, or, where it has none, in those of environments in it; with a phrase in `why` for a
 * directory that has nothing. */
typedef void sp_input_fn(void *context, const char *path, const char *why);
void sp_input_each(const char *directory, sp_input_fn *fn, void *context);

/* Whether a name is that of a directory, a profile or a spool here, and not of the program that was profiled, say. */
bool sp_input_is_meant(const char *path);

/* A profile by something else than its path: a process's id (its own or its parent's), a program's name, `latest`; where
 * such a file exists (sp_input_is_meant), or nothing is found, it is `what` itself. Looked for where profiles go to from here, once nothing is
 * being rendered into them, nor into what is found: sp_await_profiles. */
const char *sp_input_named(const char *command, const char *what, char path[static PATH_MAX]);

/* The newest latest.md in a directory, or in those below it; of NULL, where profiles go to from here. */
bool sp_profile_latest(const char *directory, char path[static PATH_MAX]);

/* The profile of a process, else of one that it started, else its index, not older than `since`. */
struct timespec;
bool sp_profile_of_pid(int pid, const struct timespec *since, char path[static PATH_MAX]);

/* The index of the run whose first process that was, in this directory. */
bool sp_profile_index(const char *directory, int pid, char path[static PATH_MAX]);

/* What such an errno means, a phrase. */
const char *sp_input_error(int err);

/* Writes the text to the file, opened with `how` (O_TRUNC or O_APPEND), or with path NULL to standard output. Returns
 * 0, or a negative errno after a complaint that names the command. */
int sp_write_output(const char *command, const char *path, const struct sp_buffer *text, int how);

/* Whether profiles can go to that directory: it, or the nearest one above that exists, can be written to. Sets
 * errno where not. */
bool sp_can_write(const char *path);

/* From here on files and directories that this process makes are their owner's to use and to change, and nobody
 * else's to change; whether others may read them is for the umask it was started with. */
void sp_set_umask(void);

/* The one it was started with, which is that of the commands it runs for its user. */
mode_t sp_umask_given(void);

/* Lowers a limit of this process, never raises it. */
void sp_limit(int resource, rlim_t most);

/* Limits this process to what reading any profile or spool takes: 4 GB, and two minutes of CPU time. At the end of
 * either it says so and exits with SP_EXIT_USAGE, as for any input that cannot be read: 1 is an answer of compare
 * and validate. */
void sp_limit_reading(void);

/* The memory's of these alone, for what goes on until it is told to stop. */
void sp_limit_memory(void);

/* The same limits for rendering in a process of its own, which says nothing when it ends by them. */
void sp_limit_rendering(void);

struct sp_render_options;
struct sp_render_result;

/* Where memory is short the program and what runs beside it come before this process, which renders: what it renders can
 * wait. It takes half of the memory at the most, and the OOM killer takes it first. */
void sp_yield_memory(void);

/* sp_render_spool of each, several at a time, in child processes with these limits, which are ended, too, when they wait for
 * something for 10 s (-ETIMEDOUT; -EFBIG: one came to a limit). `each` is told how it went, in any order; what it gets
 * is valid during the call. Returns 0, or a negative errno when nothing could be begun. */
struct sp_spool_file;
typedef void sp_rendered_fn(const struct sp_spool_file *file, int err, const struct sp_render_result *result,
	void *context);
int sp_render_all(const struct sp_spool_file *files, size_t count, const struct sp_render_options *options,
	sp_rendered_fn *each, void *context);

/* Prints "smartprof: " and the message and a newline to stderr. */
/* Names of files may be anybody's, and the terminal is the reader's: control characters become '?'. */
void sp_make_inert(char *text);
void sp_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The word's index among the `count` known ones; or complains, with the nearest known one or with all of them, and
 * returns SP_EXIT_USAGE. */
int sp_word_parse(const char *what, const char *word, const char *const *words, size_t count, int *index);

/* Complains about a word that is not known: with the nearest known one (meant, after `dashes`), or
 * where meant is NULL with the place to look. Returns SP_EXIT_USAGE. */
int sp_complain_unknown(const char *what, const char *word, const char *dashes, const char *meant, const char *see);

/* For the '?' and ':' of a getopt_long() that ran with opterr = 0 and an optstring starting with
 * ':' (after '+', if there is one): complains about the flag, naming the nearest one that exists.
 * Returns SP_EXIT_USAGE. */
int sp_flag_error(const char *command, int got, char **argv, const struct option *flags);

/* Flags of a command that has none but --help, whose text this is; `shorts` as of getopt_long. Returns -1 to go on, with the words from
 * optind on, else the exit status. */
int sp_only_help(const char *command, const char *shorts, int argc, char **argv, const char *help);

/* The candidate that `word` was probably meant to be, or NULL. */
const char *sp_suggest(const char *word, const char *const *candidates, size_t count);

/* Prints one aligned line of --help per setting that has a flag. */
void sp_settings_help(void);

/* Validates `value` for row `option` of the table and, if it is fine, sets the row's variable in
 * our environment, marked as coming from the command line. Else complains about `flag` and
 * returns SP_EXIT_USAGE. option: enum sp_option. */
int sp_settings_set(int option, const char *flag, const char *value);

/* Complains about every setting in the environment and in the settings file that has an invalid
 * value or an unknown name; returns how many there were. */
int sp_settings_check(void);

/* This process's place and environment, and the settings file it gives: read at the first call. */
const struct sp_where *sp_settings_where(void);

/* A name from the working directory as a path from the root; false: too long, or that directory is gone. */
bool sp_absolute(char path[static PATH_MAX], const char *name);
const struct sp_file *sp_settings_file(void);

/* What a setting may be: "10 us to 1000000 us", "on, off". */
void sp_allowed_text(const struct sp_option_row *row, char *text, size_t size);

/* Finds the path of the running command and, beside it as built or as installed, that of the agent:
 * both PATH_MAX bytes. 0; -ENOENT: no agent there; -EINVAL: LD_PRELOAD cannot express its path; or
 * another negative errno: nothing tells where the command is. */
#define SP_LIBRARY "libsmartprof.so"
int sp_library_find(char *self, char *library);

/* For `run --allocator`: the path (PATH_MAX bytes) of the library of jemalloc, tcmalloc or mimalloc; empty
 * for `system`, the C library's. 0; or complains, about the name or that it is not installed, and returns
 * SP_EXIT_USAGE. */
int sp_allocator_find(const char *name, char *path);

/* LD_PRELOAD with that library in front (path may be empty) and without any other allocator's. list: the
 * value so far, or NULL. To be freed; NULL: no memory. */
char *sp_allocator_preload(const char *list, const char *path);

/* What a command line would start. */
enum sp_target_kind {
	SP_TARGET_FINE,       /* the agent will be loaded, or nothing speaks against it */
	SP_TARGET_STATIC,     /* no dynamic loader */
	SP_TARGET_PRIVILEGED, /* setuid, setgid or file capabilities: the loader ignores LD_PRELOAD */
	SP_TARGET_32BIT,
	SP_TARGET_OTHER_MACHINE, /* ELF, but not for this kind of processor */
	SP_TARGET_OTHER_LIBC,    /* its loader is not glibc's */
	SP_TARGET_NOT_ELF,
};

struct sp_target {
	enum sp_target_kind kind;
	int is_script;
	char path[PATH_MAX];    /* the file to execute */
	char program[PATH_MAX]; /* the file that will be the process's program: `path`, or a script's interpreter */
};

/* Looks `name` up as execvp() would and inspects what it finds. Returns 0, -ENOENT (no such
 * program) or another negative errno (-EACCES: not executable). */
int sp_target_find(struct sp_target *target, const char *name);

/* Why there will be no profile: a phrase, or NULL for SP_TARGET_FINE. */
const char *sp_target_obstacle(const struct sp_target *target);

/* Whether LD_PRELOAD may be handed on: not where the loader would complain about the agent to the
 * program's stderr, or refuse to start it. */
int sp_target_preloadable(const struct sp_target *target);

#endif
