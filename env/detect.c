/* Development machine, production or CI: one table of clues, the first that holds decides. */
#include "env/internal.h"

#include <string.h>

#include "env/text.h"

enum group { GROUP_OTHER, GROUP_SERVICE, GROUP_USER };

struct probe {
	const char *root;
	char *const *envp;
	/* What /proc/self/cgroup tells, once it has been read. */
	bool have_cgroups;
	uint32_t managers;        /* bits: index into the names of container managers */
	enum group systemd_group; /* by systemd's own hierarchy: the unified one, or name=systemd */
};

struct clue {
	bool (*holds)(struct probe *probe, const char *what);
	const char *what;
	enum sp_environment environment;
	const char *reason;
};

/* CI=false is how one says "not CI"; an empty variable is none. */
static bool is_true(struct probe *probe, const char *name)
{
	const char *value = sp_environ_get(probe->envp, name);

	return value && *value && sp_choice_find("0|false|no|off", value) < 0;
}

static bool is_set(struct probe *probe, const char *name)
{
	const char *value = sp_environ_get(probe->envp, name);

	return value && *value;
}

static bool has_file(struct probe *probe, const char *path)
{
	return sp_file_exists(probe->root, path);
}

/* Field 5 of a line of /proc/self/mountinfo. */
static bool mounted_at(const char *line, const char *where)
{
	size_t bytes = strlen(where);

	for (int field = 1; field < 5; field++) {
		line = strchr(line, ' ');
		if (!line)
			return false;
		line++;
	}
	return strncmp(line, where, bytes) == 0 && line[bytes] == ' ';
}

/* The file alone proves little: it stays behind in virtual machines made from an image. Docker
 * itself always mounts its own /etc/hosts over the image's. */
static bool has_docker_file(struct probe *probe, const char *path)
{
	struct sp_lines lines;
	char line[256];
	bool found = false;

	if (!sp_file_exists(probe->root, path) || sp_lines_open(&lines, probe->root, "/proc/self/mountinfo") < 0)
		return false;
	while (!found && sp_lines_next(&lines, line, sizeof(line)))
		found = mounted_at(line, "/etc/hosts") || mounted_at(line, "/etc/hostname");
	sp_lines_close(&lines);
	return found;
}

static bool is_boundary(char c)
{
	return c == '\0' || c == '/' || c == '-' || c == '.' || c == ':' || c == '_';
}

/* Looks for a container manager's name as a word in one component of a cgroup path. The manager's
 * own daemon (docker.service) and desktop applications (app-docker-desktop-1.scope) do not count. */
static bool component_names(const char *component, size_t bytes, const char *word)
{
	static const char service[] = ".service";
	const size_t service_bytes = sizeof(service) - 1;
	size_t word_bytes = strlen(word);

	if (sp_text_starts(component, "app-", 4))
		return false;
	if (bytes >= service_bytes && strncmp(component + bytes - service_bytes, service, service_bytes) == 0)
		return false;
	for (size_t i = 0; i + word_bytes <= bytes; i++)
		if ((i == 0 || is_boundary(component[i - 1])) && strncmp(component + i, word, word_bytes) == 0 &&
			is_boundary(component[i + word_bytes]))
			return true;
	return false;
}

static bool path_names(const char *path, const char *word)
{
	while (*path == '/') {
		size_t bytes = strcspn(++path, "/");

		if (component_names(path, bytes, word))
			return true;
		path += bytes;
	}
	return false;
}

static const char *const managers[] = {"kubepods", "docker", "containerd", "libpod", "lxc"};

#define MANAGERS (sizeof(managers) / sizeof(managers[0]))

static void read_cgroup(struct probe *probe, const char *line)
{
	const char *path = strchr(line, '/');

	for (size_t i = 0; path && i < MANAGERS; i++)
		if (path_names(path, managers[i]))
			probe->managers |= 1u << i;
	if (strncmp(line, "0::", 3) != 0 && !strstr(line, ":name=systemd:"))
		return;
	if (strstr(line, "/user.slice"))
		probe->systemd_group = GROUP_USER;
	else if (probe->systemd_group == GROUP_OTHER && sp_text_ends(line, ".service"))
		probe->systemd_group = GROUP_SERVICE;
}

static void read_cgroups(struct probe *probe)
{
	struct sp_lines lines;
	char line[1024];

	if (probe->have_cgroups)
		return;
	probe->have_cgroups = true;
	if (sp_lines_open(&lines, probe->root, "/proc/self/cgroup") < 0)
		return;
	while (sp_lines_next(&lines, line, sizeof(line)))
		read_cgroup(probe, line);
	sp_lines_close(&lines);
}

