/* The facts of this process that the rest of preload/ goes by. */
#include "preload/process.h"

#include <string.h>
#include <time.h>

#include "env/env.h"
#include "sampler/clock/clock.h"
#include "sampler/sys.h"

/* CPU time after which the process is worth a spool, at the next tick: of a tree's first one, and of the others. A spool
 * costs about a millisecond, and the thousand processes of a configure script use a few. */
#define START_CPU_NS 1000000u
#define START_CHILD_CPU_NS 5000000u

struct sp_process sp_process = {
	.output_dir = "", .output_file = "", .span_log = "", .tree = "", .library = "", .command = "", .cwd = ""};

struct sp_paths sp_paths SP_BIG __attribute__((aligned(4096)));

struct sp_where sp_process_where(void)
{
	return (struct sp_where){"", sp_process.cwd, sp_process.envp};
}

void sp_process_start_time(void)
{
	sp_agent.start_monotonic_ns = sp_clock_read_ns(CLOCK_MONOTONIC);
	sp_agent.start_tsc = 0;
	sp_agent.start_tsc = sp_tsc_first();
}

bool sp_process_arm_start(void)
{
	return sp_clock_arm_start(sp_process.is_root ? START_CPU_NS : START_CHILD_CPU_NS) == 0;
}

bool sp_is_vfork_child(void)
{
	return !sp_is_stale_child() && (int)sp_sys(SYS_getpid) != sp_agent.pid;
}

bool sp_is_under_valgrind(void)
{
	return sp_process.under_valgrind;
}
