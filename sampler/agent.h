/* The agent's state, and the rules of entering it.
 *
 * There are two mutable globals in the target: `sp_agent`, one per process, and `sp_tls`, one per
 * thread. A thread is inside the agent while sp_tls.guard is set: sp_enter() sets it and hands
 * out the thread's state, sp_leave() clears it, and every function that records takes that state
 * as an argument, so that having it proves that the guard is held. */
#ifndef SP_SAMPLER_AGENT_H
#define SP_SAMPLER_AGENT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sampler/arch.h"
#include "sampler/spool.h"

#define SP_HIDDEN __attribute__((visibility("hidden")))
#define sp_likely(x) __builtin_expect(!!(x), 1)
#define sp_unlikely(x) __builtin_expect(!!(x), 0)

/* Large zeroed tables stand behind the small variables, so that a process that needs none of them
 * touches none of their pages (the linker sorts sections by name). */
#define SP_BIG __attribute__((section(".bss.z_big")))
/* The table whose beginning every process touches is the first of them, on pages that hold nothing else: the fewer pages a start
 * touches, the less it costs. */
#define SP_BIG_AT_START __attribute__((section(".bss.y_start")))

/* What every forked child runs stands together, right behind what every start runs: the kernel maps sixteen pages around one that is
 * touched. */
#define SP_AT_FORK __attribute__((section(".text.hot.fork")))

/* And what it writes, however little room is left behind it, stands in the first page of the variables. */
#define SP_WRITTEN_AT_FORK __attribute__((section(".data")))

/* Relaxed atomics on spool words. */
#define sp_load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define sp_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define sp_add(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)

enum sp_agent_state {
	SP_AGENT_OFF,        /* not wanted here, or it cannot work: hooks only forward */
	SP_AGENT_DORMANT,    /* loaded; waits for the process to use some CPU or memory */
	SP_AGENT_ACTIVATING, /* one thread is creating the spool */
	SP_AGENT_ACTIVE,
	SP_AGENT_STOPPED, /* sampled, and will no more: process ending, or sealed by seccomp */
};

/* Bytes a process may allocate before a spool is made for it: the first of a tree, and the others, of which there may be
 * thousands, and whose spools are thrown away at their end if they stayed below that. */
#define SP_DORMANT_BYTES (256 * 1024)
#define SP_DORMANT_CHILD_BYTES SP_SMALL_BYTES

#define SP_BLOCK_BYTES 65536u   /* one struct sp_thread and the private stack above it */
#define SP_BLOCK_TOUCHED 16384u /* of it, by a thread that is sampled */

/* What a thread remembers of a name in a node, so that it need not be looked up. */
struct sp_span_slot {
	uint64_t key;         /* the node that was open << 32 | name; 0: empty, for names begin at 1 */
	uint32_t node, count; /* the node that it makes; the thread's record of it, 0: there is no room for one */
};
#define SP_SPAN_SLOTS 64u

/* Of waits of about the same length whose part in the run queue is known. */
struct sp_wait_part {
	uint64_t ns, queue_ns, count;
};
#define SP_WAIT_LENGTHS 4u

/* What is known of the owner of a lock: see threads/holder.h. */
struct sp_holder {
	struct sp_thread *t; /* NULL: nothing */
	int tid;
	uint32_t span;        /* what it was doing then */
	uint32_t stack, call; /* what it told, 0: nothing; 1 + enum sp_wait_call, 0: it was on a CPU */
	uint64_t caller;      /* of that call */
	uint64_t asked_tsc;
};

/* Of calls that are too short for a look at each (waits/shorts.h): those that were looked at, ... */
struct sp_short_part {
	uint64_t calls, ns, waits, off_ns;      /* in so many of them it was off the CPU, for so long; ... */
	uint64_t asked, asked_off_ns, queue_ns; /* ... others, whose part in the run queue the kernel was asked for */
};

