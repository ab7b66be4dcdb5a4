/* smartprof top: shows what a process does, while it does it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiles/spool/find.h"
#include "profiles/spool/read.h"
#include "tools/live.h"
#include "tools/tools.h"
#include "tools/top/top.h"
#include "tools/top/list.h"

static void print_help(void)
{
	printf("usage: smartprof top [FLAGS] [PID|PROGRAM|SPOOL]\n\n"
	       "Shows what a process does, anew each second: its functions or lines, its threads, the sites its heap "
	       "grows "
	       "by.\n"
	       "The process takes no part in it and notices nothing; it may hang, be stopped, or be dead. Without a "
	       "process\n"
	       "those that are being profiled are shown to choose from.\n\n"
	       "  -b              write each refresh as text to standard output\n"
	       "  --json          write each refresh as a line of JSON to standard output\n"
	       "  -n N            end after N refreshes\n"
	       "  -d SECONDS      refresh each so many seconds (1; 0.1 to 3600)\n" SP_SYMBOLS_HELP
	       "  --help          show this text\n\n"
	       "On the screen ? shows the keys. What ± says is half of the 95 %% interval; figures that are no larger "
	       "than\n"
	       "that are grey.\n");
}

struct wish {
	bool batch, json;
	struct sp_top_pace pace;
	struct sp_symbolizer_options symbols;
};

/* --- without the screen ------------------------------------------------------------------------- */

static int put(struct sp_buffer *out)
{
	int err = sp_buffer_write(out, STDOUT_FILENO);

	sp_buffer_clear(out);
	if (err < 0)
		sp_complain("top: standard output: %s", strerror(-err));
	return err < 0 ? 1 : 0;
}

static void rest(double seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)seconds;
	until.tv_nsec += (long)(fmod(seconds, 1) * 1e9);
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!sp_live_is_interrupted() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static int put_refreshes(struct sp_top *top, const struct wish *wish)
{
	struct sp_buffer out = {0};
	const char *why = "";
	int status = 0;

	sp_live_catch();
	for (unsigned long n = 0; !status && (!wish->pace.count || n < wish->pace.count); n++) {
		if (n && sp_top_has_ended(top))
			break;
		if (!sp_top_has_ended(top))
			rest(wish->pace.seconds);
		if (sp_live_is_interrupted())
			break;
		if (!sp_top_refresh(top, &why)) {
			sp_complain("top: the spool %s", why);
			status = SP_EXIT_USAGE;
			break;
		}
		if (wish->json)
			sp_top_put_json(&out, top);
		else
			sp_top_put_text(&out, top);
		status = put(&out);
	}
	sp_buffer_free(&out);
	return status;
}

/* --- which process ------------------------------------------------------------------------------ */

static int show_open(int fd, const char *what, struct wish *wish)
{
	const char *why = "";
	struct sp_top *top = sp_top_new(fd, &wish->symbols, &why);
	int status;

	if (!top) {
		sp_complain("top: %s: %s; give it a process, or the spool of one", what, why);
		return SP_EXIT_USAGE;
	}
	status = wish->batch || wish->json ? put_refreshes(top, wish) : sp_top_show(top, &wish->pace);
	sp_top_free(top);
	return status;
}

/* What nothing can happen in any more, and is whole, is for report. */
static bool is_over(int fd, const char *what)
{
	struct sp_snapshot peek = {0};
	const char *why;
	bool over = false;

	if (sp_snapshot_peek(&peek, fd, &why) == 0 && peek.header.snapshot_ns) {
		sp_complain("top: %s: it is a snapshot, in which nothing more happens; smartprof report %s shows it",
			what, what);
		over = true;
	}
	sp_snapshot_free(&peek);
	return over;
}

static int show(const char *what, struct wish *wish)
{
	char path[PATH_MAX];
	int fd, status = sp_live_find("top", what, path);

	if (status)
		return status;
	fd = sp_spool_open(path);
	if (fd < 0) {
		sp_complain("top: %s: %s; give it a process, or the spool of one", what, strerror(-fd));
		return SP_EXIT_USAGE;
	}
	status = is_over(fd, what) ? SP_EXIT_USAGE : show_open(fd, what, wish);
	close(fd);
	return status;
}

static int choose(const struct sp_top_listed *list, size_t count)
{
	char **lines;
	int chosen;

	if (count == 1)
		return 0;
	lines = calloc(count, sizeof(*lines));
	if (!lines)
		return -1;
	for (size_t i = 0; i < count; i++)
		lines[i] = list[i].line;
	chosen = sp_top_choose(sp_top_list_title, lines, count);
	free(lines);
	return chosen;
}

static int show_some(struct wish *wish)
{
	struct sp_top_listed *list;
	struct sp_buffer out = {0};
	size_t count = sp_top_list(&list);
	int chosen, status = 0;

	if (wish->batch || wish->json) {
		sp_top_list_put(&out, list, count, wish->json);
		status = put(&out);
	} else if (!count) {
		sp_complain("top: no process of yours is being profiled; start one by smartprof run, or with "
			    "LD_PRELOAD=" SP_LIBRARY);
		status = SP_EXIT_USAGE;
	} else {
		chosen = choose(list, count);
		status = chosen >= 0 ? show(list[chosen].path, wish) : chosen == -1 ? 0 : SP_EXIT_USAGE;
	}
	sp_buffer_free(&out);
	sp_top_list_free(list, count);
	return status;
}

/* --- flags -------------------------------------------------------------------------------------- */

static int parse_count(const char *text, unsigned long *count)
{
	size_t digits = strspn(text, "0123456789");

	*count = digits && digits < 10 && !text[digits] ? strtoul(text, NULL, 10) : 0;
	if (*count)
		return 0;
	sp_complain("top: -n: '%s' is not a number of refreshes; give it 1 to 999999999", text);
	return SP_EXIT_USAGE;
}

static int parse_delay(const char *text, double *seconds)
{
	char *end;

	*seconds = text[0] >= '0' && text[0] <= '9' && !strpbrk(text, "xXeE") ? strtod(text, &end) : 0;
	if (*seconds >= 0.1 && *seconds <= 3600 && !*end)
		return 0;
	sp_complain("top: -d: '%s' is not a time; give it 0.1 to 3600 seconds", text);
	return SP_EXIT_USAGE;
}

static int parse_flag(int got, char **argv, const struct option *flags, struct wish *wish)
{
	int taken = sp_symbols_flag(&wish->symbols, got, optarg);

	if (taken)
		return taken < 0 ? SP_EXIT_USAGE : 0;
	switch (got) {
	case 'b':
		wish->batch = true;
		return 0;
	case 'j':
		wish->json = true;
		return 0;
	case 'n':
		return parse_count(optarg, &wish->pace.count);
	case 'd':
		return parse_delay(optarg, &wish->pace.seconds);
	default:
		return sp_flag_error("top", got, argv, flags);
	}
}

int sp_cmd_top(int argc, char **argv)
{
	static const struct option flags[] = {{"json", no_argument, NULL, 'j'}, SP_SYMBOLS_FLAGS,
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct wish wish = {.pace = {.seconds = 1}};
	int got, status;

	sp_symbols_options(&wish.symbols, 0);
	opterr = 0;
	while ((got = getopt_long(argc, argv, ":bn:d:h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		status = parse_flag(got, argv, flags, &wish);
		if (status)
			return status;
	}
	if (argc - optind > 1) {
		sp_complain("top: give it one process id, program or spool; see smartprof top --help");
		return SP_EXIT_USAGE;
	}
	sp_limit_memory();
	return optind < argc ? show(argv[optind], &wish) : show_some(&wish);
}