static bool in_cgroup_of(struct probe *probe, const char *manager)
{
	read_cgroups(probe);
	for (size_t i = 0; i < MANAGERS; i++)
		if (strcmp(managers[i], manager) == 0)
			return probe->managers >> i & 1;
	return false;
}

/* Someone sits at it, so it is no service; terminal programs do inherit a service's variables. */
static bool has_terminal(struct probe *probe)
{
	char line[512];
	const char *at;

	if (!sp_file_line(probe->root, "/proc/self/stat", line, sizeof(line)))
		return false;
	at = strrchr(line, ')'); /* then: state, ppid, pgrp, session, tty_nr */
	for (int field = 0; at && field < 5; field++) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	return at && *at >= '1' && *at <= '9';
}

static bool has_service_variables(struct probe *probe, const char *what)
{
	if (!is_set(probe, what) || !is_set(probe, "JOURNAL_STREAM"))
		return false;
	read_cgroups(probe);
	return probe->systemd_group != GROUP_USER && !has_terminal(probe);
}

static bool in_service_cgroup(struct probe *probe, const char *what)
{
	(void)what;
	read_cgroups(probe);
	return probe->systemd_group == GROUP_SERVICE && !has_terminal(probe);
}

static const struct clue clues[] = {
	{is_true, "CI", SP_ENV_CI, "CI is set"},
	{is_true, "GITHUB_ACTIONS", SP_ENV_CI, "GITHUB_ACTIONS is set"},
	{is_true, "GITLAB_CI", SP_ENV_CI, "GITLAB_CI is set"},
	{is_set, "JENKINS_URL", SP_ENV_CI, "JENKINS_URL is set"},
	{is_true, "CIRCLECI", SP_ENV_CI, "CIRCLECI is set"},
	{is_true, "TRAVIS", SP_ENV_CI, "TRAVIS is set"},
	{is_true, "BUILDKITE", SP_ENV_CI, "BUILDKITE is set"},
	{is_set, "TEAMCITY_VERSION", SP_ENV_CI, "TEAMCITY_VERSION is set"},
	{is_true, "TF_BUILD", SP_ENV_CI, "TF_BUILD is set (Azure Pipelines)"},
	{is_set, "BITBUCKET_BUILD_NUMBER", SP_ENV_CI, "BITBUCKET_BUILD_NUMBER is set"},
	{is_true, "DRONE", SP_ENV_CI, "DRONE is set"},
	{is_true, "APPVEYOR", SP_ENV_CI, "APPVEYOR is set"},
	{is_set, "CODEBUILD_BUILD_ID", SP_ENV_CI, "CODEBUILD_BUILD_ID is set (AWS CodeBuild)"},

	{is_set, "KUBERNETES_SERVICE_HOST", SP_ENV_PRODUCTION, "KUBERNETES_SERVICE_HOST is set: a Kubernetes pod"},
	{has_docker_file, "/.dockerenv", SP_ENV_PRODUCTION, "/.dockerenv exists: a Docker container"},
	{has_file, "/run/.containerenv", SP_ENV_PRODUCTION, "/run/.containerenv exists: a Podman container"},
	{is_set, "container", SP_ENV_PRODUCTION, "the variable container is set"},
	{in_cgroup_of, "kubepods", SP_ENV_PRODUCTION, "the control group is a Kubernetes pod's"},
	{in_cgroup_of, "docker", SP_ENV_PRODUCTION, "the control group is Docker's"},
	{in_cgroup_of, "containerd", SP_ENV_PRODUCTION, "the control group is containerd's"},
	{in_cgroup_of, "libpod", SP_ENV_PRODUCTION, "the control group is Podman's"},
	{in_cgroup_of, "lxc", SP_ENV_PRODUCTION, "the control group is an LXC container's"},
	{has_service_variables, "INVOCATION_ID", SP_ENV_PRODUCTION,
		"started by systemd (INVOCATION_ID, JOURNAL_STREAM)"},
	{in_service_cgroup, NULL, SP_ENV_PRODUCTION, "the control group is a systemd service's"},
};

enum sp_environment sp_environment_detect(const char *root, char *const *envp, const char **reason)
{
	struct probe probe = {.root = root, .envp = envp};

	for (size_t i = 0; i < sizeof(clues) / sizeof(clues[0]); i++) {
		if (!clues[i].holds(&probe, clues[i].what))
			continue;
		*reason = clues[i].reason;
		return clues[i].environment;
	}
	*reason = "no sign of CI, a container or a service";
	return SP_ENV_DEVELOPMENT;
}
