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

/* Marks this moment: `smartprof report --at NAME` shows the heap as it is now, and `--since NAME` what has happened since.
 * name: 1 to 31 letters, digits, and -_+; one that is used again gets a number. Costs some 40 us; the heap is looked at by
 * the reader, later. Returns 1, or 0 when the process is not being sampled, the name is no such, or 64 marks were set.
 * Async-signal-safe. */
int smartprof_mark(const char *name) __attribute__((weak));

#ifdef __cplusplus
}
#endif

#endif
