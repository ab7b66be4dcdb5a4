/* The keeper: a small program that starts commands, so that none begins with the size of ours, which the kernel would tell
 * as its peak. It is a part of the command and runs from memory (tools/monitor/nursery.c).
 *
 * It reads orders from the socket that is its standard input, and leaves each to a process of its own: the subreaper of all that the
 * command starts, so that nothing escapes and what is left is known. */
#ifndef SP_TOOLS_MONITOR_KEEPER_H
#define SP_TOOLS_MONITOR_KEEPER_H

#include <stdint.h>
#include <sys/resource.h>

/* An order is a message of one byte with these descriptors. */
enum { SP_KEEPER_CONTROL, SP_KEEPER_ORDER, SP_KEEPER_IN, SP_KEEPER_OUT, SP_KEEPER_ERR, SP_KEEPER_FDS };

/* What stands in the file SP_KEEPER_ORDER, before the strings: the path, the arguments, the environment, each with its NUL. With `tree` four
 * more, for a tree of processes that is profiled (profiles/spool/tree_file.h): the file's path, and what its new one begins with, has behind
 * the process's number, and ends with. */
struct sp_keeper_order {
	uint64_t signals_blocked, signals_ignored; /* those of the command, a bit each */
	uint32_t arguments, variables, tree;
	uint32_t umask;
	uint32_t bytes; /* of the strings */
};

/* What the keeper tells by SP_KEEPER_CONTROL, a SOCK_SEQPACKET. */
enum sp_keeper_news {
	SP_KEEPER_STARTED, /* pid, at_ns; error: errno of the exec, and nothing else is told */
	SP_KEEPER_ENDED,   /* the command: all below but keeper and error */
	SP_KEEPER_OVER, /* everything that there was has ended, or (left > 0) goes on; usage is that of all that escaped */
};
struct sp_keeper_told {
	int32_t news, pid, keeper, error;
	int32_t status; /* as of wait(2) */
	uint32_t left;
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	struct rusage usage;
	uint64_t queue_ns;                  /* of its main thread */
	uint64_t read_bytes, written_bytes; /* of it and the children it waited for; UINT64_MAX: not to be known */
	uint64_t floor_bytes;               /* what a command begins with, at the most */
};

/* What it is told, a byte: to end all that there is, with SIGTERM first or at once. The end of the connection means the same as the second while
 * the command runs, and afterwards that what is left is left. */
#define SP_KEEPER_END 'e'
#define SP_KEEPER_KILL 'k'
#define SP_KEEPER_GRACE_MS 2000 /* between the signals */

#endif
