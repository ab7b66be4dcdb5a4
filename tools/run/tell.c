/* smartprof run: where the profile went. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/env.h"
#include "profiles/spool/find.h"
#include "profiles/spool/read.h"
#include "tools/run/run.h"

#define HEAD_BYTES 512

static uint64_t time_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000u;
}

static uint64_t children_cpu_ns(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_CHILDREN, &usage) == 0 ? time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime) : 0;
}

void sp_run_began(struct sp_run_told *told)
{
	clock_gettime(CLOCK_REALTIME_COARSE, &told->began); /* as files' times are */
	told->cpu_ns = children_cpu_ns();
}

static bool is_newer(const char *path, const struct timespec *since)
{
	struct stat st;

	return stat(path, &st) == 0 &&
		(st.st_mtim.tv_sec > since->tv_sec ||
			(st.st_mtim.tv_sec == since->tv_sec && st.st_mtim.tv_nsec >= since->tv_nsec));
}

/* How many processes the index beside a profile has; its path in *index. */
static unsigned long find_index(const char *profile, pid_t pid, const struct timespec *since,
	char index[static PATH_MAX])
{
	const char *slash = strrchr(profile, '/');
	char head[HEAD_BYTES], directory[PATH_MAX], *members;
	ssize_t n;
	int fd;

	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - profile) : 0, profile);
	if (!slash || !sp_profile_index(directory, pid, index) || !is_newer(index, since))
		return 0;
	fd = open(index, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);
	if (fd >= 0)
		close(fd);
	head[n > 0 ? n : 0] = '\0';
	members = strstr(head, "\nmembers: ");
	return members ? strtoul(members + strlen("\nmembers: "), NULL, 10) : 0;
}

static bool has_spool(pid_t pid)
{
	struct sp_spool_file *files;
	size_t count = sp_spool_list_all(&files);
	bool found = false;

	for (size_t i = 0; i < count; i++)
		found |= files[i].pid == pid;
	free(files);
	return found;
}

static const char *why_none(const struct sp_run_told *told)
{
	struct sp_value program;

	if (!told->enabled)
		return "profiling is switched off (SMARTPROF_ENABLED)";
	if (has_spool(told->pid))
		return "what was measured could not be rendered yet; `smartprof recover` renders it, or says what "
		       "prevents that";
	if (children_cpu_ns() - told->cpu_ns < SP_SMALL_CPU_NS)
		return "it used less than 20 ms of CPU, too little for a profile";
	sp_value_load(&program, SP_OPT_PROGRAM, environ, sp_settings_file());
	return program.text && *program.text
		? "no program whose name matches SMARTPROF_PROGRAM used enough CPU or memory"
		: "no process used enough CPU or memory, or none could be profiled; "
		  "SMARTPROF_VERBOSE=1 tells more";
}

/* Where SMARTPROF_OUTPUT names a file it is the whole run's. */
static bool is_in_output(const struct sp_run_told *told, char path[static PATH_MAX])
{
	struct sp_value output;

	sp_value_load(&output, SP_OPT_OUTPUT, environ, sp_settings_file());
	return output.text && *output.text && snprintf(path, PATH_MAX, "%s", output.text) < PATH_MAX &&
		is_newer(path, &told->began);
}

bool sp_run_profile(const struct sp_run_told *told, char path[static PATH_MAX])
{
	return is_in_output(told, path) || sp_profile_of_pid(told->pid, &told->began, path);
}

void sp_run_tell(const struct sp_run_told *told)
{
	char path[PATH_MAX], index[PATH_MAX];
	unsigned long members;

	if (told->quiet)
		return;
	if (told->refused)
		sp_complain("processes without a profile, for want of room for their spools: %llu",
			(unsigned long long)told->refused);
	if (is_in_output(told, path)) {
		sp_complain("profile: %s", path);
		return;
	}
	if (!sp_profile_of_pid(told->pid, &told->began, path)) {
		sp_complain("no profile: %s", why_none(told));
		return;
	}
	members = find_index(path, told->pid, &told->began, index);
	if (members > 1)
		sp_complain("profile: %s; of all %lu processes: smartprof report %s", path, members, index);
	else
		sp_complain("profile: %s", path);
}