/* ... and all of one kind. */
struct sp_short_calls {
	uint64_t cycles, count; /* that were added up, and are in no record yet */
	uint64_t drawn, left;   /* cycles of a batch; until it is full */
	uint32_t until_look;    /* calls; ... */
	uint32_t gap;           /* ... mean of the last draw of that */
	uint64_t longest_ns;    /* wait of a call that was looked at */
	struct sp_short_part looked;
	uint64_t long_calls, long_ns, long_off_ns; /* of such, remembered for longer */
};

/* What a thread remembers of its waits. */
struct sp_thread_waits {
	uint64_t looked_tsc;      /* when its CPU time was last looked at; 0 never */
	uint64_t looked_cpu_ns;   /* that, ... */
	uint64_t looked_switches; /* ... and how often it had gone to sleep */
	uint64_t unlooked_ns;     /* waited since without a look */
	uint64_t looks;           /* at calls that are looked at each, ... */
	uint32_t look_doublings;  /* ... because they take sp_waits.look_cycles, so often doubled */
	uint64_t queue_ns;        /* in the run queue until then, ... */
	bool queue_known;         /* ... if it was asked for */
	uint64_t queue_off_ns;    /* not on a CPU since, and no part of a wait */
	uint64_t queue_cost_ns;   /* what asking has taken */
	uint64_t usual_ns;        /* how long one of its longer waits takes ... */
	bool pick_near;           /* ... so that the next may well be sampled */
	struct sp_wait_part parts[SP_WAIT_KINDS][SP_WAIT_LENGTHS];
	struct sp_short_calls shorts[SP_WAIT_KINDS];
	uint64_t short_looks;    /* at such calls, the next one ... */
	uint32_t look_call;      /* ... when this is called, enum sp_wait_call, ... */
	uint32_t look_tries;     /* ... so many times, until one lasts, ... */
	uint64_t looked_began;   /* ... which has begun then, ... */
	uint64_t short_queue_ns; /* ... what it had waited for CPUs then, ... */
	bool short_queue_known;  /* ... if it was asked for */
	uint64_t interval_ns;    /* at which the running countdown was drawn; 0: none runs */
	int64_t left_ns;         /* to wait until the next sample */
	uint32_t burst;          /* samples since the interval was looked at */
	uint32_t told_stack;     /* atomic: where the thread was when it was last asked (threads/holder.h), ... */
	uint32_t told_call;      /* ... in which call, 1 + enum sp_wait_call, ... */
	uint64_t told_caller;    /* ... called from there, ... */
	uint64_t told_tsc;       /* ... and when it told */
	const int *asked;        /* atomic: the word of a lock that it held when it was asked, NULL: it is not; ... */
	int asked_mine;          /* atomic: ... and what that is as long as it holds it */
	uint64_t gil; /* the condition that it waits for an interpreter's lock with (waits/gil.h), 0: none ... */
	struct sp_holder gil_holder; /* ... and who has that */
};

/* The record that other tools read of a thread (OTEP 4947), with one attribute: packed, as laid down there. */
struct sp_context {
	uint8_t trace_id[16], span_id[8], valid, flags;
	uint16_t attributes_bytes;
	uint8_t key, length;
	char value[SP_SPAN_TEXT_MAX];
};
_Static_assert(offsetof(struct sp_context, key) == 28, "as OTEP 4947 has it");

/* What a thread tells of its spans: see spans/context.h. */
struct sp_thread_context {
	bool shown;           /* its pointer leads to the record */
	uint64_t trace_id[2]; /* of the spans that are open, ... */
	uint64_t span_ids[SP_SPAN_DEPTH];
	struct sp_context record;
};

#define SP_LOOP_SITES 4u

/* Where a thread waits for events: see spans/loop.h. */
struct sp_thread_loop {
	uint64_t sites[SP_LOOP_SITES]; /* places that may be the loop's, ... */
	uint32_t rounds[SP_LOOP_SITES];
	uint64_t site, frame;  /* ... and the one that is, with its frame; 0: none yet */
	uint64_t returned_tsc; /* the last call there did; 0: none has since it was counted */
	uint32_t node, count;  /* of the span, and the thread's record of it */
};

/* What a thread remembers of the frames of its last walk, from the outermost on: see walk/trail.h. */
struct sp_walked {
	uint64_t ip, sp, bp;
	int32_t bp_at;           /* from sp: its caller's frame pointer, ... */
	uint32_t return_at : 24; /* ... and its return address, ... */
	uint32_t step : 8;       /* ... if the step to its caller is known */
};

