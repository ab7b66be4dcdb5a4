/* Classification: which clue makes which environment, on machines made for the purpose. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "env/env.h"
#include "tests/unit/env_machine.h"

#define ENVIRONMENT(...) ((char *[]){__VA_ARGS__, NULL})

static const char *root;

static int new_machine(void **state)
{
	(void)state;
	root = machine_new();
	machine_put_v2("/user.slice/user-1000.slice/session-3.scope");
	return 0;
}

static int drop_machine(void **state)
{
	(void)state;
	machine_drop();
	return 0;
}

static enum sp_environment detect(char *const *envp)
{
	struct sp_config config;

	machine_load(&config, root, envp);
	assert_non_null(config.reason);
	assert_true(strlen(config.reason) > 5);
	assert_int_equal(config.values[SP_OPT_ENVIRONMENT].number, config.environment);
	return config.environment;
}

static enum sp_environment detect_in(const char *cgroup)
{
	machine_put("/proc/self/cgroup", cgroup);
	return detect(ENVIRONMENT("HOME=/root"));
}

static void a_plain_machine_is_for_development(void **state)
{
	(void)state;
	assert_int_equal(detect(ENVIRONMENT("HOME=/home/x", "TERM=xterm")), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect(NULL), SP_ENV_DEVELOPMENT);
	root = "/nonexistent";
	assert_int_equal(detect(ENVIRONMENT("HOME=/home/x")), SP_ENV_DEVELOPMENT);
}

static void every_ci_is_known(void **state)
{
	static char *const variables[] = {"CI=true", "CI=1", "GITHUB_ACTIONS=true", "GITLAB_CI=true",
		"JENKINS_URL=http://ci/", "CIRCLECI=true", "TRAVIS=true", "BUILDKITE=true", "TEAMCITY_VERSION=2023.1",
		"TF_BUILD=True", "BITBUCKET_BUILD_NUMBER=7", "DRONE=true", "APPVEYOR=True", "CODEBUILD_BUILD_ID=x:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		assert_int_equal(detect(ENVIRONMENT("HOME=/x", variables[i])), SP_ENV_CI);
	assert_int_equal(detect(ENVIRONMENT("CI=false")), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect(ENVIRONMENT("CI=")), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect(ENVIRONMENT("CI=0")), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect(ENVIRONMENT("CIRCLE=true", "JENKINS_URL=")), SP_ENV_DEVELOPMENT);
}

static void ecosystems_are_heard_in_their_own_words(void **state)
{
	static const struct {
		char *variable;
		enum sp_environment environment;
	} cases[] = {
		{"NODE_ENV=production", SP_ENV_PRODUCTION},
		{"NODE_ENV=test", SP_ENV_CI},
		{"RAILS_ENV=development", SP_ENV_DEVELOPMENT},
		{"RAILS_ENV=staging", SP_ENV_PRODUCTION},
		{"RACK_ENV=deployment", SP_ENV_PRODUCTION},
		{"APP_ENV=prod", SP_ENV_PRODUCTION},
		{"APP_ENV=local", SP_ENV_DEVELOPMENT},
		{"APP_ENV=testing", SP_ENV_CI},
		{"FLASK_ENV=production", SP_ENV_PRODUCTION},
		{"DJANGO_ENV=production", SP_ENV_PRODUCTION},
		{"GO_ENV=test", SP_ENV_CI},
		{"ASPNETCORE_ENVIRONMENT=Production", SP_ENV_PRODUCTION},
		{"ASPNETCORE_ENVIRONMENT=Staging", SP_ENV_PRODUCTION},
		{"ENVIRONMENT=dev", SP_ENV_DEVELOPMENT},
		{"ENVIRONMENT=PROD", SP_ENV_PRODUCTION},
		{"NODE_ENV=", SP_ENV_CI},
		{"NODE_ENV=banana", SP_ENV_CI},
		{"RAILS_ENV=prod", SP_ENV_CI},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(detect(ENVIRONMENT("CI=1", cases[i].variable)), cases[i].environment);
	/* The order of the table decides, not that of the environment. */
	assert_int_equal(detect(ENVIRONMENT("RAILS_ENV=test", "NODE_ENV=production")), SP_ENV_PRODUCTION);
}

