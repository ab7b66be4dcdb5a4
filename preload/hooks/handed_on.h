/* The environment that the next program gets: without our library in LD_PRELOAD where that would be noticed. After a chroot its
 * loader does not find us, and says so; a 32-bit one says that we are none; musl's does not start the program. Nothing but
 * system calls and the caller's memory is used: it may be the child of a vfork. */
#ifndef SP_PRELOAD_HOOKS_HANDED_ON_H
#define SP_PRELOAD_HOOKS_HANDED_ON_H

#include <alloca.h>
#include <stdbool.h>
#include <stddef.h>

#include "sampler/agent.h"

#define SP_PRELOAD_TEXT_BYTES 4096u /* a longer LD_PRELOAD stays as it is */

/* Whether the program that is about to be executed cannot have us: `path` as of execveat(2); a name that is looked for in PATH
 * if it has no slash; a descriptor. */
bool sp_must_go_without_us(int directory, const char *path) SP_HIDDEN;
bool sp_found_must_go_without_us(const char *name) SP_HIDDEN;
bool sp_opened_must_go_without_us(int fd) SP_HIDDEN;

/* This process goes on after it has started a program, in whatever way it is about to: what is learned of programs is kept. */
void sp_handed_on_goes_on(void) SP_HIDDEN;

/* What each child of this process would ask before its exec is asked once. Not in a vfork's child. */
void sp_handed_on_expect(void) SP_HIDDEN;

size_t sp_count_variables(char *const envp[]) SP_HIDDEN;

/* A copy in `out`, which has room for one pointer more than there are variables; `text` has SP_PRELOAD_TEXT_BYTES. */
char *const *sp_without_us(char *const envp[], char **out, char *text) SP_HIDDEN;

/* What is to be handed on of envp; lives as long as the calling function runs. */
#define SP_HANDED_ON(envp, without) \
	((without) ? sp_without_us(envp, alloca((sp_count_variables(envp) + 1) * sizeof(char *)), \
			     alloca(SP_PRELOAD_TEXT_BYTES)) \
		   : (envp))

#endif