struct sp_last_walk {
	uint64_t unload_gen;                        /* at which it was walked */
	uint32_t count;                             /* atomic */
	struct sp_walked frames[2 * SP_MAX_FRAMES]; /* and those of a walk that is under way */
};

#define SP_NOTED_FRAMES 96u

/* The outer frames of the stack whose modules the thread entered last, from the outermost one on: see spool/modules.h. */
struct sp_noted {
	uint32_t spool, epoch, unload_gen; /* then; with others nothing is known */
	uint32_t depth;
	uint64_t frames[SP_NOTED_FRAMES];
};

/* Whether a thread that has begun with our signal blocked lets it through now. */
enum {
	SP_SIGNAL_COMES,
	SP_SIGNAL_BLOCKED,
	SP_SIGNAL_LOOKED_AT, /* by another thread, which arms its clocks if it does */
};

#define SP_CLOCK_BUSY 2u /* of clock_state: somebody arms or stops the thread's clocks */

/* Per-thread state in the agent's own memory, from the pool in threads/block.c; recycled. The rest of the block is the
 * private stack, on which the agent works. */
struct sp_thread {
	struct sp_tls *tls; /* of the thread that owns the block; NULL while free */
	uint32_t next_free; /* pool link: index + 1 */
	uint32_t index;
	uint32_t alive;                  /* of the first block alone: sp_agent.alive leads here */
	struct sp_thread_record *record; /* in the spool; NULL when the table was full */
	int tid;                         /* 0 while no thread has the block */
	bool armed;                      /* atomic: its clocks are, or are just being armed */
	uint32_t clock_state; /* atomic: whether they are to be, and whether somebody sees to it (clock/clock.c) */
	uint8_t waits;        /* atomic, SP_SIGNAL_...: whether its clocks wait for it */
	uint64_t
		unblocked_sleeps; /* how often it had slept, and one, when it was found not to block it; 0: it did, or that is not told */
	bool first_sample;           /* the next user sample is this thread's first ... */
	uint64_t first_weight_ns;    /* ... and stands for the interval its phase was drawn from */
	uint32_t clocks;             /* SP_THREAD_EVENT | ...: those armed */
	int event_fd;                /* number the event had when its signals were routed */
	bool event_shared;           /* the application has that number, and its signals as well */
	bool event_open;             /* atomic: its descriptor is, while it is armed */
	void *event_page;            /* mapping that keeps the event alive after close */
	int timer;                   /* kernel timer id */
	uint64_t timer_ns;           /* its interval */
	bool listed;                 /* the thread registry has it */
	bool discovered;             /* there before the agent, or made behind its back: see upkeep/discovery.h */
	bool owned;                  /* sp_tls.thread of its thread is this block: the thread's end will be noticed */
	bool met;                    /* discovered: has been in our handler, so that `foreign` is known */
	bool foreign;                /* discovered: has no thread-local storage of its own that we could use */
	bool inside;                 /* foreign: in our handler */
	uint32_t seen;               /* discovered: last scan that saw it */
	uint64_t measured_ns;        /* discovered: when its CPU time was looked at from outside */
	uint64_t start_ticks;        /* discovered: with tid, names the thread */
	uint64_t period_ns;          /* of the armed event */
	uint64_t drawn_ns;           /* interval its period was drawn from */
	uint32_t period_left;        /* samples until a new random period */
	uint32_t calibrating;        /* atomic: signals seen by a measurement of their cost; 0: none is under way */
	uint64_t calibration_cycles; /* that the signal being handled has spent on one */
	uint64_t window_switches, window_cpu_ns; /* where the current count of switches began */
	bool event_waits;                        /* for the thread's first tick, to show how often it switches */
	uint64_t counted_sys_ns;   /* system time used while it had an event, less than an interval so far */
	uint64_t counted_switches; /* those up to here are in the totals, if they cost anything */
	uint64_t random;
	uint64_t user_base_ns;              /* user time when the clocks were armed: no sample covers it */
	uint64_t user_seen_ns, sys_seen_ns; /* getrusage at the last tick that gave a sample */
	uint64_t user_tick_ns, sys_tick_ns; /* getrusage at the last tick or look */
	uint64_t faults_tick;               /* and page faults */
	uint64_t calm_cpu_ns, calm_sys_ns;  /* getrusage when it was last judged ... */
	bool calm;                          /* ... whether hardly any of its time is the kernel's: its ticks are rare */
	bool looked;                        /* getrusage was read since the last tick, ... */
	uint64_t since_tick_ns;             /* ... since which event samples have stood for so much */
	uint64_t interrupts_ns;             /* system time to be spread over the next event samples */
	uint32_t uncalled_ppm;              /* of the last ticks, those in the kernel for no call and no page fault */
	int64_t user_drift_ns;              /* user time the event samples are behind (or ahead) of the clock */
	uint64_t heap_interval;             /* at which the running countdown was drawn */
	uint64_t burst_began, burst_cycles; /* of the last few heap samples, in cycles */
	uint32_t burst_samples;
	uint64_t sampled_tsc;             /* when the last heap sample was taken */
	uint64_t root_pc;                 /* return address into the C library's thread start; 0: main thread */
	uint64_t stack_high, stack_bytes; /* of the thread's own stack, what is mapped for sure; 0: unknown */
	uint64_t user_assigned_ns, sys_assigned_ns; /* weights given to samples so far */
	uint32_t stops;                             /* those up to here it knows of */
	bool heap_stopped;                          /* its allocations are counted, not sampled ... */
	uint64_t stopped_bytes, stopped_count;      /* ... since it had made so many */
	uint32_t exit_rounds;
	uint64_t made_ns; /* since start: when pthread_create was called for it; 0: not known */
	void *start;      /* routine the thread was created with, or is to be */
	struct sp_thread_waits wait;
	struct sp_thread_loop loop;
	struct sp_span_thread *spans; /* what is open, in the spool; NULL before the first span */
	uint32_t span_node;           /* the innermost: every sample of the thread is in it */
	uint32_t span_counts;         /* records of SP_SEC_SPAN_COUNTS that are the thread's, by their `mine` */
	uint32_t span_beyond;         /* open beyond SP_SPAN_DEPTH: */
	uint32_t span_beyond_names[SP_SPAN_DEPTH]; /* of the first of these */
	uintptr_t span_busy_at; /* the thread is beginning or ending one, here on its stack; 0: it is not */
	bool span_measuring;    /* what a span costs: these are the agent's own */
	bool span_slow;         /* a slow response was counted */
	uint64_t span_scale;    /* tsc_per_us_x1024 when this was computed: */
	double span_ns_per_cycle;
	bool span_framed; /* some had a frame: */
	uint64_t span_frames
		[SP_SPAN_DEPTH]; /* of those that are open, where their frames are in the thread's own stack; 0: they have
	                                      * none that is known */
	struct sp_span_slot span_slots[SP_SPAN_SLOTS];
	struct sp_thread_context context;
	struct sp_noted noted;
	uint64_t frames[SP_MAX_DEPTH]; /* unwinding buffer */
	struct sp_last_walk last_walk;
};

