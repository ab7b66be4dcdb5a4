/* One commit of a bisection: built, and run in turns with the good one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "profiles/base/buffer.h"
#include "symbolize/base/memory.h"
#include "tools/history/bisect.h"
#include "tools/tools.h"

#define MORE_PAIRS 4 /* times as many, once, where the first were too close */

static void __attribute__((noreturn)) run_child(const char *directory, char *const words[], int output)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* it ends with a bisection that is killed */
	dup2(output >= 0 ? output : STDERR_FILENO, STDOUT_FILENO);
	umask(sp_umask_given());
	if (chdir(directory) == 0)
		execvp(words[0], words);
	sp_complain("history bisect: %s: %s", words[0], strerror(errno));
	_exit(127);
}

static char *read_line(int fd)
{
	FILE *file = fdopen(fd, "r");
	char *line = NULL;
	size_t room = 0;

	if (file && getline(&line, &room, file) > 0)
		line[strcspn(line, "\n")] = '\0';
	while (file && getc(file) != EOF)
		;
	if (file)
		fclose(file);
	return line;
}

int sp_bisect_run(const char *directory, char *const words[], char **text)
{
	int ends[2] = {-1, -1}, status = 127 << 8;
	pid_t child;

	if (text && pipe2(ends, O_CLOEXEC) < 0)
		return 127;
	child = fork();
	if (child == 0)
		run_child(directory, words, ends[1]);
	if (text) {
		close(ends[1]);
		*text = read_line(ends[0]);
	}
	if (child > 0)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (text && status) {
		free(*text);
		*text = NULL;
	}
	return status;
}

bool sp_bisect_build(const struct sp_bisect_plan *plan, const char *tree)
{
	char *directory = sp_text("%s/%s", plan->directory, tree);
	int status = *plan->build
		? sp_bisect_run(directory, (char *[]){(char *)"sh", (char *)"-c", (char *)plan->build, NULL}, NULL)
		: 0;

	free(directory);
	return status == 0;
}

/* A script that runs the command in that tree. */
static char *write_script(const struct sp_bisect_plan *plan, const char *tree)
{
	char *path = sp_text("%s/run-%s", plan->directory, tree);
	FILE *file = fopen(path, "we");

	if (file) {
		fprintf(file, "#!/bin/sh\ncd \"$(dirname \"$0\")/%s\" || exit 127\n%s\n", tree, plan->command);
		fchmod(fileno(file), 0700);
		fclose(file);
	}
	return path;
}

static double number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool read_ratio(const struct sp_bisect_plan *plan, const char *path, struct sp_bisect_ratio *ratio)
{
	json_t *root = json_load_file(path, 0, NULL);
	const json_t *row = json_object_get(json_array_get(json_object_get(root, "comparisons"), 0), plan->metric);

	*ratio = (struct sp_bisect_ratio){number_of(row, "ratio"), number_of(row, "low"), number_of(row, "high")};
	json_decref(root);
	return ratio->ratio > 0;
}

bool sp_bisect_measure(const struct sp_bisect_plan *plan, struct sp_bisect_ratio *ratio)
{
	char self[PATH_MAX], library[PATH_MAX], pairs[16], *good = write_script(plan, "good"),
							   *now = write_script(plan, "now");
	char *path = sp_text("%s/pairs.json", plan->directory);
	char *const words[] = {self, (char *)"monitor", (char *)"--output", (char *)"null", (char *)"--runs", pairs,
		(char *)"--export-json", path, good, now, NULL};
	int err = sp_library_find(self, library);
	bool measured = false;
	char *said = NULL;

	snprintf(pairs, sizeof(pairs), "%u", plan->pairs);
	unlink(path);
	setenv("SMARTPROF_HISTORY", "off", 1);
	if (err == 0 || err == -ENOENT)
		measured = sp_bisect_run(plan->directory, words, &said) == 0 && read_ratio(plan, path, ratio);
	if (!measured)
		sp_complain("history bisect: the command could not be measured: it failed, or smartprof monitor did");
	free(said);
	free(good);
	free(now);
	free(path);
	return measured;
}

/* Where the interval is on both sides of the middle, the estimate decides unless it is close to it. */
static bool is_close(const struct sp_bisect_plan *plan, const struct sp_bisect_ratio *r)
{
	bool sure = r->ratio >= plan->middle ? r->low > plan->middle : r->high < plan->middle;

	return !sure && fabs(log(r->ratio / plan->middle)) < log(plan->middle) / 3;
}

static const char *judge(const struct sp_bisect_plan *plan, const struct sp_bisect_ratio *r)
{
	bool bad = r->ratio >= plan->middle;

	if (is_close(plan, r)) {
		fprintf(stderr, "smartprof: bisect: %.3f times the good commit's, too close to %.3f to tell: skipped\n",
			r->ratio, plan->middle);
		return "skip";
	}
	fprintf(stderr, "smartprof: bisect: %.3f times the good commit's: %s\n", r->ratio, bad ? "bad" : "good");
	return bad ? "bad" : "good";
}

const char *sp_bisect_step(const struct sp_bisect_plan *plan)
{
	struct sp_bisect_plan more = *plan;
	struct sp_bisect_ratio ratio;

	if (!sp_bisect_build(plan, "now")) {
		fprintf(stderr, "smartprof: bisect: it does not build: skipped\n");
		return "skip";
	}
	more.pairs *= MORE_PAIRS;
	if (!sp_bisect_measure(plan, &ratio) || (is_close(plan, &ratio) && !sp_bisect_measure(&more, &ratio)))
		return "skip";
	return judge(plan, &ratio);
}
