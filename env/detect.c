/* Development machine, production or CI: one table of clues, the first that holds decides. */
#include "env/internal.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "env/text.h"

/* What /proc/self/mountinfo tells, as bits. */
enum {
	MOUNT_DOCKER_FILES = 1,
	MOUNT_LXCFS = 2,
	MOUNT_ROOT_DOCKER = 4,
	MOUNT_ROOT_CONTAINERD = 8,
	MOUNT_ROOT_PODMAN = 16
};

struct probe {
	const struct sp_where *where;
	const struct sp_container_signs *signs;
};

struct clue {
	bool (*holds)(struct probe *probe, const struct clue *clue);
	const char *what;
	const char *values;              /* `says` has the spellings of development, production and test */
	enum sp_environment environment; /* of all others */
	const char *reason;              /* of `says`: the value follows */
};

static int said(const struct clue *clue, char *const *envp)
{
	const char *value = sp_environ_get(envp, clue->what);

	return value && *value ? sp_choice_find(clue->values, value) : -1;
}

static bool says(struct probe *probe, const struct clue *clue)
{
	return said(clue, probe->where->envp) >= 0;
}

/* CI=false is how one says "not CI"; an empty variable is none. */
static bool is_true(struct probe *probe, const struct clue *clue)
{
	const char *value = sp_environ_get(probe->where->envp, clue->what);

	return value && *value && sp_choice_find("0|false|no|off", value) < 0;
}

static bool variable_is_set(const struct probe *probe, const char *name)
{
	const char *value = sp_environ_get(probe->where->envp, name);

	return value && *value;
}

static bool is_set(struct probe *probe, const struct clue *clue)
{
	return variable_is_set(probe, clue->what);
}

static bool has_file(struct probe *probe, const struct clue *clue)
{
	return sp_file_exists(probe->where->root, clue->what);
}

/* "path word": the file's first line is that word. */
static bool file_says(struct probe *probe, const struct clue *clue)
{
	char path[64], line[64];
	const char *space = strchr(clue->what, ' ');
	struct sp_text_out out = {path, sizeof(path), 0};

	sp_text_put_some(&out, clue->what, (size_t)(space - clue->what));
	return sp_file_line(probe->where->root, path, line, sizeof(line)) && strcmp(line, space + 1) == 0;
}

/* Field 5 of a line of /proc/self/mountinfo. */
static const char *mount_point(const char *line)
{
	for (int field = 1; line && field < 5; field++) {
		line = strchr(line, ' ');
		line = line ? line + 1 : NULL;
	}
	return line ? line : "";
}

void sp_signs_mount(struct sp_container_signs *signs, const char *line)
{
	const char *point = mount_point(line), *type = strstr(point, " - ");

	if (sp_text_starts(point, "/etc/hosts ", 11) || sp_text_starts(point, "/etc/hostname ", 14))
		signs->mounts |= MOUNT_DOCKER_FILES;
	if (type && strncmp(point, "/proc/", 6) == 0 && strncmp(type, " - fuse.lxcfs ", 14) == 0)
		signs->mounts |= MOUNT_LXCFS;
	if (!type || strncmp(point, "/ ", 2) != 0)
		return;
	if (strstr(type, "/docker/overlay2/"))
		signs->mounts |= MOUNT_ROOT_DOCKER;
	if (strstr(type, "/io.containerd.snapshotter"))
		signs->mounts |= MOUNT_ROOT_CONTAINERD;
	if (strstr(type, "/containers/storage/overlay"))
		signs->mounts |= MOUNT_ROOT_PODMAN;
}

/* The file alone proves little: it stays behind in virtual machines made from an image. Docker
 * itself always mounts its own /etc/hosts over the image's. */
static bool has_docker_file(struct probe *probe, const struct clue *clue)
{
	return has_file(probe, clue) && probe->signs->mounts & MOUNT_DOCKER_FILES;
}

static bool root_of_docker(struct probe *probe, const struct clue *clue)
{
	(void)clue;
	return probe->signs->mounts & MOUNT_ROOT_DOCKER;
}

static bool root_of_containerd(struct probe *probe, const struct clue *clue)
{
	(void)clue;
	return probe->signs->mounts & MOUNT_ROOT_CONTAINERD;
}

static bool root_of_podman(struct probe *probe, const struct clue *clue)
{
	(void)clue;
	return probe->signs->mounts & MOUNT_ROOT_PODMAN;
}