/* Where a thread of the C library's begins. */
struct sp_thread_place {
	uint64_t root_pc;                 /* return address into the C library's thread start; 0: main thread */
	uint64_t stack_high, stack_bytes; /* of the thread's own stack, what is mapped for sure; 0: unknown */
};

/* Thread-local: initial-exec, and small, because it comes out of every thread's stack. The heap
 * counters live here so that the fast path of malloc touches nothing else; they are copied to the
 * thread's record in the spool whenever the thread enters the agent. */
struct sp_tls {
	struct sp_heap_counters heap; /* first: addressed by the fast path */
	int64_t heap_left;            /* bytes until the next sample beyond the countdown */
	struct sp_thread *thread;
	uint32_t guard;               /* inside the agent */
	uint32_t dead;                /* the thread's state has been given back: it is ending */
	uint16_t resolving;           /* inside the loader on our behalf: what it allocates comes from the arena */
	bool vforked;                 /* it may be the child of the thread's vfork that looks: both have this */
	uint64_t waited;              /* cycles in calls that have blocked */
	struct sp_thread_place place; /* of its stack: a forked child has it, but no block */
};
_Static_assert(sizeof(struct sp_tls) <= 128, "TLS of a preloaded library shrinks every thread's stack");

extern __thread struct sp_tls sp_tls SP_HIDDEN __attribute__((tls_model("initial-exec")));

