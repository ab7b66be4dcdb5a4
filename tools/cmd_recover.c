/* smartprof recover: renders the spools of processes that were killed or crashed. */
#include "tools/tools.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/escape.h"
#include "profiles/output/render.h"
#include "profiles/spool/find.h"
#include "tools/push/send.h"

static void print_help(void)
{
	printf("usage: smartprof recover [--list] [--debug-dir DIR] [--debuginfod] [DIRECTORY]\n\n"
	       "Renders what was measured of processes that were killed, crashed or replaced themselves by\n"
	       "another program, and prints the path of each profile written. Looks where agents of this\n"
	       "user leave their spools, or in DIRECTORY: as root with the rights of the user who owns it.\n\n"
	       "  --list          only list such spools\n" SP_SYMBOLS_HELP "  --help          show this text\n\n"
	       "Exit status: 0; 1 when a spool could not be rendered; 2 bad usage, or a directory that cannot be "
	       "read.\n");
}

/* How to recover. */
struct mode {
	bool list;
	bool complain;      /* complain about spools that cannot be rendered */
	FILE *out;          /* for the paths of profiles; NULL: nowhere */
	const char *prefix; /* of those lines */
	pid_t only_root;    /* only what this process and its children left; 0: all */
	struct sp_ending ending;
	struct sp_symbolizer_options symbols;
};

/* The directory's name may be another user's. */
static void print_path(const struct mode *mode, const char *path)
{
	struct sp_buffer shown = {0};

	sp_escape(&shown, SP_ESCAPE_PLAIN, path, strlen(path));
	fprintf(mode->out, "%s%s\n", mode->prefix, shown.data);
	sp_buffer_free(&shown);
}

/* What came of a spool. */
struct tally {
	const struct mode *mode;
	int written, *failed;
};

static void count_one(const struct sp_spool_file *file, int err, const struct sp_render_result *result, void *context)
{
	struct tally *tally = context;
	const struct mode *mode = tally->mode;

	if (err == -EWOULDBLOCK || err == -ENOENT || err == -ECANCELED)
		return;       /* somebody else is at it, or has been */
	if (err == -EPROTO) { /* an older agent may still be writing it, and nothing is lost */
		if (mode->complain)
			sp_complain("recover: %s %s and recover it; else delete it", file->path, result->why);
		return;
	}
	if (err) {
		if (mode->complain)
			sp_complain("recover: %s %s; it is left as it is", file->path, result->why);
		++*tally->failed;
		return;
	}
	sp_push_note(result->path);
	if (mode->out && result->path[0])
		print_path(mode, result->path);
	tally->written += result->path[0] != '\0';
}

/* Returns the number of profiles, or a negative errno when the directory cannot be read. *failed
 * counts spools that could not be rendered. */
static int recover_directory(const char *directory, const struct mode *mode, int *failed)
{
	struct sp_render_options options = {
		.only_orphan = true, .only_root = mode->only_root, .ending = mode->ending, .symbols = &mode->symbols};
	struct tally tally = {mode, 0, failed};
	struct sp_spool_file *files;
	long count = sp_spool_list(&files, directory), orphans = 0;
	int err = 0;

	if (count < 0)
		return (int)count;
	if (!mode->list)
		sp_spool_clean(directory);
	for (long i = 0; i < count; i++) {
		if (!sp_spool_is_orphan(&files[i]))
			continue;
		if (mode->list)
			printf("%s\n", files[i].path);
		else
			files[orphans++] = files[i];
	}
	if (orphans)
		err = sp_render_all(files, (size_t)orphans, &options, count_one, &tally);
	sp_push_start();
	free(files);
	return err ? err : tally.written;
}

/* What somebody else has put in the place of one of this user's directories is neither read nor an error. */
static bool is_others(const char *directory, const struct mode *mode)
{
	struct stat st;

	if (lstat(directory, &st) < 0 || (S_ISDIR(st.st_mode) && st.st_uid == geteuid()))
		return false;
	if (mode->complain)
		sp_complain("recover: %s belongs to another user (%u); what is in it is left alone", directory,
			(unsigned)st.st_uid);
	return true;
}

static int recover_all(const struct mode *mode, int *failed)
{
	char directories[SP_SPOOL_DIRECTORIES][PATH_MAX];
	size_t n = sp_spool_directories(directories);
	int written = 0, err = 0;

	for (size_t i = 0; i < n; i++) {
		int got = is_others(directories[i], mode) ? 0 : recover_directory(directories[i], mode, failed);

		if (got > 0)
			written += got;
		else if (got < 0 && got != -ENOENT)
			err = got;
	}
	return written ? written : err;
}

/* Root looks at what is another user's with that user's rights, and in that user's place. */
static int become_owner(const char *directory, struct mode *mode)
{
	struct stat st;
	struct passwd *user;

	if (geteuid() != 0 || stat(directory, &st) < 0 || st.st_uid == 0)
		return 0;
	user = getpwuid(st.st_uid);
	mode->symbols.cache = NULL; /* root's is out of reach then */
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_CACHE_HOME");
	unsetenv(SP_PUSH_TOKEN_VARIABLE); /* that user can read the environment of what is started from here on */
	if ((user ? initgroups(user->pw_name, user->pw_gid) : setgroups(0, NULL)) < 0 ||
		setgid(user ? user->pw_gid : st.st_gid) < 0 || setuid(st.st_uid) < 0)
		return -errno;
	return setenv("HOME", user ? user->pw_dir : "/nonexistent", 1) < 0 ? -errno : 0;
}

int sp_recover_tree(pid_t root, const struct sp_ending *ending, int verbose)
{
	struct mode mode = {.only_root = root,
		.ending = *ending,
		.complain = verbose,
		.out = verbose ? stderr : NULL,
		.prefix = "smartprof: "};
	int failed = 0;

	sp_symbols_options(&mode.symbols, verbose);
	return recover_all(&mode, &failed);
}

int sp_cmd_recover(int argc, char **argv)
{
	static const struct option flags[] = {{"list", no_argument, NULL, 'l'}, SP_SYMBOLS_FLAGS,
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct mode mode = {.complain = true, .out = stdout, .prefix = ""};
	int got, taken, failed = 0;

	sp_symbols_options(&mode.symbols, true);
	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		taken = sp_symbols_flag(&mode.symbols, got, optarg);
		if (taken < 0)
			return SP_EXIT_USAGE;
		if (!taken && got != 'l')
			return sp_flag_error("recover", got, argv, flags);
		mode.list |= got == 'l';
	}
	if (argc - optind > 1) {
		sp_complain("recover: unexpected argument '%s'; see smartprof recover --help", argv[optind + 1]);
		return SP_EXIT_USAGE;
	}
	got = optind < argc ? become_owner(argv[optind], &mode) : 0;
	if (!got)
		got = optind < argc ? recover_directory(argv[optind], &mode, &failed) : recover_all(&mode, &failed);
	if (got < 0) {
		sp_complain("recover: %s: %s; name a directory that holds spools",
			optind < argc ? argv[optind] : "the spool directory", strerror(-got));
		return SP_EXIT_USAGE;
	}
	if (got == 0 && !failed && !mode.list)
		fprintf(stderr, "smartprof: nothing to recover\n");
	return failed ? 1 : 0;
}
