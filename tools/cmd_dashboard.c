/* smartprof dashboard: the history as a page, in a file or served. */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/html/html.h"
#include "tools/dashboard/board.h"
#include "tools/dashboard/serve.h"
#include "tools/history/history.h"

enum { FLAG_OUTPUT = 1000, FLAG_SERVE, FLAG_REMOTE };

static const struct option flags[] = {
	{"output", required_argument, NULL, FLAG_OUTPUT},
	{"serve", optional_argument, NULL, FLAG_SERVE},
	{"allow-remote", no_argument, NULL, FLAG_REMOTE},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void print_help(void)
{
	printf("usage: smartprof dashboard [--output FILE|DIRECTORY]\n"
	       "       smartprof dashboard --serve [ADDRESS] [--allow-remote]\n\n"
	       "Shows the history as one page: every command with its trend, change points with the commits and "
	       "functions\n"
	       "behind them, branches and machines side by side, single runs over time. The page is one file that "
	       "needs\n"
	       "nothing else and asks nobody for anything.\n\n"
	       "  --output PATH      write it to PATH, or to index.html in that directory; without this it is\n"
	       "                     dashboard.html beside the history\n"
	       "  --serve [ADDRESS]  serve it instead, to read, and let it follow the history: PORT, HOST:PORT or\n"
	       "                     [HOST]:PORT, of this machine alone; without ADDRESS 127.0.0.1:%d, port 0 is any "
	       "free one\n"
	       "  --allow-remote     let ADDRESS be one that other machines reach; whoever reaches it can read the "
	       "history\n"
	       "  --help             show this text\n\n"
	       "The history is where SMARTPROF_HISTORY says, else in .smartprof of the repository.\n",
		SP_SERVE_PORT);
}

struct request {
	const char *output, *address;
	bool serve, remote;
};

/* What is served, until the history changes. */
struct source {
	char path[PATH_MAX];
	struct stat seen[2];
	struct sp_buffer data;
};

/* Returns -1 to go on, else the exit status. */
static int parse_flags(int argc, char **argv, struct request *r)
{
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got == '?' || got == ':')
			return sp_flag_error("dashboard", got, argv, flags);
		if (got == FLAG_OUTPUT)
			r->output = optarg;
		r->remote = r->remote || got == FLAG_REMOTE;
		if (got != FLAG_SERVE)
			continue;
		r->serve = true;
		r->address = optarg ? optarg : optind < argc && argv[optind][0] != '-' ? argv[optind++] : NULL;
	}
	if (optind < argc) {
		sp_complain("dashboard: '%s' is not understood; see smartprof dashboard --help", argv[optind]);
		return SP_EXIT_USAGE;
	}
	if (!r->serve || !r->output)
		return -1;
	sp_complain("dashboard: --serve writes no file; leave --output away, or run it without --serve");
	return SP_EXIT_USAGE;
}

static void look(const char *path, struct stat seen[static 2])
{
	char log[PATH_MAX + 8];

	memset(seen, 0, 2 * sizeof(*seen));
	snprintf(log, sizeof(log), "%s-wal", path);
	(void)!stat(path, &seen[0]);
	(void)!stat(log, &seen[1]);
	if (!seen[1].st_size) /* those who read make an empty one and remove it */
		memset(&seen[1], 0, sizeof(seen[1]));
}

/* Returns 0, or 1 after a complaint. */
static int read_board(struct source *source)
{
	struct sp_history *store;
	int status = sp_history_open_here("dashboard", SP_HISTORY_READ, &store);

	if (status)
		return status;
	snprintf(source->path, sizeof(source->path), "%s", sp_history_path(store));
	look(source->path, source->seen); /* before it is read: what comes meanwhile is read next time */
	status = sp_board_write(&source->data, store) ? sp_history_complain("dashboard", sp_history_error(store)) : 0;
	sp_history_close(store);
	return status;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static const struct sp_buffer *current_data(void *context)
{
	struct source *source = context;
	struct stat now[2];

	look(source->path, now);
	if (source->data.length && is_same(&now[0], &source->seen[0]) && is_same(&now[1], &source->seen[1]))
		return &source->data;
	sp_buffer_clear(&source->data);
	return read_board(source) ? NULL : &source->data;
}

static int serve(const struct request *r, struct source *source)
{
	struct sp_serve_address address;

	if (!sp_serve_parse(&address, r->address)) {
		sp_complain("dashboard: --serve: '%s' is no address; allowed: PORT, 127.0.0.1:PORT, localhost:PORT, "
			    "[::1]:PORT",
			r->address);
		return SP_EXIT_USAGE;
	}
	if (!address.loopback && !r->remote) {
		sp_complain("dashboard: --serve: other machines could read the history at %s; say --allow-remote if "
			    "they are to",
			r->address);
		return SP_EXIT_USAGE;
	}
	sp_limit_memory();
	return current_data(source) ? sp_serve(&address, current_data, source) : 1;
}

/* Where the page goes. */
static void place_output(char target[static PATH_MAX], const char *output, const char *history)
{
	const char *slash = strrchr(history, '/');
	struct stat st;

	if (!output)
		snprintf(target, PATH_MAX, "%.*sdashboard.html", slash ? (int)(slash - history) + 1 : 0, history);
	else if ((stat(output, &st) == 0 && S_ISDIR(st.st_mode)) || (*output && output[strlen(output) - 1] == '/'))
		snprintf(target, PATH_MAX, "%s/index.html", output);
	else
		snprintf(target, PATH_MAX, "%s", output);
}

static int write_page(const struct request *r, struct source *source)
{
	struct sp_buffer page = {0};
	char target[PATH_MAX];
	int status;

	if (!current_data(source))
		return 1;
	place_output(target, r->output, source->path);
	if (!r->output)
		umask(077); /* as private as what it shows */
	sp_html_board(&page, &source->data, 0);
	status = sp_write_output("dashboard", target, &page, O_TRUNC) ? SP_EXIT_USAGE : 0;
	if (!status)
		printf("dashboard: %s\n", target);
	sp_buffer_free(&page);
	return status;
}

int sp_cmd_dashboard(int argc, char **argv)
{
	struct request r = {0};
	struct source source = {.path = ""};
	int status = parse_flags(argc, argv, &r);

	if (status >= 0)
		return status;
	if (!r.serve)
		sp_limit_reading();
	status = r.serve ? serve(&r, &source) : write_page(&r, &source);
	sp_buffer_free(&source.data);
	return status;
}
