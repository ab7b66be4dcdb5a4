/* smartprof init: writes the files that put smartprof into continuous integration, hooks, containers and machines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/model/git_info.h"
#include "tools/init/init.h"
#include "tools/tools.h"

#define FILES_MOST 3

static const struct kind {
	const char *name, *summary, *next;
	bool repository; /* makes sense in one only */
	struct sp_init_file files[FILES_MOST];
} kinds[] = {
	{"github", "a GitHub workflow that measures, judges, and keeps the history",
		"Commit it, with the smartprof.toml of `smartprof check --init`, and set the repository's variable "
		"PROFILER_SOURCE to where\nsmartprof's sources can be cloned from.",
		true, {{".github/workflows/smartprof.yml", false, SP_INIT_YAML, sp_init_github, NULL}}},
	{"gitlab", "the same as a GitLab job, with JUnit and metrics reports",
		"Commit them, with the smartprof.toml of `smartprof check --init`, and set the project's variable "
		"PROFILER_SOURCE "
		"to where\nsmartprof's sources can be cloned from.",
		true,
		{{".gitlab/smartprof.yml", false, SP_INIT_YAML, sp_init_gitlab, NULL},
			{".gitlab-ci.yml", false, SP_INIT_YAML, sp_init_gitlab_ci,
				"add `- local: .gitlab/smartprof.yml` to its `include:`"}}},
	{"pre-commit", "a git hook that refuses a commit when the last runs here were surely worse",
		"It runs nothing: measure with `smartprof monitor` or `smartprof check`. git commit --no-verify goes "
		"by it.",
		true, {{"pre-commit", true, SP_INIT_SHELL, sp_init_gate_hook, NULL}}},
	{"pre-push", "the same before a push",
		"It runs nothing: measure with `smartprof monitor` or `smartprof check`. git push --no-verify goes by "
		"it.",
		true, {{"pre-push", true, SP_INIT_SHELL, sp_init_gate_hook, NULL}}},
	{"docker", "a part of a Dockerfile, with `smartprof guard` as entry point",
		"Put smartprof's sources beside it, in smartprof/, and build: docker build -f Dockerfile.smartprof .",
		false, {{"Dockerfile.smartprof", false, SP_INIT_DOCKER, sp_init_docker, NULL}}},
	{"systemd", "units: a program that is guarded, and a nightly check",
		"Look through them, copy them to /etc/systemd/system, and then:\n  systemctl daemon-reload && "
		"systemctl enable --now "
		"smartprof-guard.service smartprof-check.timer",
		false,
		{{"systemd/smartprof-guard.service", false, SP_INIT_SYSTEMD, sp_init_guard_service, NULL},
			{"systemd/smartprof-check.service", false, SP_INIT_SYSTEMD, sp_init_check_service, NULL},
			{"systemd/smartprof-check.timer", false, SP_INIT_SYSTEMD, sp_init_check_timer, NULL}}},
	{"cron", "a line for cron: a nightly check, and mail when something is worse",
		"Copy it: cp smartprof.cron /etc/cron.d/smartprof", false,
		{{"smartprof.cron", false, SP_INIT_CRON, sp_init_cron, NULL}}},
};

static const struct sp_init_file trailer = {"prepare-commit-msg", true, SP_INIT_SHELL, sp_init_trailer_hook, NULL};
static const struct sp_init_file note = {"post-commit", true, SP_INIT_SHELL, sp_init_note_hook, NULL};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct wish {
	bool print, trailer, note;
};

static void print_help(void)
{
	printf("usage: smartprof init WHAT [--print] [--trailer] [--note] [-- PROGRAM ARGUMENTS]\n\n"
	       "Writes files that put smartprof into a repository's checks, git's hooks, a container or a machine. "
	       "Nothing is "
	       "written over:\na hook that is there already is kept, and called first.\n\n");
	for (size_t i = 0; i < KINDS; i++)
		printf("  %-13s %s\n", kinds[i].name, kinds[i].summary);
	printf("\n  --print       show the files, write nothing\n"
	       "  --trailer     with a hook: also one that adds the last runs' figures to commit messages\n"
	       "  --note        with a hook: also one that keeps them as git notes (git log --notes=smartprof)\n"
	       "  --help        show this text\n\n"
	       "PROGRAM with its ARGUMENTS is what docker and systemd shall run.\n");
}

