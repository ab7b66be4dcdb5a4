/* Looks at how long a thread was not on a CPU. */
#include "sampler/waits/look.h"

#include <sys/resource.h>

#include "sampler/clock/governor.h"
#include "sampler/sys.h"

/* The cycle counter, by which the thread's time is taken, and the kernel's CPU time differ by less than this part. */
#define DRIFT_PART 4096u

/* A call in which the thread was off the CPU for less than this, and for less than this part of it, has not waited. */
#define RAN_NS 20000u
#define RAN_PART 8u

uint64_t sp_wait_look(struct sp_thread *t)
{
	struct sp_thread_waits *w = &t->wait;
	uint64_t began = sp_cycles(), cpu_ns = sp_clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t now =
		began + (sp_cycles() - began) / 2; /* when the kernel has read its clock, the same at each look */
	uint64_t wall_ns = sp_tsc_ns(now - w->looked_tsc), used_ns = cpu_ns - w->looked_cpu_ns + w->unlooked_ns;
	uint64_t off = wall_ns + wall_ns / DRIFT_PART;

	off = off > used_ns ? off - used_ns : 0;
	w->looked_tsc = now;
	w->looked_cpu_ns = cpu_ns;
	w->unlooked_ns = 0;
	return off;
}

uint64_t sp_wait_off(uint64_t ns, uint64_t off)
{
	return off < RAN_NS && off < ns / RAN_PART ? 0 : off < ns ? off : ns;
}

/* The kernel's answer changes what it tells of user and system time later, so it is asked only of those that were off the CPU. */
static bool has_slept(struct sp_thread_waits *w)
{
	uint64_t before = w->looked_switches;
	struct rusage ru;

	if (sp_sys(SYS_getrusage, RUSAGE_THREAD, &ru) != 0)
		return true;
	w->looked_switches = (uint64_t)ru.ru_nvcsw;
	return w->looked_switches != before;
}

uint64_t sp_wait_slept(struct sp_thread *t, uint64_t ns, uint64_t off)
{
	ns = sp_wait_off(ns, off);
	return ns && has_slept(&t->wait) ? ns : 0;
}
