/* The C library's own functions, whoever else defines their names.
 *
 * A preloaded library's references by name are bound to the program first: one that defines memcpy,
 * clock_gettime or dlsym for itself would be called by us, from signal handlers too. So the agent refers to
 * nothing by name that a program may define (`make lint` looks): what it calls like the C library's is
 * either defined here a second time, hidden (own_string.c), or leads through a table of what libc.so.6 and
 * the loader themselves define (libc.c). Both go by the usual names and the usual headers. */
#ifndef SP_PRELOAD_LIBC_H
#define SP_PRELOAD_LIBC_H

#include <signal.h>
#include <stdbool.h>

#include "sampler/agent.h"

/* Finds the C library, from the constructor: envp as the loader hands it out, which the auxiliary vector stands
 * behind. False when something is missing: this is an older C library, or none, and the agent must stay
 * off. What is called earlier finds it by itself; each function is looked up when it is first called, which takes no
 * lock and no system call. */
bool sp_libc_find(char **envp) SP_HIDDEN;

/* The same in a process that has run for a while, whose environment may be anywhere. */
bool sp_libc_find_late(void) SP_HIDDEN;

/* A symbol of the C library's or the loader's, NULL if there is none; after sp_libc_find. */
void *sp_libc_symbol(const char *name) SP_HIDDEN;

/* The loader's list of objects; NULL where it was not found. After sp_libc_find. */
const struct link_map *sp_libc_objects(void) SP_HIDDEN;

/* The C library's, for our own handlers: none of another library's that stands behind us. */
int sp_libc_sigaction(int signal, const struct sigaction *action, struct sigaction *old) SP_HIDDEN;

/* Of a name that the C library has in two versions, the older one. */
void *sp_libc_hidden_symbol(const char *name) SP_HIDDEN;

/* Whether sp_libc_next does without the loader, which may hold a lock: not where an object from the start has no table that
 * we can read. */
bool sp_libc_finds_without_lock(void) SP_HIDDEN;

/* What dlsym(RTLD_NEXT, name) tells us, or would tell where there is no dlsym. */
void *sp_libc_next(const char *name) SP_HIDDEN;

/* The C library's clone by its other name, for ourselves. */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, void *parent_tid, void *tls, void *child_tid);

/* What pthread_atfork and at_quick_exit are made of; `object`: any address of ours. */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object);
int __cxa_at_quick_exit(void (*fn)(void *), void *object);

/* The program's environment, as the C library has it: bound like its own reference. */
extern char **__environ;

#endif