/* The agent looks for no more than decides, and comes to the same. */
static void what_cannot_decide_is_not_looked_for(void **state)
{
	struct sp_where where = {.root = root, .cwd = "/project", .envp = ENVIRONMENT("CI=true", "JENKINS_URL=x")};
	enum sp_environment other;
	struct sp_config config;
	char text[256];

	(void)state;
	sp_config_load_shared(&config, &where, NULL, NULL, NULL);
	assert_string_equal(config.reason, "CI is set");
	assert_int_equal(config.environment, SP_ENV_CI);
	assert_int_equal(__builtin_popcountll(config.clues), 2); /* of what is below there is nothing */
	where.envp = ENVIRONMENT("CI=true", "SMARTPROF_ENV=production");
	sp_config_load_shared(&config, &where, NULL, NULL, NULL);
	assert_string_equal(config.reason, "SMARTPROF_ENV asks for it");
	assert_int_equal(config.environment, SP_ENV_PRODUCTION);
	assert_false(sp_environment_outvoted(&config, &where, 0, &other, text, sizeof(text)));
	where.envp = ENVIRONMENT("CI=true", "SMARTPROF_ENV=banana");
	sp_config_load_shared(&config, &where, NULL, NULL, NULL);
	assert_string_equal(config.reason, "CI is set (SMARTPROF_ENV has no known value)");
	assert_int_equal(config.environment, SP_ENV_CI);
}

static void the_losers_are_told(void **state)
{
	struct sp_where where = {.root = root,
		.envp = ENVIRONMENT("RAILS_ENV=production", "CI=true", "KUBERNETES_SERVICE_HOST=x", "JENKINS_URL=x")};
	enum sp_environment environment;
	struct sp_config config;
	char text[256];

	(void)state;
	sp_config_load(&config, &where, NULL);
	assert_string_equal(config.reason, "RAILS_ENV is production");
	assert_true(sp_environment_outvoted(&config, &where, 0, &environment, text, sizeof(text)));
	assert_string_equal(text, "CI is set");
	assert_int_equal(environment, SP_ENV_CI);
	assert_true(sp_environment_outvoted(&config, &where, 1, &environment, text, sizeof(text)));
	assert_string_equal(text, "JENKINS_URL is set");
	assert_false(sp_environment_outvoted(&config, &where, 2, &environment, text, sizeof(text)));
	sp_source_text(&config, &where, SP_OPT_ENVIRONMENT, text, sizeof(text));
	assert_string_equal(text,
		"detected: RAILS_ENV is production; against: CI is set (ci), JENKINS_URL is set (ci)");

	where.envp = ENVIRONMENT("SMARTPROF_ENV=dev", "RAILS_ENV=production");
	sp_config_load(&config, &where, NULL);
	sp_source_text(&config, &where, SP_OPT_ENVIRONMENT, text, sizeof(text));
	assert_string_equal(text, "variable SMARTPROF_ENV; against: RAILS_ENV is production (production)");
}

static void ci_in_a_container_is_ci(void **state)
{
	(void)state;
	assert_int_equal(detect(ENVIRONMENT("KUBERNETES_SERVICE_HOST=10.0.0.1", "CI=true")), SP_ENV_CI);
}

static void the_variable_decides(void **state)
{
	struct sp_config config;

	(void)state;
	assert_int_equal(detect(ENVIRONMENT("CI=true", "SMARTPROF_ENV=critical")), SP_ENV_CRITICAL);
	assert_int_equal(detect(ENVIRONMENT("CI=true", "SMARTPROF_ENV=dev")), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect(ENVIRONMENT("SMARTPROF_ENV=prod")), SP_ENV_PRODUCTION);
	assert_int_equal(detect(ENVIRONMENT("CI=true", "SMARTPROF_ENV=")), SP_ENV_CI);
	machine_load(&config, root, ENVIRONMENT("CI=true", "SMARTPROF_ENV=staging"));
	assert_int_equal(config.environment, SP_ENV_CI);
	assert_true(config.values[SP_OPT_ENVIRONMENT].refused.variable);
	assert_non_null(strstr(config.reason, "CI is set"));
	assert_non_null(strstr(config.reason, "SMARTPROF_ENV"));
}