/* Memory that is worth a mark. */
enum { SP_MEMORY_WARNING, SP_MEMORY_CRITICAL, SP_MEMORY_PROFILING, SP_MEMORY_HIGH, SP_MEMORY_RULES };

struct sp_memory_threshold {
	uint64_t bytes; /* 0: none */
	bool given;     /* somebody has set it: a profile of the moment is wanted */
};

/* What preload/ decided from env/'s settings. */
struct sp_sampler_config {
	bool cpu, heap, copies;
	uint64_t cpu_interval_ns;
	uint64_t heap_interval_bytes;
	uint32_t sample_cap;
	uint32_t budget_permille;
	struct sp_memory_threshold memory[SP_MEMORY_RULES];
	uint64_t wait_interval_ns, wait_threshold_ns;
	uint64_t cpu_permille;   /* CPU use that is worth a mark, of one core; 0: none */
	uint64_t response_ns;    /* spans that take longer are slow; 0: none is */
	bool response_given;     /* somebody has set that */
	uint64_t span_log_bytes; /* size at which the timing log begins a new file */
	int signal;
};

#define SP_ALIVE 0x5350u

#define SP_TSC_DISABLED 1u /* in some thread, by PR_SET_TSC */
#define SP_TSC_SEALED 2u   /* the application is about to install a seccomp filter: the strict one forbids it */

struct sp_agent {
	int state;        /* atomic, enum sp_agent_state */
	uint32_t stopped; /* atomic: sampling is, until it is started (upkeep/control.h) */
	uint32_t stops;   /* atomic: how often it was */
	uint32_t sealed;  /* 1 + the state before the application installed a seccomp filter */
	uint32_t shut;    /* atomic: our handler and sp_block_others block our own signal, too; none of ours is directed
	                    * at the process any more */
	uint32_t locks_memory;    /* atomic: what is mapped from now on will be locked (mlockall) */
	bool pre_activation_heap; /* a dormant process's allocations are sampled too */
	uint64_t dormant_bytes;   /* SP_DORMANT_BYTES or SP_DORMANT_CHILD_BYTES */
	bool one_stack;           /* valgrind runs the program */
	bool attached;            /* loaded into a process that ran already: no function is hooked */
	uint32_t *
		alive; /* SP_ALIVE among the blocks, which a forked child finds wiped; NULL: none was taken in this process */
	int pid;
	uint32_t uid; /* the user who owns the spool */
	struct sp_sampler_config config;
	bool has_spool; /* there is one that is ours; in a forked child, or after a failure, `spool` is memory that is nobody's: what a
	                 * handler that forks has interrupted finds its end on that */
	struct sp_spool_header *spool; /* NULL: there was none so far */
	uint8_t *spool_map;            /* what sections are counted from */
	const char *single_threaded;   /* the C library's __libc_single_threaded */
	uint64_t start_monotonic_ns, start_tsc;
	uint64_t tsc_per_us_x1024;            /* cycles in a microsecond, times 1024 */
	uint32_t tsc_measured;                /* atomic: that is no assumption */
	uint32_t span_log_mask;               /* atomic: the ring's size less 1; 0: there is no timing log */
	uint32_t span_context;                /* atomic: others can see which span a thread is in (spans/context.h) */
	uint32_t tsc_forbidden;               /* atomic: SP_TSC_..., why the cycle counter is not read */
	uint64_t unload_gen;                  /* atomic: raised by every dlclose */
	void (*activate)(void);               /* preload's: make the spool, arm the clocks; any context */
	struct sp_shared_rules *shared_rules; /* atomic: walk/shared.h; NULL: there are none */
	void (*share)(void);                  /* preload's: look for what the tree's processes share; any context */
	void (*adopt)(void);                  /* preload's: take the calling thread in; normal context */
	void (*look)(void);                   /* preload's: whether the profiling signal is still ours; any context */
	void (*forked)(void);                 /* preload's: this is a child made without atfork handlers */
	void (*watch_forks)(void);            /* preload's: the process may be about to fork; normal context */
	uint64_t thread_root_pc;              /* sp_thread.root_pc of some thread; 0 while there was none */
	const void *own_start, *own_end;      /* the agent's own mapping */
	uint64_t page_bytes;                  /* the kernel's; 0: not asked, 4096 */
};
extern struct sp_agent sp_agent SP_HIDDEN;

