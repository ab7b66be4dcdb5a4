/* smartprof symbolize: the names of written profiles, looked up again. */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/markdown/markdown.h"
#include "profiles/output/output.h"

static void print_help(void)
{
	printf("usage: smartprof symbolize [FLAGS] PROFILE.md…\n\n"
	       "Looks the addresses of profiles up again and writes the profiles anew in their places, with the "
	       "functions, lines and\ninlined functions from debug files that were missing when the profiles were "
	       "written.\n\n"
	       "  --output FILE   write to FILE instead; takes one profile\n"
	       "  --no-inlines    give inlined functions no frames of their own\n" SP_SYMBOLS_HELP
	       "  --help          show this text\n\n"
	       "Exit status: 0, 1 when no more is known of a profile than before, which is then left as it is, 2 when "
	       "one\n"
	       "cannot be read or written.\n");
}

static int complain_of(const char *path, const char *why)
{
	sp_complain("symbolize: %s: %s", path, why);
	return SP_EXIT_USAGE;
}

/* The file a link leads to is the one that is replaced; whoever could not read it cannot read what replaces it. */
static int put(const char *path, const struct sp_buffer *text)
{
	char *real = realpath(path, NULL);
	mode_t mask = umask(077);
	struct stat before;
	int err;

	umask(real && stat(real, &before) == 0 ? ~before.st_mode & 0777 : mask);
	err = sp_output_put_at(real ? real : path, text);
	umask(mask);
	free(real);
	return err;
}

static int symbolize(const char *path, const char *output, const struct sp_symbolizer_options *symbols)
{
	const char *to = output ? output : path, *slash = strrchr(to, '/'), *why;
	struct sp_buffer text = {0}, anew = {0};
	uint64_t named = 0;
	int got = sp_input_read(path, &text), status = 0;

	if (got < 0)
		status = complain_of(path, sp_input_error(got));
	else if (got == SP_INPUT_SPOOL)
		status = complain_of(path, "it is a spool; smartprof report makes a profile of it");
	else if ((why = sp_markdown_again(&anew, &text, slash ? slash + 1 : to, symbols, true, NULL, &named)) != NULL)
		status = complain_of(path, why);
	else if (!named && !symbols->no_inlines && !output) {
		sp_complain("symbolize: %s: no debug file says more about its addresses; name a directory with debug "
			    "files of its build-ids by --debug-dir",
			path);
		status = 1;
	} else if ((got = put(to, &anew)) < 0)
		status = complain_of(to, strerror(-got));
	sp_buffer_free(&text);
	sp_buffer_free(&anew);
	return status;
}

int sp_cmd_symbolize(int argc, char **argv)
{
	static const struct option flags[] = {{"output", required_argument, NULL, 'o'},
		{"no-inlines", no_argument, NULL, 'n'}, SP_SYMBOLS_FLAGS, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	struct sp_symbolizer_options symbols;
	const char *output = NULL;
	int got, taken, worst = 0;

	sp_symbols_options(&symbols, true);
	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		taken = sp_symbols_flag(&symbols, got, optarg);
		if (taken < 0)
			return SP_EXIT_USAGE;
		if (got == 'o')
			output = optarg;
		else if (got == 'n')
			symbols.no_inlines = true;
		else if (!taken)
			return sp_flag_error("symbolize", got, argv, flags);
	}
	if (argc == optind || (output && argc != optind + 1)) {
		sp_complain(output ? "symbolize: --output names the file of one profile; give it only one"
				   : "symbolize: no profile given; see smartprof symbolize --help");
		return SP_EXIT_USAGE;
	}
	sp_limit_reading();
	for (int i = optind; i < argc; i++) {
		int status = symbolize(argv[i], output, &symbols);

		worst = status > worst ? status : worst;
	}
	return worst;
}