/* How such a repository is built, most often. */
static const char *find_build(void)
{
	static const struct {
		const char *file, *build;
	} builds[] = {{"CMakeLists.txt", "cmake -S . -B build && cmake --build build"},
		{"meson.build", "meson setup build && meson compile -C build"}, {"Cargo.toml", "cargo build --release"},
		{"go.mod", "go build ./..."}, {"package.json", "npm ci"}, {"configure", "./configure && make"},
		{"Makefile", "make"}, {"GNUmakefile", "make"}};

	for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++)
		if (access(builds[i].file, F_OK) == 0)
			return builds[i].build;
	return "true # your build";
}

static bool handle(const struct sp_init_file *file, const struct sp_init_facts *facts, bool print, bool several)
{
	struct sp_buffer text = {0};
	bool good = sp_init_fill(&text, file, facts);

	if (good && print) {
		if (several)
			printf("# --- %s%s\n", file->path, file->hook ? ", a hook" : "");
		fwrite(text.data, 1, text.length, stdout);
	} else if (good) {
		good = sp_init_write(file, &text);
	}
	sp_buffer_free(&text);
	return good;
}

static int make_files(const struct kind *kind, const struct wish *wish, const struct sp_init_facts *facts)
{
	bool several = kind->files[1].path || wish->trailer || wish->note, good = true;

	for (size_t i = 0; i < FILES_MOST && kind->files[i].path; i++)
		good = good && handle(&kind->files[i], facts, wish->print, several);
	if (wish->trailer)
		good = good && handle(&trailer, facts, wish->print, several);
	if (wish->note)
		good = good && handle(&note, facts, wish->print, several);
	if (good && !wish->print)
		printf("\n%s\n", kind->next);
	return good ? 0 : 1;
}

static int run(const struct kind *kind, const struct wish *wish, char **command)
{
	static char program[] = "/usr/local/bin/program", *example[] = {program, NULL};
	char here[PATH_MAX], root[PATH_MAX], self[PATH_MAX], library[PATH_MAX];
	struct sp_init_facts facts = {.repository = root, .smartprof = self, .command = *command ? command : example};
	int err;

	if (!getcwd(here, sizeof(here)) || ((err = sp_library_find(self, library)) && err != -ENOENT)) {
		sp_complain("init: this directory or smartprof's own path cannot be found out");
		return 1;
	}
	if (!sp_git_root(here, root, sizeof(root))) {
		if (kind->repository) {
			sp_complain(
				"init: %s belongs into a git repository, and there is none here; git init makes one",
				kind->name);
			return 1;
		}
		strcpy(root, here);
	}
	if (chdir(root) < 0) {
		sp_complain("init: %s: %m", root);
		return 1;
	}
	facts.build = find_build();
	return make_files(kind, wish, &facts);
}

int sp_cmd_init(int argc, char **argv)
{
	static const struct option flags[] = {{"print", no_argument, NULL, 'p'}, {"trailer", no_argument, NULL, 't'},
		{"note", no_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *names[KINDS];
	struct wish wish = {0};
	int got, index;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", flags, NULL)) != -1) {
		if (got == 'h') {
			print_help();
			return 0;
		}
		if (got != 'p' && got != 't' && got != 'n')
			return sp_flag_error("init", got, argv, flags);
		*(got == 'p' ? &wish.print : got == 't' ? &wish.trailer : &wish.note) = true;
	}
	if (optind == argc) {
		sp_complain("init: say what; see smartprof init --help");
		return SP_EXIT_USAGE;
	}
	for (size_t i = 0; i < KINDS; i++)
		names[i] = kinds[i].name;
	if (sp_word_parse("init: unknown target", argv[optind], names, KINDS, &index))
		return SP_EXIT_USAGE;
	if ((wish.trailer || wish.note) && !kinds[index].files[0].hook) {
		sp_complain("init: --trailer and --note go with pre-commit and pre-push");
		return SP_EXIT_USAGE;
	}
	return run(&kinds[index], &wish, argv + optind + 1);
}