/* Makes an atomic word no less than `value`. */
static inline void sp_raise(uint64_t *word, uint64_t value)
{
	uint64_t was = sp_load(word);

	while (value > was &&
		!__atomic_compare_exchange_n(word, &was, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* A try-lock that a forked child does not inherit from a thread that it does not have: the word tells whose
 * process holds it. 0 is free. */
static inline bool sp_try_lock(uint32_t *lock)
{
	uint32_t mine = 1u << 31 | (uint32_t)sp_agent.pid, held = sp_load(lock);

	return held != mine &&
		__atomic_compare_exchange_n(lock, &held, mine, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void sp_unlock(uint32_t *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

/* Counts something that was not recorded. */
static inline void sp_drop(enum sp_drop why)
{
	if (sp_agent.has_spool)
		sp_add(&sp_agent.spool->drops[why], 1);
}

/* enum sp_agent_state. Whoever sees that the agent is active sees all that was made ready before. */
static inline int sp_agent_state(void)
{
	return __atomic_load_n(&sp_agent.state, __ATOMIC_ACQUIRE);
}

/* The kernel maps, unmaps and populates by its own pages, and refuses or exceeds what does not begin or end with one: they have 4
 * KB on x86-64, and 4, 16 or 64 KB on aarch64. Any context. */
static inline uint64_t sp_page_bytes(void)
{
	return sp_agent.page_bytes ? sp_agent.page_bytes : 4096;
}

static inline uint64_t sp_page_start(uint64_t at)
{
	return at & ~(sp_page_bytes() - 1);
}

static inline uint64_t sp_page_end(uint64_t at)
{
	return sp_page_start(at + sp_page_bytes() - 1);
}

/* Zeroes a large table, of which few pages may be in use: those that are go back to the kernel, and none is touched. */
void sp_clear_pages(void *table, size_t bytes) SP_HIDDEN;

static inline void *sp_section(enum sp_section section)
{
	return sp_agent.spool_map + sp_agent.spool->sections[section].offset;
}

/* The number of the thread's record in the spool, 0 when it has none. */
static inline uint32_t sp_thread_record_index(const struct sp_thread *t)
{
	return t && t->record ? (uint32_t)(t->record - (struct sp_thread_record *)sp_section(SP_SEC_THREADS)) : 0;
}

/* Whether the C library believes that there is one thread. */
static inline bool sp_is_single_threaded(void)
{
	return sp_agent.single_threaded && *(volatile const char *)sp_agent.single_threaded;
}

/* Whether the address is in the agent's own mapping. Any context. */
static inline bool sp_is_own(uint64_t at)
{
	return at - (uint64_t)(uintptr_t)sp_agent.own_start <
		(uint64_t)((const char *)sp_agent.own_end - (const char *)sp_agent.own_start);
}

/* True in a child made by fork, _Fork or a raw clone whose parent's state this still is. */
static inline bool sp_is_stale_child(void)
{
	return sp_agent.alive && *(volatile uint32_t *)sp_agent.alive != SP_ALIVE;
}

/* Enters the agent: the thread's state, or NULL when there is nothing to record into (not active, a forked child that
 * does not know yet that it is one, re-entered, unknown thread). Any context; never blocks. Pair with sp_leave. */
struct sp_thread *sp_enter(void) SP_HIDDEN;
void sp_leave(struct sp_thread *t) SP_HIDDEN;

/* Nanoseconds since the agent was loaded. Any context. */
uint64_t sp_now_ns(void) SP_HIDDEN;

/* Learns how fast the cycle counter runs, from the time since start. Any context. */
void sp_calibrate_tsc(void) SP_HIDDEN;

/* Where nobody has found out yet how fast the counter runs: a program that hardly uses CPU time has no governor's step for
 * long. */
static inline void sp_tsc_ask(void)
{
	if (sp_unlikely(!sp_load(&sp_agent.tsc_measured)) && !sp_load(&sp_agent.tsc_forbidden))
		sp_calibrate_tsc();
}

/* Reads the cycle counter, which measures the agent's own cost and is calibrated against CLOCK_MONOTONIC. A program can
 * forbid itself to read it (prctl(2), PR_SET_TSC, inherited by its threads and children). It then dies of a reading, and of
 * the vdso's clocks, which read it too. Once the agent knows that, it computes the counter from the kernel's clock. Any
 * context. */
uint64_t sp_tsc_made(void) SP_HIDDEN;
static inline uint64_t sp_tsc(void)
{
	return sp_likely(!sp_load(&sp_agent.tsc_forbidden)) ? sp_cycles() : sp_tsc_made();
}

/* The same, as the first reading after the agent was entered from the application. Asks the kernel whether this thread may
 * read the counter: nothing else tells what a program has done by a system call of its own. */
uint64_t sp_tsc_first(void) SP_HIDDEN;

/* Copies memory of this process that may go away meanwhile. sp_read_memory: true when all of it was there; sp_read_mapped: how
 * many bytes of it were, of so many pages at the most. Any context. */
#define SP_READ_PAGES 6u
bool sp_read_memory(void *to, const void *from, size_t bytes) SP_HIDDEN;
size_t sp_read_mapped(void *to, uint64_t from, size_t bytes) SP_HIDDEN;

/* value * multiply / divide, where the product may not fit but the result does. */
static inline uint64_t sp_scale(uint64_t value, uint64_t multiply, uint64_t divide)
{
	return value / divide * multiply + value % divide * multiply / divide;
}

/* Cycles to nanoseconds, as calibrated, and back. */
static inline uint64_t sp_tsc_ns(uint64_t cycles)
{
	return sp_agent.tsc_per_us_x1024 ? sp_scale(cycles, 1024000u, sp_agent.tsc_per_us_x1024) : 0;
}
static inline uint64_t sp_tsc_cycles(uint64_t ns)
{
	return sp_scale(ns, sp_load(&sp_agent.tsc_per_us_x1024), 1024000u);
}

/* As sp_block_signals (sys.h), but leaves our own signal open where that does no harm. If the running thread blocks a signal
 * of ours that is directed at the process, the kernel hands it to a sleeping thread, whose system call it breaks
 * (retarget_shared_pending). Left open, it is turned away by the guard, which the caller must hold. own_stack: the caller
 * is known to run on its thread's own stack; else the kernel is asked whether it is an alternate one. */
uint64_t sp_block_others(bool own_stack) SP_HIDDEN;

/* Runs fn(arg) on the stack that ends at `top`. Unwindable: a plain frame-pointer frame. Under valgrind on the caller's: memcheck
 * would warn of another one, and DRD stops at an assertion when it is told of it. */
void sp_switch_stack(void (*fn)(void *), void *arg, void *top) SP_HIDDEN;
static inline void sp_on_stack(void (*fn)(void *), void *arg, void *top)
{
	if (sp_unlikely(sp_agent.one_stack))
		fn(arg);
	else
		sp_switch_stack(fn, arg, top);
}

static inline void *sp_thread_stack(struct sp_thread *t)
{
	return (char *)t + SP_BLOCK_BYTES;
}

/* xorshift64*: good enough to place samples, three instructions, no state but the thread's. */
static inline uint64_t sp_random(struct sp_thread *t)
{
	uint64_t x = t->random;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	t->random = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/* A uniform number in [0, 1). */
static inline double sp_uniform(struct sp_thread *t)
{
	return (double)(sp_random(t) >> 11) / 9007199254740992.0;
}

#endif