static bool has_lxcfs(struct probe *probe, const struct clue *clue)
{
	(void)clue;
	return probe->signs->mounts & MOUNT_LXCFS;
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

void sp_signs_cgroup(struct sp_container_signs *signs, const char *line)
{
	const char *path = strchr(line, '/');

	for (size_t i = 0; path && i < MANAGERS; i++)
		if (path_names(path, managers[i]))
			signs->managers |= 1u << i;
	if (strncmp(line, "0::", 3) != 0 && !strstr(line, ":name=systemd:"))
		return;
	if (strstr(line, "/user.slice"))
		signs->systemd_group = SP_GROUP_USER;
	else if (signs->systemd_group == SP_GROUP_OTHER && sp_text_ends(line, ".service"))
		signs->systemd_group = SP_GROUP_SERVICE;
}

static bool in_cgroup_of(struct probe *probe, const struct clue *clue)
{
	for (size_t i = 0; i < MANAGERS; i++)
		if (strcmp(managers[i], clue->what) == 0)
			return probe->signs->managers >> i & 1;
	return false;
}

/* A process with a controlling terminal was started by somebody who sits at it, so it is no
 * service; terminal programs do inherit a service's variables. */
static bool has_terminal(struct probe *probe, const struct clue *clue)
{
	char line[512];
	const char *at;

	(void)clue;
	if (!sp_file_line(probe->where->root, "/proc/self/stat", line, sizeof(line)))
		return false;
	at = strrchr(line, ')'); /* then: state, ppid, pgrp, session, tty_nr */
	for (int field = 0; at && field < 5; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at && *at >= '1' && *at <= '9';
}

static bool has_service_variables(struct probe *probe, const struct clue *clue)
{
	if (!variable_is_set(probe, clue->what) || !variable_is_set(probe, "JOURNAL_STREAM"))
		return false;
	return probe->signs->systemd_group != SP_GROUP_USER && !has_terminal(probe, clue);
}

static bool in_service_cgroup(struct probe *probe, const struct clue *clue)
{
	return probe->signs->systemd_group == SP_GROUP_SERVICE && !has_terminal(probe, clue);
}

static bool in_checkout(struct probe *probe, const struct clue *clue)
{
	char path[SP_PATH_BYTES];

	return sp_find_upward(probe->where, clue->what, path, sizeof(path));
}

#define SAYS(variable, values) \
	{ \
		says, variable, values, SP_ENVIRONMENTS, variable " is " \
	}
#define FOUND(environment, holds, what, reason) \
	{ \
		holds, what, NULL, environment, reason \
	}
#define CI(holds, what, reason) FOUND(SP_ENV_CI, holds, what, reason)
#define PRODUCTION(holds, what, reason) FOUND(SP_ENV_PRODUCTION, holds, what, reason)
#define DEVELOPMENT(holds, what, reason) FOUND(SP_ENV_DEVELOPMENT, holds, what, reason)

/* In the order of their weight. Staging is meant to behave as production does; tests run in CI's
 * way wherever they run. */
static const struct clue clues[] = {
	SAYS("NODE_ENV", "development,dev,local|production,prod,staging|test,testing,ci"),
	SAYS("RAILS_ENV", "development|production,staging|test"),
	SAYS("RACK_ENV", "development|production,deployment,staging|test"),
	SAYS("APP_ENV", "local,dev,development|prod,production,staging|test,testing"),
	SAYS("FLASK_ENV", "development|production,staging|testing,test"),
	SAYS("DJANGO_ENV", "development,dev,local|production,prod,staging|test,testing"),
	SAYS("GO_ENV", "development,dev|production,prod,staging|test,testing"),
	SAYS("ASPNETCORE_ENVIRONMENT", "Development|Production,Staging|Test,Testing"),
	SAYS("ENVIRONMENT", "development,dev,local|production,prod,live,staging,stage|test,testing,ci"),

	CI(is_true, "CI", "CI is set"),
	CI(is_true, "GITHUB_ACTIONS", "GITHUB_ACTIONS is set"),
	CI(is_true, "GITLAB_CI", "GITLAB_CI is set"),
	CI(is_set, "JENKINS_URL", "JENKINS_URL is set"),
	CI(is_true, "CIRCLECI", "CIRCLECI is set"),
	CI(is_true, "TRAVIS", "TRAVIS is set"),
	CI(is_true, "BUILDKITE", "BUILDKITE is set"),
	CI(is_set, "TEAMCITY_VERSION", "TEAMCITY_VERSION is set"),
	CI(is_true, "TF_BUILD", "TF_BUILD is set (Azure Pipelines)"),
	CI(is_set, "BITBUCKET_BUILD_NUMBER", "BITBUCKET_BUILD_NUMBER is set"),
	CI(is_true, "DRONE", "DRONE is set"),
	CI(is_true, "APPVEYOR", "APPVEYOR is set"),
	CI(is_set, "CODEBUILD_BUILD_ID", "CODEBUILD_BUILD_ID is set (AWS CodeBuild)"),

	/* Containers that people work in. */
	DEVELOPMENT(is_true, "CODESPACES", "CODESPACES is set"),
	DEVELOPMENT(is_true, "REMOTE_CONTAINERS", "REMOTE_CONTAINERS is set: a development container"),
	DEVELOPMENT(has_file, "/run/.toolboxenv", "/run/.toolboxenv exists: a toolbox container"),

	PRODUCTION(is_set, "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_HOST is set: a Kubernetes pod"),
	PRODUCTION(has_file, "/run/secrets/kubernetes.io", "/run/secrets/kubernetes.io exists: a Kubernetes pod"),
	PRODUCTION(in_cgroup_of, "kubepods", "the control group is a Kubernetes pod's"),
	PRODUCTION(has_docker_file, "/.dockerenv", "/.dockerenv exists: a Docker container"),
	PRODUCTION(in_cgroup_of, "docker", "the control group is Docker's"),
	PRODUCTION(root_of_docker, NULL, "the root filesystem is a Docker container's"),
	PRODUCTION(has_file, "/run/.containerenv", "/run/.containerenv exists: a Podman container"),
	PRODUCTION(in_cgroup_of, "libpod", "the control group is Podman's"),
	PRODUCTION(root_of_podman, NULL, "the root filesystem is a Podman container's"),
	PRODUCTION(in_cgroup_of, "containerd", "the control group is containerd's"),
	PRODUCTION(root_of_containerd, NULL, "the root filesystem is a containerd container's"),
	PRODUCTION(in_cgroup_of, "lxc", "the control group is an LXC container's"),
	PRODUCTION(has_lxcfs, NULL, "lxcfs is mounted: an LXC container"),
	PRODUCTION(file_says, "/run/systemd/container lxc", "/run/systemd/container says lxc"),
	PRODUCTION(file_says, "/run/systemd/container systemd-nspawn", "/run/systemd/container says systemd-nspawn"),
	PRODUCTION(file_says, "/run/host/container-manager systemd-nspawn",
		"/run/host/container-manager says systemd-nspawn"),
	{says, "container", "flatpak,snap,wsl|docker,podman,oci,lxc,lxc-libvirt,systemd-nspawn,rkt", SP_ENVIRONMENTS,
		"the variable container is "},
	PRODUCTION(has_service_variables, "INVOCATION_ID", "started by systemd (INVOCATION_ID, JOURNAL_STREAM)"),
	PRODUCTION(in_service_cgroup, NULL, "the control group is a systemd service's"),

	DEVELOPMENT(has_terminal, NULL, "started from an interactive terminal"),
	DEVELOPMENT(in_checkout, ".git", "inside a source checkout (.git)"),
	DEVELOPMENT(in_checkout, ".hg", "inside a source checkout (.hg)"),
	DEVELOPMENT(in_checkout, ".svn", "inside a source checkout (.svn)"),
	DEVELOPMENT(NULL, NULL, "no sign of CI, a container or a service"),
};

#define CLUES (sizeof(clues) / sizeof(clues[0]))
_Static_assert(CLUES <= 64, "sp_config.clues has a bit for each");

static enum sp_environment environment_of(const struct clue *clue, char *const *envp)
{
	static const enum sp_environment by_choice[] = {SP_ENV_DEVELOPMENT, SP_ENV_PRODUCTION, SP_ENV_CI};
	int choice = clue->values ? said(clue, envp) : -1;

	return choice >= 0 ? by_choice[choice] : clue->environment;
}

static void put_reason(struct sp_text_out *out, const struct clue *clue, char *const *envp)
{
	sp_text_put(out, clue->reason);
	if (clue->values)
		sp_text_put(out, sp_environ_get(envp, clue->what));
}

/* To be looked at without a system call. */
static bool is_of_variables(const struct clue *clue)
{
	return clue->holds == says || clue->holds == is_true || clue->holds == is_set;
}

void sp_environment_detect(struct sp_config *config, const struct sp_where *where,
	const struct sp_container_signs *signs, bool all)
{
	struct sp_text_out out = {config->reason_text, sizeof(config->reason_text), 0};
	struct probe probe = {where, signs};
	size_t winner = CLUES - 1; /* the last row needs no clue */

	config->clues = 0;
	for (size_t i = 0; i < CLUES - 1; i++) {
		if (!all && config->clues && !is_of_variables(&clues[i]))
			continue;
		if (!clues[i].holds(&probe, &clues[i]))
			continue;
		if (!config->clues)
			winner = i;
		config->clues |= 1ull << i;
	}
	config->environment = environment_of(&clues[winner], where->envp);
	config->reason = clues[winner].reason;
	if (clues[winner].values) {
		put_reason(&out, &clues[winner], where->envp);
		config->reason = config->reason_text;
	}
}

bool sp_environment_outvoted(const struct sp_config *config, const struct sp_where *where, unsigned i,
	enum sp_environment *environment, char *buffer, size_t size)
{
	struct sp_text_out out = {buffer, size, 0};

	for (size_t clue = 0; clue < CLUES - 1; clue++) {
		if (!(config->clues >> clue & 1))
			continue;
		*environment = environment_of(&clues[clue], where->envp);
		if (*environment == config->environment || i-- > 0)
			continue;
		put_reason(&out, &clues[clue], where->envp);
		return true;
	}
	return false;
}
