/* smartprof snapshot: keeps what a process has done so far. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "profiles/spool/marks.h"
#include "tools/live.h"
#include "tools/snapshots.h"
#include "tools/tools.h"

static void print_help(void)
{
	printf("usage: smartprof snapshot [--name NAME] [--output FILE] PID|PROGRAM|SPOOL\n\n"
	       "Writes what a process has done so far to a file, and prints the file's name. The process takes no "
	       "part\nin it and notices nothing; it may hang, be stopped, or be dead. A snapshot has all that the "
	       "profile\n"
	       "of that moment is made of.\n\n"
	       "  --name NAME     call it NAME, so that PID@NAME means it; without, its name is the time\n"
	       "  --output FILE   write it to FILE\n"
	       "  --help          show this text\n\n"
	       "smartprof report PID@NAME             the profile of that moment\n"
	       "smartprof report --since NAME PID     what happened since\n"
	       "smartprof compare PID@A PID@B         what happened between: CPU time, and what the heap grew by\n\n"
	       "Snapshots are kept in $XDG_STATE_HOME/smartprof/snapshots, for this user to read, until they are "
	       "removed.\n");
}

struct wish {
	const char *name, *output;
};

static const char *reason(int err)
{
	return err == -EEXIST                      ? "it is there already; choose another name, or remove it"
		: err == -ENOSPC || err == -EDQUOT ? "there is no room for it; nothing was written"
						   : strerror(-err);
}

static int save(const struct sp_snapshot *snapshot, const struct wish *wish)
{
	char path[PATH_MAX], now[32];
	time_t seconds = time(NULL);
	struct tm tm;
	int err;

	if (!localtime_r(&seconds, &tm) || !strftime(now, sizeof(now), "%Y%m%d-%H%M%S", &tm))
		snprintf(now, sizeof(now), "%lld", (long long)seconds);
	if (wish->output)
		err = snprintf(path, sizeof(path), "%s", wish->output) < (int)sizeof(path) ? 0 : -ENAMETOOLONG;
	else
		err = sp_snapshot_path(path, &snapshot->header, wish->name ? wish->name : now);
	if (!err)
		err = sp_snapshot_save(snapshot, path);
	if (err) {
		sp_complain("snapshot: %s: %s", path, reason(err));
		return 1;
	}
	sp_make_inert(path);
	printf("%s\n", path);
	return 0;
}

static int take(const char *what, const struct wish *wish)
{
	struct sp_snapshot snapshot = {0};
	char path[PATH_MAX];
	int status = sp_live_find("snapshot", what, path);

	if (!status)
		status = sp_snapshot_load("snapshot", path, &snapshot);
	if (!status)
		status = save(&snapshot, wish);
	sp_snapshot_free(&snapshot);
	return status;
}

int sp_cmd_snapshot(int argc, char **argv)
{
	static const struct option flags[] = {{"name", required_argument, NULL, 'n'},
		{"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct wish wish = {0};
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		switch (got) {
		case 'h':
			print_help();
			return 0;
		case 'n':
			wish.name = optarg;
			break;
		case 'o':
			wish.output = optarg;
			break;
		default:
			return sp_flag_error("snapshot", got, argv, flags);
		}
	}
	if (argc - optind != 1) {
		sp_complain("snapshot: give it one process id, program or spool; see smartprof snapshot --help");
		return SP_EXIT_USAGE;
	}
	if (wish.name && !sp_name_is_plain(wish.name, SP_SNAPSHOT_NAME_MAX)) {
		sp_complain("snapshot: --name: '%s' is not a name; use up to %u letters, digits, -, _ and +", wish.name,
			SP_SNAPSHOT_NAME_MAX);
		return SP_EXIT_USAGE;
	}
	sp_limit_reading();
	return take(argv[optind], &wish);
}
