/* Waits by the system calls that they are: those that no hook has seen the end of, and those of programs that make them themselves. */
#ifndef SP_SAMPLER_THREADS_OPEN_WAIT_H
#define SP_SAMPLER_THREADS_OPEN_WAIT_H

#include "sampler/agent.h"
#include "sampler/wait_calls.h"

#define SP_WAIT_SYSTEM_CALLS 450
extern const unsigned char
	sp_wait_system_calls[SP_WAIT_SYSTEM_CALLS] SP_HIDDEN; /* 1 + enum sp_wait_call; 0: does not block */

/* Of those of which only some commands do. */
bool sp_wait_may_block(long number, uint64_t second) SP_HIDDEN;

/* The enum sp_wait_call that system call `number` is, with its second argument; -1: it does not block. */
static inline int sp_wait_of_system_call(long number, uint64_t second)
{
	int call = number >= 0 && number < SP_WAIT_SYSTEM_CALLS ? sp_wait_system_calls[number] - 1 : -1;

	return (call == SP_CALL_futex || call == SP_CALL_fcntl) && !sp_wait_may_block(number, second) ? -1 : call;
}

/* 1 + the kind of what thread `tid` is blocked in right now; 0: in nothing, or it cannot be told. 6 us. Any context. */
uint32_t sp_open_wait(int tid) SP_HIDDEN;

#endif