static void containers_are_production(void **state)
{
	(void)state;
	assert_int_equal(detect(ENVIRONMENT("KUBERNETES_SERVICE_HOST=10.0.0.1")), SP_ENV_PRODUCTION);
	assert_int_equal(detect(ENVIRONMENT("container=podman")), SP_ENV_PRODUCTION);
	assert_int_equal(detect(ENVIRONMENT("container=systemd-nspawn")), SP_ENV_PRODUCTION);
	assert_int_equal(detect(ENVIRONMENT("container=flatpak")), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect(ENVIRONMENT("container=podman", "REMOTE_CONTAINERS=true")), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect_in("0::/system.slice/docker-0123abcd.scope\n"), SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("12:memory:/docker/0123abcd\n0::/\n"), SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("3:cpu,cpuacct:/kubepods/burstable/podab/0123\n"), SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-12.scope\n"),
		SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("0::/system.slice/cri-containerd-12.scope\n"), SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("0::/machine.slice/libpod-12.scope/container\n"), SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("0::/lxc.payload.web\n"), SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("4:memory:/lxc/web\n"), SP_ENV_PRODUCTION);
}

static void names_that_only_look_like_containers_are_not(void **state)
{
	(void)state;
	assert_int_equal(detect_in("4:memory:/process_api/41a0cc47e12d\n0::/\n"), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect_in("0::/user.slice/user-1.slice/app-docker-desktop-77.scope\n"), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect_in("0::/user.slice/user-1.slice/user@1.service/docker.service\n"), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect_in("0::/user.slice/dockers\n"), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect_in("garbage\n::\n0::\n\n"), SP_ENV_DEVELOPMENT);
}

static void the_docker_file_needs_dockers_mounts(void **state)
{
	(void)state;
	machine_put("/.dockerenv", "");
	assert_int_equal(detect(NULL), SP_ENV_DEVELOPMENT);
	machine_put("/proc/self/mountinfo",
		"1 0 0:1 / / rw - overlay overlay rw\n"
		"2 1 8:1 /var/lib/docker/containers/1/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n");
	assert_int_equal(detect(NULL), SP_ENV_PRODUCTION);
}

static void podmans_file_counts(void **state)
{
	(void)state;
	machine_put("/run/.containerenv", "");
	assert_int_equal(detect(NULL), SP_ENV_PRODUCTION);
}

static void services_are_production(void **state)
{
	char **variables = ENVIRONMENT("INVOCATION_ID=0123", "JOURNAL_STREAM=8:1");

	(void)state;
	machine_put("/proc/self/cgroup", "0::/system.slice\n");
	assert_int_equal(detect(variables), SP_ENV_PRODUCTION);
	assert_int_equal(detect(ENVIRONMENT("INVOCATION_ID=0123")), SP_ENV_DEVELOPMENT);
	assert_int_equal(detect_in("0::/system.slice/web.service\n"), SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("5:name=systemd:/system.slice/web.service\n0::/\n"), SP_ENV_PRODUCTION);
	assert_int_equal(detect_in("5:pids:/x.service\n0::/\n"), SP_ENV_DEVELOPMENT);
}

static void someone_at_a_terminal_is_no_service(void **state)
{
	char **variables = ENVIRONMENT("INVOCATION_ID=0123", "JOURNAL_STREAM=8:1");

	(void)state;
	assert_int_equal(detect(variables), SP_ENV_DEVELOPMENT); /* in user.slice */
	assert_int_equal(detect_in("0::/user.slice/user-1.slice/user@1.service/app.slice/x.service\n"),
		SP_ENV_DEVELOPMENT);
	machine_put("/proc/self/cgroup", "0::/system.slice/ssh.service\n");
	machine_put("/proc/self/stat", "12 (a) b) S 1 12 12 0 -1 4194304\n");
	assert_int_equal(detect(variables), SP_ENV_PRODUCTION);
	machine_put("/proc/self/stat", "12 (a) b) S 1 12 12 34816 12 4194304\n");
	assert_int_equal(detect(variables), SP_ENV_DEVELOPMENT);
	machine_put("/proc/self/stat", "12 (a\n");
	assert_int_equal(detect(variables), SP_ENV_PRODUCTION);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_machine, drop_machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_plain_machine_is_for_development),
		TEST(every_ci_is_known),
		TEST(ecosystems_are_heard_in_their_own_words),
		TEST(what_cannot_decide_is_not_looked_for),
		TEST(the_losers_are_told),
		TEST(ci_in_a_container_is_ci),
		TEST(the_variable_decides),
		TEST(containers_are_production),
		TEST(names_that_only_look_like_containers_are_not),
		TEST(the_docker_file_needs_dockers_mounts),
		TEST(podmans_file_counts),
		TEST(services_are_production),
		TEST(someone_at_a_terminal_is_no_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
