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

/* As "1.2.3". Any context. */
const char *smartprof_version(void) __attribute__((weak));

/* 1 while the process is being sampled; 0 before it has used enough CPU or memory to be worth it,
 * when profiling is off, or after it has ended. Async-signal-safe. */
int smartprof_active(void) __attribute__((weak));

/* What follows may be called by any thread, and in signal handlers.
 *
 * Marks this moment: `smartprof report --at NAME` shows the heap as it is now, and `--since NAME` what has happened since.
 * name: 1 to 31 letters, digits, and -_+; one that is used again gets a number. Costs some 25 us; the heap is looked at by
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

/* Spans. The macros below call these; `id` is the profiler's. Other languages call them with NULL for the site. */
struct smartprof_site {
	int computed; /* the name may be another one at each call */
	unsigned long id;
};
unsigned long smartprof_span_begin(struct smartprof_site *site, const char *name) __attribute__((weak));
void smartprof_span_leave(unsigned long begun, unsigned long limit_ns) __attribute__((weak));
void smartprof_span_end(struct smartprof_site *site, const char *name, const char *text) __attribute__((weak));
int smartprof_log_wanted(void) __attribute__((weak));
void smartprof_span_label(const char *key, const char *value) __attribute__((weak));
void smartprof_checkpoint(struct smartprof_site *site, const char *name, const char *text) __attribute__((weak));
void smartprof_async_begin(struct smartprof_site *site, const char *name, unsigned long id) __attribute__((weak));
void smartprof_async_end(struct smartprof_site *site, const char *name, unsigned long id) __attribute__((weak));

#ifdef __cplusplus
}
#endif

/* Where code is not position-independent (-no-pie), linkers take a weak function that no library defines for one that is never
 * there, unless its address is asked for as it is in code that is. */
#if defined(__x86_64__) && !defined(__PIC__)
#define SMARTPROF_ASK_(function) \
	__extension__({ \
		__typeof__(function) *smartprof_is_; \
		__asm__(".weak " #function "\n\t" \
			"{movq " #function "@GOTPCREL(%%rip), %0|mov %0, qword ptr " #function "@GOTPCREL[rip]}" \
			: "=r"(smartprof_is_)); \
		smartprof_is_; \
	})
#define smartprof_version SMARTPROF_ASK_(smartprof_version)
#define smartprof_active SMARTPROF_ASK_(smartprof_active)
#define smartprof_mark SMARTPROF_ASK_(smartprof_mark)
#define smartprof_snapshot SMARTPROF_ASK_(smartprof_snapshot)
#define smartprof_start SMARTPROF_ASK_(smartprof_start)
#define smartprof_stop SMARTPROF_ASK_(smartprof_stop)
#define smartprof_span_begin SMARTPROF_ASK_(smartprof_span_begin)
#define smartprof_span_leave SMARTPROF_ASK_(smartprof_span_leave)
#define smartprof_span_end SMARTPROF_ASK_(smartprof_span_end)
#define smartprof_log_wanted SMARTPROF_ASK_(smartprof_log_wanted)
#define smartprof_span_label SMARTPROF_ASK_(smartprof_span_label)
#define smartprof_checkpoint SMARTPROF_ASK_(smartprof_checkpoint)
#define smartprof_async_begin SMARTPROF_ASK_(smartprof_async_begin)
#define smartprof_async_end SMARTPROF_ASK_(smartprof_async_end)
#endif

/* Spans: names of the program's own work. Each is counted exactly, with how long it took and what was allocated in it, and
 * every sample of a thread is in the innermost span that the thread has open. Spans nest, 32 deep; each thread has its own.
 * A name is a string, a literal or computed; the profiler keeps 1,024 different ones, of 128 bytes each, so names must not
 * hold ids of requests or the like. Without the profiler a span costs one predictable branch; compiled with
 * SMARTPROF_DISABLE there is none, and no argument is evaluated.
 *
 *	SMARTPROF_START(name);            begins a span ...
 *	SMARTPROF_END(name);              ... which ends here, with all that was begun in it and has not ended
 *	SMARTPROF_BLOCK(name) { ... }     a span around a block; `break` and `continue` leave the block
 *	x = SMARTPROF_TIMED(name, f(y));  a span around an expression, whose value it has
 *	SMARTPROF_GUARD(name);            a span until the end of the scope, however that is left
 *	SMARTPROF_GUARD(name, limit_ms);  the same; it is counted as slow when it takes longer
 *	SMARTPROF_LABEL(key, value);      what the innermost span is about, from here on; of a key the last value counts, of 8 keys
 *	SMARTPROF_CHECKPOINT(name);       counts how often the program comes by here, and with how much memory
 *	SMARTPROF_END(name, format, ...), SMARTPROF_CHECKPOINT(name, format, ...): the same; the timing log says so of it, 128
 *	                                  bytes at the most. Only while there is such a log the arguments are evaluated.
 *	SMARTPROF_ASYNC_START(name, id);  work that one thread begins ...
 *	SMARTPROF_ASYNC_END(name, id);    ... and another may end: counted and timed, no sample is in it
 */
#define SMARTPROF_JOIN_(a, b) a##b
#define SMARTPROF_JOIN(a, b) SMARTPROF_JOIN_(a, b)

#ifdef SMARTPROF_DISABLE

#define SMARTPROF_START(name) ((void)0)
#define SMARTPROF_END(...) ((void)0)
#define SMARTPROF_CHECKPOINT(...) ((void)0)
#define SMARTPROF_BLOCK(name) \
	for (int SMARTPROF_JOIN(smartprof_once_, __LINE__) = 1; SMARTPROF_JOIN(smartprof_once_, __LINE__); \
		SMARTPROF_JOIN(smartprof_once_, __LINE__) = 0)
