/* The ways to have a child: before the first that tells fork handlers there must be ours, and of the others none is told. */
#include "preload/hooks/children.h"

#include <fcntl.h>
#include <pty.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "preload/export.h"
#include "preload/finish/tree.h"
#include "preload/hooks/handed_on.h"
#include "preload/hooks/signals.h"
#include "preload/real.h"
#include "sampler/waits/waits.h"

void sp_children_expect(void)
{
	if (sp_unlikely(sp_tree_expect()))
		sp_signals_watch_fatal();
}

static void watch_forks(void)
{
	if (sp_agent.watch_forks) /* not before the constructor, or where nothing is profiled */
		sp_agent.watch_forks();
}

SP_EXPORT pid_t fork(void)
{
	watch_forks();
	return SP_REAL(fork)();
}

SP_EXPORT pid_t __fork(void) __attribute__((alias("fork"), nothrow));

SP_EXPORT int forkpty(int *terminal, char *name, const struct termios *settings, const struct winsize *size)
{
	watch_forks();
	return SP_REAL(forkpty)(terminal, name, settings, size);
}

SP_EXPORT int daemon(int stays, int keeps_streams)
{
	watch_forks();
	return SP_REAL(daemon)(stays, keeps_streams);
}

/* For vfork.S: what is to be jumped to. */
void *sp_before_vfork(void) SP_HIDDEN;

void *sp_before_vfork(void)
{
	sp_tls.vforked = true;
	sp_handed_on_goes_on();
	sp_children_expect();
	return (void *)SP_REAL(vfork);
}

SP_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	sp_children_expect();
	sp_handed_on_goes_on();
	return SP_REAL(posix_spawn)(pid, path, actions, attributes, argv,
		SP_HANDED_ON(envp, sp_must_go_without_us(AT_FDCWD, path)));
}

SP_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	sp_children_expect();
	sp_handed_on_goes_on();
	return SP_REAL(posix_spawnp)(pid, file, actions, attributes, argv,
		SP_HANDED_ON(envp, sp_found_must_go_without_us(file)));
}

SP_EXPORT int system(const char *command)
{
	sp_children_expect();
	return SP_TIMED(SP_CALL_system, 0, SP_REAL(system)(command));
}

SP_EXPORT FILE *popen(const char *command, const char *mode)
{
	sp_children_expect();
	return SP_REAL(popen)(command, mode);
}
