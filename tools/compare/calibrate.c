/* smartprof compare --calibrate: how much identical runs of a program differ. */
#include "tools/compare/compare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/base/directory.h"
#include "profiles/compare/noise.h"
#include "profiles/output/output.h"
#include "tools/tools.h"

#define RUNS_LEAST 3u

/* Returns the exit status, 128 and the signal, or 127 for no process. */
static int wait_for(pid_t pid)
{
	int status;

	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return pid < 0 ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* `smartprof run` with the profile in that file. Returns the status as above. */
static int run_once(char **argv, const char *output)
{
	pid_t pid = fork();

	if (pid == 0) {
		size_t count = 0;
		char **command;

		while (argv[count])
			count++;
		command = sp_alloc(count + 4, sizeof(*command));
		command[0] = "smartprof";
		command[1] = "run";
		command[2] = "--";
		memcpy(command + 3, argv, count * sizeof(*argv));
		setenv("SMARTPROF_OUTPUT", output, 1);
		execv("/proc/self/exe", command);
		_exit(127);
	}
	return wait_for(pid);
}

static void remove_all(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(directory);
}

/* profiles/<environment>/ as the runs would have used it. */
static int make_directory(const struct sp_profile *profile, char *path)
{
	const char *environment = sp_profile_fact(profile, "environment");
	struct sp_value dir;
	bool made;
	int fd;

	sp_value_load(&dir, SP_OPT_DIR, environ, sp_settings_file());
	snprintf(path, PATH_MAX, "%s/%s", dir.text && *dir.text ? dir.text : "profiles",
		environment ? environment : "development");
	fd = sp_directory_open(path, &made);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int write_noise(const struct sp_noise *noise, const struct sp_profile *profile)
{
	char directory[PATH_MAX], path[PATH_MAX];
	int error = make_directory(profile, directory);
	struct sp_buffer text = {0};
	char *json;

	if (!error) {
		sp_noise_path(path, directory, profile);
		json = sp_noise_text(noise);
		sp_buffer_puts(&text, json ? json : "{}");
		sp_buffer_puts(&text, "\n");
		free(json);
		error = sp_output_put_at(path, &text);
	}
	sp_buffer_free(&text);
	if (error) {
		sp_complain("compare: the noise file cannot be written to %s: %s", directory, strerror(-error));
		return 1;
	}
	printf("%s: from %u runs, the totals of one run differ by (standard deviation)", path, noise->runs);
	for (unsigned m = 0; m < SP_GATING; m++)
		if (noise->metrics[m] >= 0)
			printf("%s %s %.1f %%", m ? "," : "", sp_metric_info[m].name, 100 * noise->metrics[m]);
	printf(".\n");
	return 0;
}

static int learn(struct sp_side_files *side)
{
	struct sp_noise *noise;
	int status;

	if (side->count < RUNS_LEAST) {
		sp_complain("compare: --calibrate: only %zu runs left a profile; it takes %u", side->count, RUNS_LEAST);
		return 1;
	}
	noise = sp_noise_learn(side->profiles, side->names, side->count);
	status = write_noise(noise, side->profiles[0]);
	sp_noise_free(noise);
	return status;
}

static int read_and_learn(const char *directory, size_t runs)
{
	struct sp_side_files side = {0};
	char output[64];
	int status;

	sp_limit_reading();
	for (size_t i = 0; i < runs; i++) {
		snprintf(output, sizeof(output), "%s/%zu.md", directory, i);
		if (access(output, F_OK) == 0)
			sp_side_add(&side, output);
	}
	status = learn(&side);
	sp_side_free(&side);
	return status;
}

/* In a process that may die of its limits: the directory is still to be removed. */
static int learn_apart(const char *directory, size_t runs)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(read_and_learn(directory, runs));
	if (pid < 0)
		sp_complain("compare: --calibrate: no process can be started to read the runs: %s", strerror(errno));
	return wait_for(pid);
}

int sp_calibrate(char **argv, size_t runs)
{
	char directory[] = "/tmp/smartprof-calibrate.XXXXXX", output[64];
	int status = 0;

	if (runs < RUNS_LEAST) {
		sp_complain("compare: --runs: at least %u runs are needed", RUNS_LEAST);
		return SP_EXIT_USAGE;
	}
	if (!mkdtemp(directory)) {
		sp_complain("compare: /tmp: %s", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < runs && !status; i++) {
		snprintf(output, sizeof(output), "%s/%zu.md", directory, i);
		status = run_once(argv, output);
		if (status)
			sp_complain("compare: --calibrate: run %zu ended with status %d; a failed run says nothing "
				    "about noise, so no noise file is written",
				i + 1, status);
	}
	status = status ? 1 : learn_apart(directory, runs);
	remove_all(directory);
	return status;
}
