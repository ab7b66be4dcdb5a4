/* Starting a program with the agent loaded. */
#include "tools/start.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

bool sp_setting_is_on(enum sp_option option)
{
	struct sp_value value;

	sp_value_load(&value, option, environ, sp_settings_file());
	return value.number != 0;
}

static int exec_status(int error)
{
	return error == ENOENT ? SP_EXIT_NOT_FOUND : SP_EXIT_CANNOT_EXECUTE;
}

int sp_start_find(const char *command, struct sp_target *target, const char *name)
{
	int err = sp_target_find(target, name);

	if (err == 0)
		return 0;
	sp_complain("%s: %s: %s", command, *name ? name : "''", err == -ENOENT ? "no such program" : strerror(-err));
	return exec_status(-err);
}

int sp_start_library(const char *command, char library[static PATH_MAX])
{
	char self[PATH_MAX];
	struct sp_value bin;
	int error = sp_library_find(self, library);

	switch (error) {
	case 0:
		sp_value_load(&bin, SP_OPT_BIN, environ, sp_settings_file());
		return bin.text ? 0 : setenv(sp_option_rows[SP_OPT_BIN].variable, self, 1);
	case -ENOENT:
		sp_complain("%s: " SP_LIBRARY " is neither in %.*s nor in the lib directories beside it; "
			    "reinstall smartprof",
			command, (int)(strrchr(self, '/') + 1 - self), self);
		return 1;
	case -EINVAL:
		sp_complain("%s: '%s' contains a space or a colon, which LD_PRELOAD cannot express; "
			    "install smartprof elsewhere",
			command, library);
		return 1;
	default:
		sp_complain("%s: cannot find " SP_LIBRARY
			    ", because nothing tells where this command is; is /proc mounted?",
			command);
		return 1;
	}
}

static bool preload_has(const char *list, const char *library)
{
	size_t bytes = strlen(library);

	for (;; list += strcspn(list, " :")) {
		list += strspn(list, " :");
		if (!*list)
			return false;
		if (strcspn(list, " :") == bytes && memcmp(list, library, bytes) == 0)
			return true;
	}
}

int sp_start_set_preload(const char *library)
{
	const char *before = getenv("LD_PRELOAD");
	char *list;

	if (!before || !*before)
		return setenv("LD_PRELOAD", library, 1);
	if (preload_has(before, library))
		return 0;
	if (asprintf(&list, "%s:%s", library, before) < 0)
		return -1;
	return setenv("LD_PRELOAD", list, 1); /* list: kept until exec */
}

static void set_tree(const struct sp_tree_hold *hold)
{
	char tree[SP_TREE_NAME_BYTES + 1];

	if (!getenv("SMARTPROF_TREE") && sp_tree_hold_name(hold, tree, SP_TREE_NAME_BYTES) == 0)
		setenv("SMARTPROF_TREE", strcat(tree, ":"), 1);
}

void sp_start_exec(const char *command, const struct sp_target *target, char **argv, const char *library,
	const struct sp_tree_hold *hold)
{
	int error;

	if (library && sp_start_set_preload(library) != 0)
		_exit(SP_EXIT_CANNOT_EXECUTE);
	if (library)
		set_tree(hold);
	execv(target->path, argv);
	if (errno == ENOEXEC && target->is_script) { /* a text without #! */
		argv[-1] = "sh";
		argv[0] = (char *)target->path;
		execv("/bin/sh", argv - 1);
	}
	error = errno;
	sp_complain("%s: %s: %s", command, target->path,
		error == ENOENT ? "its interpreter or loader does not exist" : strerror(error));
	_exit(exec_status(error));
}

void sp_start_announce(const struct sp_target *target)
{
	const char *obstacle = sp_target_obstacle(target);

	if (obstacle)
		sp_complain("no profile of %s: %s", target->program, obstacle);
	else if (target->is_script)
		sp_complain("%s is a script: profiling its interpreter, %s", target->path, target->program);
}

int sp_end_like(int status)
{
	struct rlimit no_core = {0, 0};
	sigset_t only;
	int number;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	number = WTERMSIG(status);
	fflush(NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigemptyset(&only);
	sigaddset(&only, number);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	raise(number);
	return 128 + number;
}
