/* smartprof.h - what a program may ask the profiler it may be running under.
 *
 * Nothing needs to be linked: the functions are weak, and exist only in a process started with
 * LD_PRELOAD=libsmartprof.so. Test the address before the call:
 *
 *	if (smartprof_active && smartprof_active())
 *		...
 */
#ifndef SMARTPROF_H
#define SMARTPROF_H

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0". Any context. */
const char *smartprof_version(void) __attribute__((weak));

/* 1 while the process is being sampled; 0 before it has used enough CPU or memory to be worth it,
 * when profiling is off, or after it has ended. Async-signal-safe. */
int smartprof_active(void) __attribute__((weak));

/* What follows may be called by any thread, and in signal handlers.
 *
 * Marks this moment: `smartprof report --at NAME` shows the heap as it is now, and `--since NAME` what has happened since.
 * name: 1 to 31 letters, digits, and -_+; one that is used again gets a number. Costs some 40 us; the heap is looked at by
 * the reader, later. Returns 1, or 0 when the process is not being profiled, the name is no such, or 63 marks were set. */
int smartprof_mark(const char *name) __attribute__((weak));

/* The same, and the profile of this moment is written beside the one of the whole run when that is. */
int smartprof_snapshot(const char *name) __attribute__((weak));

/* Starts sampling, where it is stopped or the program was started with SMARTPROF_START=off, and begins a measurement that
 * smartprof_stop ends. Returns 1; 0 when the process cannot be profiled. */
int smartprof_start(void) __attribute__((weak));

#define SMARTPROF_POINTS 64

/* What a measurement has to say. Times are in nanoseconds, since it began; memory in bytes. */
struct smartprof_result {
	unsigned long long duration_ns, cpu_ns;
	unsigned long long peak_rss_bytes;  /* largest resident size that was seen */
	unsigned long long heap_bytes;      /* estimate of what is in use now; 0: the heap is not sampled */
	unsigned long long allocated_bytes; /* exact, up to each thread's last sample */
	unsigned long long samples;         /* of CPU time */
	unsigned int points;                /* of the timeline, evenly apart in time, the last one is now */
	struct {
		unsigned long long t_ns, cpu_ns, rss_bytes, heap_bytes;
	} timeline[SMARTPROF_POINTS];
};

/* Stops sampling, and tells of the time since smartprof_start, or since sampling began. result: NULL if that is not asked for;
 * it takes 2 KB. Returns 1; 0 when the process was not being sampled, and *result is as it was. */
int smartprof_stop(struct smartprof_result *result) __attribute__((weak));

#ifdef __cplusplus
}
#endif

#endif
