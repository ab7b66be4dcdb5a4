/* The parts of `smartprof where`: what each thread of a process does right now, as far as the kernel and the process's memory
 * tell it from outside. */
#ifndef SP_TOOLS_WHERE_H
#define SP_TOOLS_WHERE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/spool/read.h"
#include "symbolize/symbolize.h"
#include "tools/attach/attach.h"

#define SP_WHERE_FRAMES 64u

/* --- task.c: a thread, by /proc */

struct sp_where_task {
	int tid, inner_tid; /* inner: its number in its own pid namespace, which locks know */
	char name[32];
	char state;    /* as in proc(5) */
	bool has_call; /* it is in a system call, or was asked to stop in a page fault (call -1) */
	bool refused;  /* we may not ask */
	long call;
	uint64_t arguments[6];
	uint64_t sp, pc;
	uint64_t since_ns; /* it has not been on a CPU for so long; SP_WAITED_UNKNOWN */
};

struct sp_where_process {
	int pid;
	char name[32];
	struct sp_where_task *tasks;
	size_t count;
	struct sp_attach_maps maps;
	bool has_memory; /* its memory can be read */
};

/* Complains and returns an exit status, or 0. To be freed in both cases. */
int sp_where_read(struct sp_where_process *process, const char *pid);
void sp_where_free(struct sp_where_process *process);

/* Looks at the thread again: false when it is not where it was found, and then it is as it is now. */
bool sp_where_again(const struct sp_where_process *process, struct sp_where_task *task);

/* How often the thread has left a CPU; UINT64_MAX: it is gone. */
uint64_t sp_where_switches(const struct sp_where_process *process, int tid);

/* --- call.c: what a system call waits for */

/* What a futex is, for lock.c found that out. */
struct sp_where_lock {
	uint64_t address; /* 0: none */
	const char *kind; /* "mutex", "condition variable, semaphore or the like" … */
	int holder;       /* tid; 0: not known, or nobody */
	int ended;        /* tid of the thread that has not given it back before it ended; 0: there is none */
	bool is_free;     /* nobody has it, surely */
	uint64_t gil;     /* gil.c: its condition variable; 0: it is another lock */
	char place[200];  /* where it lies: "g_lock", "g_table+40", "prog+0x4040", "[heap]"; "" not known */
};

struct sp_where_wait {
	char what[640]; /* one phrase, clean: "read(fd 5: pipe:[123])" */
	int fd;         /* -1: none */
	char file[400]; /* what the descriptor is */
	struct sp_where_lock lock;
};

/* "read", or NULL. */
const char *sp_where_call_name(long call);
void sp_where_wait_read(struct sp_where_wait *wait, const struct sp_where_process *process,
	const struct sp_where_task *task);

/* fd.c: what a descriptor of the process is: a path, "TCP 127.0.0.1:5432 to 127.0.0.1:40112", "pipe:[12]". */
void sp_where_fd(char *to, size_t size, int pid, int fd);

/* lock.c */
void sp_where_lock_read(struct sp_where_lock *lock, const struct sp_where_process *process, uint64_t address,
	bool is_mutex);

/* The thread that has that number in its own pid namespace; 0: there is none. */
int sp_where_outer_tid(const struct sp_where_process *process, int inner);

/* Who holds it now. */
void sp_where_lock_again(struct sp_where_lock *lock, const struct sp_where_process *process);

/* ", held by thread 12 name", ", which thread 12 has not given back before it ended", or nothing. */
void sp_where_put_holder(struct sp_buffer *out, const struct sp_where_process *process,
	const struct sp_where_lock *lock);

/* gil.c: Python's interpreter lock, which a thread waits for by a condition variable. False: that is not what stands there. */
bool sp_where_gil_read(struct sp_where_lock *lock, const struct sp_where_process *process, uint64_t futex);
bool sp_where_gil_again(struct sp_where_lock *lock, const struct sp_where_process *process);

/* --- stack.c */

struct sp_where_code;

struct sp_where_stack {
	uint64_t frames[SP_WHERE_FRAMES]; /* innermost first; all but the first are return addresses */
	size_t count, guessed;            /* from that frame on; SIZE_MAX none */
	bool whole;                       /* to the thread's start */
};

struct sp_where_code *sp_where_code_new(const struct sp_where_process *process,
	const struct sp_symbolizer_options *symbols);
void sp_where_code_free(struct sp_where_code *code);

/* Where the file of a mapping begins, and how far from where it was linked for; false: it is no module, or the address lies
 * behind its data, and *base is where it would begin. */
bool sp_where_module(const struct sp_where_process *process, const struct sp_attach_map *map, uint64_t address,
	uint64_t *base, uint64_t *bias);

/* Of a thread in a system call. */
void sp_where_walk(struct sp_where_code *code, const struct sp_where_process *process, const struct sp_where_task *task,
	struct sp_where_stack *stack);

/* The names of a frame, innermost inlined function first; *module is a path, or "" for code in no file, and *offset the
 * place in it. */
size_t sp_where_names(struct sp_where_code *code, const struct sp_where_stack *stack, size_t frame,
	struct sp_symbol *names, size_t max, const char **module, uint64_t *offset);

/* --- text.c, json.c */

struct sp_where_thread {
	struct sp_where_task *task;
	struct sp_where_wait wait;
	struct sp_where_stack stack;
	bool sampled;   /* the stack is the thread's last sample's */
	bool moved;     /* it did something else before its stack was read */
	char says[160]; /* what the stack tells besides, clean; "" nothing */
};

/* circle.c: threads that wait for each other's locks in a circle, all at the same moment, from one of them on; 0: there is
 * none. to: room for all. */
size_t sp_where_circle(const struct sp_where_process *process, const struct sp_where_thread *threads,
	const struct sp_where_thread **to);

void sp_where_put_text(struct sp_buffer *out, const struct sp_where_process *process, struct sp_where_code *code,
	const struct sp_where_thread *threads);
json_t *sp_where_json(const struct sp_where_process *process, struct sp_where_code *code,
	const struct sp_where_thread *threads);

#endif
