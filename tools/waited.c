/* Since when a thread is not on a CPU. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/tools.h"

#define PROCESSOR_FIELD 39 /* of proc(5)'s stat */

/* When the scheduler last saw the thread run, in milliseconds of the clock of its CPU; negative: the kernel does not tell. */
static double last_ran_ms(int pid, int tid)
{
	char text[1024], *at;

	if (sp_proc_read(text, sizeof(text), "/proc/%d/task/%d/sched", pid, tid) <= 0)
		return -1;
	at = strstr(text, "se.exec_start");
	at = at ? strchr(at, ':') : NULL;
	return at ? strtod(at + 1, NULL) : -1;
}

/* The CPU it last ran on; negative: the kernel does not tell. */
static int last_cpu(int pid, int tid)
{
	char text[1024], *at;

	if (sp_proc_read(text, sizeof(text), "/proc/%d/task/%d/stat", pid, tid) <= 0)
		return -1;
	at = strrchr(text, ')');
	for (int field = 2; at && field < PROCESSOR_FIELD; field++)
		at = strchr(at + 1, ' ');
	return at ? atoi(at) : -1;
}

/* A CPU's clock is read by running there: those of two CPUs may be far apart, as what a hypervisor took is left out of each. */
static double clock_ms(int cpu)
{
	cpu_set_t all, one;
	double now;

	CPU_ZERO(&one);
	if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(all), &all) != 0)
		return -1;
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) != 0)
		return -1;
	sched_yield();
	now = last_ran_ms(getpid(), gettid());
	sched_setaffinity(0, sizeof(all), &all);
	return now;
}

uint64_t sp_waited_ns(int pid, int tid)
{
	double then = last_ran_ms(pid, tid), now = then > 0 ? clock_ms(last_cpu(pid, tid)) : -1;

	if (then <= 0 || now <= 0)
		return SP_WAITED_UNKNOWN;
	return now > then ? (uint64_t)((now - then) * 1e6) : 0;
}
