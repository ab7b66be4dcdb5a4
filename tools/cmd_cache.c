/* smartprof cache: looks at the cache of symbols and keeps it small. */
#include "tools/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles/base/xdg.h"
#include "symbolize/cache/cache.h"

#define MB 1000000u

static void print_help(void)
{
	printf("usage: smartprof cache stats|verify|clear\n"
	       "       smartprof cache trim [--size MB] [--days N]\n\n"
	       "smartprof keeps the names, files and lines of addresses in $XDG_CACHE_HOME/smartprof/symbols.db, "
	       "or\nbelow ~/.cache, so that the next profile of the same program is rendered at once.\n\n"
	       "  stats           show what is in it\n"
	       "  verify          read all of it; exit status 1 when something is damaged\n"
	       "  clear           remove it; it is made anew when needed\n"
	       "  trim            drop what was not used for N days, then the least recently used\n"
	       "    --size MB     keep at most MB megabytes (default %llu, as on every use)\n"
	       "    --days N      drop what was not used for N days (default %u, as on every use)\n"
	       "  --help          show this text\n",
		(unsigned long long)(SP_CACHE_BYTES / MB), SP_CACHE_DAYS);
}

struct limits {
	uint64_t bytes;
	unsigned days;
};

static void print_day(const char *what, uint64_t time_s)
{
	time_t t = (time_t)time_s;
	struct tm day;
	char text[32];

	if (time_s && localtime_r(&t, &day) && strftime(text, sizeof(text), "%Y-%m-%d", &day))
		printf("%-14s %s\n", what, text);
}

static int show(const char *path, const struct limits *limits)
{
	struct sp_cache_stats stats;
	int rc = sp_cache_stats(path, &stats);

	(void)limits;
	printf("%-14s %s\n", "path", path);
	if (rc)
		return rc;
	printf("%-14s %.1f MB of at most %llu MB\n", "size", (double)stats.bytes / MB,
		(unsigned long long)(SP_CACHE_BYTES / MB));
	printf("%-14s %llu (%llu of files that have changed since)\n", "modules", (unsigned long long)stats.modules,
		(unsigned long long)stats.stale);
	printf("%-14s %llu\n", "addresses", (unsigned long long)stats.answers);
	print_day("oldest use", stats.oldest_use_s);
	print_day("last use", stats.last_use_s);
	return 0;
}

static int verify(const char *path, const struct limits *limits)
{
	struct sp_cache_stats stats;
	int rc = sp_cache_stats(path, &stats);

	(void)limits;
	if (rc)
		return rc;
	printf("%llu modules, %llu chunks, %llu damaged\n", (unsigned long long)stats.modules,
		(unsigned long long)stats.chunks, (unsigned long long)stats.damaged);
	return stats.damaged ? -EBADMSG : 0;
}

static int clear(const char *path, const struct limits *limits)
{
	(void)limits;
	return sp_cache_clear(path);
}

static int trim(const char *path, const struct limits *limits)
{
	return sp_cache_trim(path, limits->bytes, limits->days);
}

static const struct action {
	const char *name;
	int (*fn)(const char *path, const struct limits *limits); /* 0 or a negative errno */
} actions[] = {{"stats", show}, {"verify", verify}, {"clear", clear}, {"trim", trim}};

#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static int run(const struct action *action, const struct limits *limits)
{
	char path[PATH_MAX];
	int rc;

	if (sp_cache_path(path, sizeof(path), SP_CACHE_FILE) < 0) {
		sp_complain("cache: neither XDG_CACHE_HOME nor HOME is an absolute path: there is no cache");
		return 1;
	}
	rc = action->fn(path, limits);
	if (rc == -ENOENT) {
		printf("there is no cache yet\n");
		return 0;
	}
	if (rc)
		sp_complain("cache: %s: %s", path,
			rc == -EBADMSG ? "it is damaged; `smartprof cache clear` removes it" : strerror(-rc));
	return rc ? 1 : 0;
}

/* Reads a number of a flag; complains and returns 0 when it is none. */
static int get_number(const char *flag, const char *text, unsigned most, unsigned *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*number = (unsigned)value;
	if (text[0] >= '0' && text[0] <= '9' && !*end && value <= most)
		return 1;
	sp_complain("cache: %s: '%s' is not a number from 0 to %u", flag, text, most);
	return 0;
}

int sp_cmd_cache(int argc, char **argv)
{
	static const struct option flags[] = {{"size", required_argument, NULL, 's'},
		{"days", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct limits limits = {SP_CACHE_BYTES, SP_CACHE_DAYS};
	const char *names[ACTIONS], *word;
	int got, limited = 0;
	unsigned mb;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got != 's' && got != 'd')
			return sp_flag_error("cache", got, argv, flags);
		limited = 1;
		if (got == 's' ? !get_number("--size", optarg, 1000000, &mb)
			       : !get_number("--days", optarg, 36500, &limits.days))
			return SP_EXIT_USAGE;
		if (got == 's')
			limits.bytes = (uint64_t)mb * MB;
	}
	word = optind + 1 == argc ? argv[optind] : "";
	for (size_t i = 0; i < ACTIONS; i++) {
		names[i] = actions[i].name;
		if (strcmp(word, names[i]) == 0 && (!limited || actions[i].fn == trim))
			return run(&actions[i], &limits);
	}
	if (!*word || limited) {
		sp_complain("cache: give it one of stats, verify, clear and trim; only trim takes limits; see "
			    "smartprof cache --help");
		return SP_EXIT_USAGE;
	}
	return sp_complain_unknown("cache: unknown action", word, "", sp_suggest(word, names, ACTIONS),
		"smartprof cache --help");
}
