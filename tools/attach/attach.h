/* The parts of `smartprof attach`: whether a process can be attached to, the copy of the agent's library for it, the thread
 * that is to load it, and the call that this thread makes. */
#ifndef SP_TOOLS_ATTACH_H
#define SP_TOOLS_ATTACH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "env/attach.h"

/* --- what a process has mapped: maps.c */

enum sp_attach_kind { SP_MAP_NONE, SP_MAP_OTHER, SP_MAP_LIBC, SP_MAP_LOADER, SP_MAP_ALLOCATOR, SP_MAP_AGENT };

struct sp_attach_map {
	uint64_t start, end, offset, inode;
	bool executable;
	enum sp_attach_kind kind; /* SP_MAP_NONE: no file */
	char path[PATH_MAX];      /* as the process sees it; empty: no file */
};

struct sp_attach_maps {
	struct sp_attach_map *list;
	size_t count;
};

/* 0 or a negative errno; to be freed in both cases. */
int sp_attach_maps_read(struct sp_attach_maps *maps, int pid);
void sp_attach_maps_free(struct sp_attach_maps *maps);
const struct sp_attach_map *sp_attach_map_at(const struct sp_attach_maps *maps, uint64_t address);
/* The lowest of a kind; NULL: there is none. */
const struct sp_attach_map *sp_attach_map_of(const struct sp_attach_maps *maps, enum sp_attach_kind kind);
/* A path (PATH_MAX bytes) by which this command reaches the very file that is mapped; false: there is none. */
bool sp_attach_map_open_path(char *path, int pid, const struct sp_attach_map *map);

/* Copies the process's memory. */
bool sp_attach_read(int pid, uint64_t address, void *to, size_t bytes);
bool sp_attach_write(int pid, uint64_t address, const void *from, size_t bytes);

/* The value in it of a symbol that the ELF file defines; 0: it does not. */
uint64_t sp_attach_symbol(const uint8_t *file, size_t bytes, const char *name);
/* A whole file in memory (to be freed), NULL: errno tells. */
uint8_t *sp_attach_file(const char *path, size_t *bytes);

/* --- the process: check.c */

struct sp_attach_target {
	int pid;
	uid_t uid;
	gid_t gid;
	uint64_t run_ns; /* how long it has run */
	struct sp_attach_maps maps;
	uint64_t libc, dlopen; /* where the C library lies, and its dlopen */
	uint64_t sigreturn;    /* code of it that ends a signal handler */
	uint64_t agent;        /* where the agent lies that was put there before; 0: none was */
	bool has_own_malloc;   /* the program itself defines it */
	const char *signal;    /* to sample with, as SMARTPROF_SIGNAL has it */
	int signal_number;
};

/* What speaks against it is complained about, and the answer is not 0 but the exit status. To be freed in both cases. */
int sp_attach_check(struct sp_attach_target *target, int pid);
void sp_attach_free(struct sp_attach_target *target);

/* --- the library: library.c */

struct sp_attach_library {
	char path[PATH_MAX];    /* as the process sees it; empty: there is no copy */
	int directory;          /* it lies in, or -1 */
	uint64_t request, call; /* values of SP_ATTACH_REQUEST and SP_ATTACH_CALL */
	struct sp_attach asked;
};

/* Composes the request, and without an agent in the process puts a copy of the library that has it where the process can
 * load it. 0, or the exit status after a complaint. */
int sp_attach_library_make(struct sp_attach_library *library, const struct sp_attach_target *target,
	const char *output);

/* The copy's file goes: what is loaded of it stays. */
void sp_attach_library_remove(struct sp_attach_library *library);

/* --- the thread: choose.c */

/* What was done to the process. */
struct sp_attach_done {
	int tid;             /* the thread that has loaded the library; 0: none has */
	uint64_t stopped_ns; /* so long it was stopped */
	unsigned tries;      /* threads that were stopped in vain before, each for less than that */
	char why[160];       /* no thread was found */
	bool left;           /* a thread is still at it, and will go on by itself */
};

/* Lets a thread of the process load the library, or call what is loaded. 0; -EAGAIN: no thread was fit, and nothing has
 * changed (`why`); another negative errno: it cannot be traced. */
int sp_attach_load(const struct sp_attach_target *target, const struct sp_attach_library *library,
	struct sp_attach_done *done);

/* --- the call: inject.c */

struct user_regs_struct;

/* A thread that this command has stopped. */
struct sp_attach_hold {
	int pid, tid;
	uint64_t since_ns;
	bool gone; /* it has ended meanwhile */
};

/* Stops a thread, whose system call is then made again if it was broken off: 0, or a negative errno (-EPERM: not allowed; -ESRCH; -EBUSY: the process was stopped by somebody). */
int sp_attach_hold(struct sp_attach_hold *hold, int pid, int tid, int waited_ms, struct user_regs_struct *registers);
/* Lets it go on as it was; returns how long it was stopped. */
uint64_t sp_attach_let_go(struct sp_attach_hold *hold);

struct sp_attach_call {
	uint64_t function, argument; /* its second argument */
	const char *text;            /* its first; NULL: none */
	uint64_t sigreturn;
	const struct sp_attach_maps *maps;
};

/* Makes the held thread call a function that leads to the agent, and lets it go on where it was, in its system call if it
 * was in one. 0; -EAGAIN: it could not, and goes on as it was; -EINPROGRESS: it is still at it and will go on by itself;
 * -ENOEXEC: it has come back without having been in the agent; -ESRCH: it has ended. It is let go in every case. */
int sp_attach_inject(struct sp_attach_hold *hold, const struct user_regs_struct *registers,
	const struct sp_attach_call *call, uint64_t *stopped_ns);

#endif