#define SMARTPROF_TIMED(name, expr) (expr)
#define SMARTPROF_GUARD(...) ((void)0)
#define SMARTPROF_LABEL(key, value) ((void)0)
#define SMARTPROF_ASYNC_START(name, id) ((void)0)
#define SMARTPROF_ASYNC_END(name, id) ((void)0)

#else

/* Every span is a probe of perf, bpftrace and gdb, too, where the header for that is installed: smartprof:span_begin and
 * smartprof:span_end, with the name; smartprof:checkpoint, and async_begin and async_end likewise. */
#if defined(__has_include)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define SMARTPROF_PROBE_(event, name) DTRACE_PROBE1(smartprof, event, name)
#endif
#endif
#ifndef SMARTPROF_PROBE_
#define SMARTPROF_PROBE_(event, name) ((void)0)
#endif

/* A span that ends with its scope. */
struct smartprof_scope {
	const char *name; /* a literal; NULL: it may be gone by the end */
	unsigned long begun, limit_ns;
	int done;
};

static inline __attribute__((unused)) struct smartprof_scope smartprof_scope_begin_(struct smartprof_site *site,
	const char *name, unsigned long limit_ms)
{
	struct smartprof_scope scope = {site->computed ? 0 : name, 0, limit_ms * 1000000ul, 0};

	SMARTPROF_PROBE_(span_begin, name);
	if (smartprof_span_begin)
		scope.begun = smartprof_span_begin(site, name);
	return scope;
}

static inline __attribute__((unused)) void smartprof_scope_end_(struct smartprof_scope *scope)
{
	SMARTPROF_PROBE_(span_end, scope->name);
	if (scope->begun)
		smartprof_span_leave(scope->begun, scope->limit_ns);
}

#define SMARTPROF_SITE_(variable, name) static struct smartprof_site variable = {!__builtin_constant_p(name), 0}
#define SMARTPROF_CALL_(call, event, name, ...) \
	do { \
		SMARTPROF_SITE_(smartprof_site_, name); \
		const char *smartprof_name_ = (name); \
		SMARTPROF_PROBE_(event, smartprof_name_); \
		if (call) \
			call(&smartprof_site_, smartprof_name_, ##__VA_ARGS__); \
		(void)smartprof_name_; \
	} while (0)

/* 1 where there is more than one argument, of 24 at the most. */
#define SMARTPROF_MORE_(...) \
	SMARTPROF_25TH_(__VA_ARGS__, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, )
#define SMARTPROF_25TH_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, ...) y

static inline __attribute__((unused, format(printf, 2, 3))) const char *smartprof_text_(char *text, const char *format,
	...)
{
	__builtin_va_list args;

	__builtin_va_start(args, format);
	__builtin_vsnprintf(text, 129, format, args);
	__builtin_va_end(args);
	return text;
}

#define SMARTPROF_SAY_(more, call, event, ...) SMARTPROF_JOIN(SMARTPROF_SAY_, more)(call, event, __VA_ARGS__)
#define SMARTPROF_SAY_0(call, event, name) SMARTPROF_CALL_(call, event, name, 0)
#define SMARTPROF_SAY_1(call, event, name, ...) \
	do { \
		char smartprof_said_[129]; \
		SMARTPROF_CALL_(call, event, name, \
			smartprof_log_wanted &&smartprof_log_wanted() ? smartprof_text_(smartprof_said_, __VA_ARGS__) \
								      : 0); \
	} while (0)
#define SMARTPROF_START(name) SMARTPROF_CALL_(smartprof_span_begin, span_begin, name)
#define SMARTPROF_END(...) SMARTPROF_SAY_(SMARTPROF_MORE_(__VA_ARGS__), smartprof_span_end, span_end, __VA_ARGS__)
#define SMARTPROF_CHECKPOINT(...) \
	SMARTPROF_SAY_(SMARTPROF_MORE_(__VA_ARGS__), smartprof_checkpoint, checkpoint, __VA_ARGS__)
#define SMARTPROF_ASYNC_START(name, id) SMARTPROF_CALL_(smartprof_async_begin, async_begin, name, (unsigned long)(id))
#define SMARTPROF_ASYNC_END(name, id) SMARTPROF_CALL_(smartprof_async_end, async_end, name, (unsigned long)(id))
#define SMARTPROF_LABEL(key, value) \
	do { \
		if (smartprof_span_label) \
			smartprof_span_label(key, value); \
	} while (0)

#define SMARTPROF_SCOPE_(variable, site, name, limit_ms) \
	struct smartprof_scope variable __attribute__((cleanup(smartprof_scope_end_), unused)) = __extension__({ \
		SMARTPROF_SITE_(site, name); \
		smartprof_scope_begin_(&site, name, limit_ms); \
	})
#define SMARTPROF_GUARD_(name, limit_ms, ...) \
	SMARTPROF_SCOPE_(SMARTPROF_JOIN(smartprof_guard_, __COUNTER__), smartprof_site_, name, limit_ms)
#define SMARTPROF_GUARD(...) SMARTPROF_GUARD_(__VA_ARGS__, 0, )
#define SMARTPROF_BLOCK(name) \
	for (SMARTPROF_SCOPE_(SMARTPROF_JOIN(smartprof_block_, __LINE__), smartprof_site_, name, 0); \
		!SMARTPROF_JOIN(smartprof_block_, __LINE__).done; SMARTPROF_JOIN(smartprof_block_, __LINE__).done = 1)
#define SMARTPROF_TIMED(name, expr) \
	__extension__({ \
		SMARTPROF_SCOPE_(smartprof_timed_, smartprof_site_, name, 0); \
		(expr); \
	})

#endif

#endif
