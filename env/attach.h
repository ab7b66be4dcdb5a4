/* What `smartprof attach` asks of the agent that it puts into a process which runs already, and what that answers. The
 * request stands in the agent's own data: the command writes it into its copy of the library before the process loads that,
 * and into the process's memory where it is loaded already. */
#ifndef SP_ENV_ATTACH_H
#define SP_ENV_ATTACH_H

#include <stdint.h>

#include "env/facts.h"

#define SP_ATTACH_LIBRARY "libsmartprof.so.attached-" /* the copy's name begins so */
#define SP_ATTACH_REQUEST "smartprof_attach_request"  /* the symbols of the request ... */
#define SP_ATTACH_CALL "smartprof_attach"             /* ... and of what is to be called where it is loaded already */
#define SP_ATTACH_MAGIC 0x3148434154544153ull         /* "SATTACH1" */

/* The command traces the thread, but lets it run: each stop would take time. The agent tells when it is done, by a thread that
 * ends at once (PTRACE_EVENT_VFORK_DONE), made with this for its thread pointer, which is not used. Without a tracer that
 * does nothing. */
#define SP_ATTACH_ENDS 0x7370656e64730000ull

enum sp_attach_answer { SP_ATTACH_NONE, SP_ATTACH_BEGUN, SP_ATTACH_REFUSED, SP_ATTACH_STARTED };

/* What every start reads comes last, next to the agent's variables (preload/variables.ld). */
struct sp_attach {
	char text[32768];
	char why[256];    /* the agent's: it was refused */
	char spool[1024]; /* the agent's: where the spool is, as the process sees it */
	struct sp_facts
		facts; /* what the command has read of the machine, so that the process need not be stopped for that */
	uint64_t run_ns; /* the process has run for so long */
	uint32_t arguments,
		variables; /* of the program's command line, and of an environment: that many strings in `text`,
	                                * one after the other, each with its NUL */
	uint64_t magic;
	uint32_t asked;  /* 1: start */
	uint32_t answer; /* enum sp_attach_answer */
};

#endif
