/* The spool: the one thing that passes between the agent and the command.
 *
 * One MAP_SHARED file per profiled process. The agent (sampler/, preload/) writes it while the
 * target runs; `smartprof` (profiles/spool/read.c) reads a copy, while the target still runs
 * or after it has died in whatever way. docs/SPOOL.md describes the layout for other readers.
 *
 * Layout: one struct sp_spool_header at offset 0, then SP_SECTIONS sections. Each section is an
 * array of fixed-size records whose place and capacity stand in the header's directory; the file
 * has its full size from the start, but only `committed` records of a section are backed by real
 * memory: a reader never looks beyond min(used, committed).
 *
 * Conventions: little-endian, naturally aligned, no pointers. Times in nanoseconds, sizes in
 * bytes; the unit is in the name. Index 0 of `modules`, `stacks`, `sites` and `waits` is the explicit
 * overflow record ("[overflow]"): counts that find their table full go there.
 *
 * Writers: any thread, any context. A record is filled first and made visible by a release store
 * of its `ready` word (or hash bucket); counters are relaxed atomics, except those in a thread
 * record, which only that thread writes (plain aligned 8-byte stores; a reader may see them one
 * event apart from each other). */
#ifndef SP_SAMPLER_SPOOL_H
#define SP_SAMPLER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sampler/wait_calls.h"

#define SP_SPOOL_MAGIC 0x31304c4f4f505053ULL /* "SPPOOL01" read as little-endian bytes */
#define SP_SPOOL_VERSION 8u

/* Names of spools end so; those of spools that are being made, which nobody looks at, in both. */
#define SP_SPOOL_SUFFIX ".spool"
#define SP_SPOOL_NEW_SUFFIX ".new"

/* Beside the spool of a root process, a symbolic link whose text tells where its profile goes, for root's renderers:
 * one of these letters and an absolute path. The spool itself stays writable for a process that is no longer root. */
#define SP_PLACE_SUFFIX ".place"
#define SP_PLACE_DIRECTORY 'd'
#define SP_PLACE_FILE 'f'

/* Beside the spools of a tree of processes, "<tree>" and this ending: a struct sp_tree_file, whose writer's lock is held
 * by the process that will render what the others leave. */
#define SP_TREE_SUFFIX ".tree"

/* Bytes of the file on which there are locks (F_OFD_SETLK). The writer's goes with the last mapping of the file, in
 * whatever way that ends; renderers hold the second while they are at it, who controls the process the third,
 * and who writes its timing log the fourth. */
#define SP_LOCK_WRITER 0
#define SP_LOCK_RENDERER 1
#define SP_LOCK_CONTROL 2
#define SP_LOCK_LOG 3

/* Below both, a process is not worth a profile: CPU time, and bytes allocated. */
#define SP_SMALL_CPU_NS 20000000u
#define SP_SMALL_BYTES 1000000

#define SP_MAX_FRAMES 256u   /* frames kept of one stack, leaf end first */
#define SP_TIMELINE_MAX 512u /* when full, every second point is dropped and the period doubles */
#define SP_SIZE_CLASSES 48u  /* class i counts allocations of (2^(i-1), 2^i] bytes */
#define SP_TIME_CLASSES 48u  /* class i counts times of [t(i), t(i+1)) ns, t(2k) = 2^k, t(2k+1) = 3 * 2^(k-1) */

/* Frames of a stack in the spool: those kept, and the one of SP_STACK_ENTRY. */
#define SP_MAX_DEPTH (SP_MAX_FRAMES + 1u)

enum sp_section {
	SP_SEC_TEXT,         /* char: command line, paths, settings; NUL-terminated, see sp_text */
	SP_SEC_MODULES,      /* struct sp_module */
	SP_SEC_THREADS,      /* struct sp_thread_record; 0 sums up ended threads that gave their record back */
	SP_SEC_BUCKETS,      /* uint32_t: open-addressing hashes over stacks, the writer's alone (stacks.c) */
	SP_SEC_STACKS,       /* struct sp_stack */
	SP_SEC_FRAMES,       /* uint64_t: absolute addresses, leaf first; a stack is a run of them: see SP_FRAME_JUMP */
	SP_SEC_SITES,        /* struct sp_site */
	SP_SEC_TIMELINE,     /* struct sp_timepoint */
	SP_SEC_LOG,          /* struct sp_log_entry: CPU samples in the order they were taken */
	SP_SEC_LIVE,         /* struct sp_live: sampled allocations that are alive */
	SP_SEC_COPIES,       /* struct sp_copy: stacks of broken walks, to be finished outside */
	SP_SEC_COPIED,       /* uint64_t: the words of those stacks */
	SP_SEC_MARKS,        /* struct sp_mark: moments that were marked */
	SP_SEC_MARKED,       /* struct sp_marked: what sites were at those */
	SP_SEC_SPAN_NAMES,   /* struct sp_span_name */
	SP_SEC_SPAN_NODES,   /* struct sp_span_node: which span was open in which; 0 is outside of all */
	SP_SEC_SPAN_COUNTS,  /* struct sp_span_count */
	SP_SEC_SPAN_THREADS, /* struct sp_span_thread: what is open now */
	SP_SEC_CHECKPOINTS,  /* struct sp_checkpoint */
	SP_SEC_TRACED,       /* struct sp_traced: the last CPU samples that were taken in a trace */
	SP_SEC_SPAN_SLOWEST, /* struct sp_span_slowest: the longest spans of a node */
	SP_SEC_SPAN_TAIL,    /* struct sp_span_tail: what was sampled in slow spans */
	SP_SEC_SPAN_EVENTS,  /* struct sp_span_event: the timing log's, record 0 a struct sp_span_log */
	SP_SEC_WAITS,        /* struct sp_wait_site */
	SP_SEC_LOCKS,        /* struct sp_lock */
	SP_SECTIONS
};

/* Of a copy's stack at the most: 16 KB, and the red zone below its stack pointer. */
#define SP_COPY_WORDS_MAX (2048u + 16u)

/* The kind of processor, as ELF numbers it: registers and copied stacks mean something to a command for the same kind alone. */
#ifdef __aarch64__
#define SP_MACHINE 183u
#else
#define SP_MACHINE 62u
#endif

/* Records that no agent makes room for more of: a spool with more is damaged. Timeline: SP_TIMELINE_MAX. */
#define SP_TEXT_MAX (512u * 1024u)
#define SP_MODULES_MAX 4096u
#define SP_THREADS_MAX 4096u
#define SP_STACKS_MAX 131072u
#define SP_BUCKETS_MAX (SP_STACKS_MAX * 4u)
#define SP_FRAMES_MAX (SP_STACKS_MAX * 16u)
#define SP_SITES_MAX (SP_STACKS_MAX / 2u)
#define SP_LOG_MAX (1u << 20)
#define SP_LIVE_MAX SP_STACKS_MAX
#define SP_COPIES_MAX 257u
#define SP_COPIED_MAX (SP_COPIES_MAX * SP_COPY_WORDS_MAX)
#define SP_MARKS_MAX 64u
#define SP_MARKED_MAX SP_SITES_MAX
#define SP_SPAN_NAMES_MAX 1025u
#define SP_SPAN_NODES_MAX 4097u
#define SP_SPAN_COUNTS_MAX 8193u
#define SP_SPAN_THREADS_MAX 2049u
#define SP_CHECKPOINTS_MAX 257u
#define SP_TRACED_MAX 8193u
#define SP_SPAN_SLOWEST_MAX (256u * SP_SPAN_KEPT + 1u)
#define SP_SPAN_TAIL_MAX 8193u
#define SP_SPAN_EVENTS_MAX 16385u
#define SP_WAIT_SITES_MAX 8192u
#define SP_LOCKS_MAX 2048u
#define SP_SPOOL_MAX_BYTES (128u << 20)

struct sp_section_entry {
	uint64_t offset;    /* from the start of the file */
	uint32_t stride;    /* bytes of one record */
	uint32_t capacity;  /* records that fit */
	uint32_t used;      /* atomic: records handed out (may exceed capacity: the rest overflowed) */
	uint32_t committed; /* atomic: records backed by memory */
};

enum sp_spool_state {
	SP_STATE_RUNNING = 1, /* being written, or the process died without telling */
	SP_STATE_EXEC = 2,    /* the process called execve and did not come back (yet) */
	SP_STATE_ENDED = 3,   /* complete: exit_kind and end times are set */
};

enum sp_exit_kind { SP_EXIT_UNKNOWN = 0, SP_EXIT_CODE = 1, SP_EXIT_SIGNAL = 2 };

enum sp_cpu_clock {
	SP_CLOCK_OFF = 0,
	SP_CLOCK_EVENT = 1,   /* perf task-clock events for user time, thread CPU timers for system time */
	SP_CLOCK_TIMER = 2,   /* thread CPU timers alone: one sample a kernel tick */
	SP_CLOCK_PROCESS = 3, /* one CPU timer for all threads, at the kernel's tick: the last resort */
};

/* Where cpu.signal_gap_ns comes from. */
enum sp_cost_source {
	SP_COST_ASSUMED = 0, /* nothing was measured: a typical figure */
	SP_COST_CACHED = 1,  /* measured by another process of this user since the machine started */
	SP_COST_MEASURED = 2 /* measured here */
};

/* Why a sample, an allocation or a thread was not recorded; each is counted in the header. */
enum sp_drop {
	SP_DROP_REENTRY,    /* the thread was inside the agent already */
	SP_DROP_NO_THREAD,  /* a signal on a thread the agent does not know */
	SP_DROP_STACKS,     /* stack table full: counted in stack 0 */
	SP_DROP_FRAMES,     /* frame pool full: counted in stack 0 */
	SP_DROP_SITES,      /* site table full: counted in site 0 */
	SP_DROP_LIVE,       /* live set full: the allocation counts as allocated, never as in use */
	SP_DROP_MODULES,    /* module table full: frames stay bare addresses */
	SP_DROP_THREADS,    /* no record for a thread: its time is in record 0 once it has ended */
	SP_DROP_CLOCK,      /* a clock could not be armed for a thread */
	SP_DROP_SAMPLE_CAP, /* the interval was doubled because the cap on samples was reached */
	SP_DROP_MARKS,      /* mark table full: the moment is not marked */
	SP_DROP_MARKED,     /* no room for what a site was at a mark: the reader shows what it was later */
	SP_DROP_WAITS,      /* table of waits full: counted in site 0 */
	SP_DROPS
};

/* Offsets into SP_SEC_TEXT; 0 is the empty string. */
struct sp_text {
	uint32_t exe;                /* absolute path of the executable */
	uint32_t program;            /* name it was called by, without directory */
	uint32_t command;            /* arguments, each NUL-terminated, command_bytes of them; raw, not redacted */
	uint32_t cwd;                /* working directory at start */
	uint32_t output_dir;         /* absolute; profiles go to <output_dir>/<environment>/ */
	uint32_t output_file;        /* absolute path asked for with --output, or empty */
	uint32_t environment;        /* development, production, ci, critical */
	uint32_t environment_reason; /* one phrase */
	uint32_t settings;           /* lines "name\tvalue\tsource\n" */
	uint32_t notes;              /* lines: problems met, for Data Quality */
	uint32_t clock_reason;       /* why this CPU clock, one phrase */
	uint32_t allocator;          /* path of the object that defines the malloc forwarded to */
	uint32_t tree;          /* "<pid>.<ns>" of the tree's first process: ns is when it began, by CLOCK_REALTIME */
	uint32_t command_bytes; /* no offset */
	uint32_t kernel;        /* its release */
	uint32_t span_log;      /* absolute path of the timing log, or empty */
};

struct sp_cpu_totals {
	uint32_t clock;        /* enum sp_cpu_clock */
	uint32_t tick_ns;      /* measured period of the tick-bound clock, 0 while unknown */
	uint64_t requested_ns; /* interval asked for */
	uint64_t interval_ns;  /* atomic: interval in force */
	uint64_t interval_max_ns;
	uint64_t user_samples; /* atomic: those with user time */
	uint64_t sys_samples;  /* atomic: those of system time alone */
	uint64_t lost_signals; /* atomic: overruns told by the kernel */
	uint64_t truncated;    /* atomic: samples whose stack did not reach the thread's start */
	uint64_t handler_ns;   /* atomic: time inside our SIGPROF handler */
	uint64_t handler_max_ns;
	int64_t unsampled_user_ns; /* atomic: CPU time of ended threads not covered by samples */
	int64_t unsampled_sys_ns;  /* atomic; both signed: a short thread's only sample weighs a whole interval */
	uint64_t before_user_ns;   /* process CPU time since the program began, before the first clock was armed */
	uint64_t before_sys_ns;
	uint64_t self_user_ns; /* atomic: process user time since the program began, at the last update (getrusage) */
	uint64_t self_sys_ns;
	uint32_t sample_cap;
	uint32_t budget_permille;
	uint64_t signal_gap_ns;      /* interrupt, delivery and return of one event's signal, without our handler */
	uint32_t signal_cost_source; /* enum sp_cost_source */
	uint32_t thinned;            /* times the interval was doubled for the cap on samples */
	uint64_t signals;            /* atomic: clock signals handled, those that gave no sample included */
	uint64_t handler_class[SP_TIME_CLASSES]; /* atomic: handler runs by their duration */
	uint64_t ticks;                          /* atomic: of the signals, those of the tick clock */
	uint64_t switch_ns; /* atomic, estimate: what armed events added to switches between threads */
	uint32_t
		fresh_pages; /* atomic: of SP_FRESH_SAMPLES, those that found code on a page that none before had been on */
	uint32_t switch_timer_ns; /* what it takes to stop and start the timer behind an event, as last measured */
	uint64_t switches;        /* atomic: of threads with an armed event, while they had it */
	uint64_t
		kernel_hits; /* atomic, estimate: an event's timer found its thread in the kernel, and gave no signal */
};

/* Totals at one moment, without the blocks that are sampled for certain. */
struct sp_peak_totals {
	double bytes, allocs;  /* exact: allocated so far */
	double count;          /* exact: in use */
	double small, entries; /* estimate of the bytes in use, and samples it rests on */
	double set;            /* 0 before the first time */
};

/* What the peak is made of: see sampler/heap/peak.h. The clock counts allocated bytes, in intervals. */
struct sp_heap_peak {
	double smooth, smooth_variance; /* largest of the estimates that exact counts are in, and its variance */
	double largest, largest_exact,
		largest_variance; /* of the estimates from samples alone, what of it is exact, ... */
	double largest_interval;  /* ... and the interval then */
	double largest_unseen;    /* so much may have been there in blocks that no sample stood for */
	double possible;          /* the most that `smooth` and such blocks could have been together at any moment */
	double clock;
	double all_lives, all_freed,
		all_freed_sq; /* samples alive, summed up over the clock; of those that have been freed
	                                              their lives, and these squared */
	/* The writer's own. */
	double began, older, counted, window, sampled_sum, counted_sum, lives, freed, freed_sq;
	struct sp_peak_totals last;
};

struct sp_heap_totals {
	uint32_t on; /* heap sampling active */
	uint32_t reserved0;
	uint64_t requested_bytes;    /* mean bytes between samples, asked for */
	uint64_t interval_bytes;     /* atomic: in force */
	uint64_t interval_max_bytes; /* largest ever in force */
	uint64_t samples;            /* atomic: sampled allocations */
	uint64_t sampled_frees;      /* atomic: of those, freed again */
	uint64_t inuse_bytes;        /* atomic, estimate: sum over sites */
	uint64_t inuse_count;        /* atomic, estimate */
	uint64_t peak_bytes;         /* atomic, estimate: highest inuse_bytes; biased upward, see `peak` */
	uint64_t peak_time_ns;       /* since start: when peak.smooth was reached */
	uint64_t peak_seq;           /* atomic: raised at every new peak; see struct sp_site */
	uint64_t before_bytes;       /* exact: allocated before sampling started, belongs to no site */
	uint64_t before_count;
	uint64_t slow_ns;        /* atomic: time inside the sampling path */
	uint64_t live_entries;   /* atomic: sampled allocations alive now */
	uint64_t interval_floor; /* atomic: the interval never goes below: raised when the live set fills */
	uint64_t class_bytes[SP_SIZE_CLASSES]; /* atomic, estimates by size of the request */
	uint64_t class_count[SP_SIZE_CLASSES];
	uint64_t sample_cost_ns;           /* what one sample costs, its free included, as the governor believes */
	uint64_t always_samples;           /* atomic: of the samples, those taken for their size alone */
	uint64_t inuse_variance;           /* atomic: of inuse_bytes, in units of SP_VARIANCE_UNIT */
	uint64_t exact_bytes, exact_count; /* atomic: in use, in blocks that are sampled for certain */
	uint64_t exact_allocated_bytes, exact_allocs; /* atomic: allocated in such */
	uint64_t flushed_bytes, flushed_allocs,
		flushed_frees; /* atomic, exact: what threads had counted when last looked at */
	struct sp_heap_peak peak;
	uint64_t missable_bytes; /* atomic: size of the largest block sampled that could have been missed */
	uint64_t stopped_bytes,
		stopped_count; /* atomic, exact: allocated while sampling was stopped (struct sp_control) */
	uint64_t reserved[1];
};

enum sp_allocator {
	SP_ALLOCATOR_UNKNOWN = 0, /* none of these, or it could not be asked */
	SP_ALLOCATOR_GLIBC = 1,
	SP_ALLOCATOR_JEMALLOC = 2,
	SP_ALLOCATOR_TCMALLOC = 3,
	SP_ALLOCATOR_MIMALLOC = 4
};

/* What the allocator said of itself when the process called exit, after its exit handlers; a figure it does
 * not have is 0. docs/SPOOL.md tells what each allocator means by them. */
struct sp_allocator_totals {
	uint32_t asked; /* enum sp_allocator; unknown: the others mean nothing */
	uint32_t reserved;
	uint64_t allocated_bytes; /* in use by the program */
	uint64_t active_bytes;    /* in pages that are in use, or held for use */
	uint64_t resident_bytes;  /* in memory because of the allocator */
	uint64_t retained_bytes;  /* free, and kept */
};

#define SP_MARK_NAME_BYTES 32u /* letters, digits and -_+, at least one, and a NUL */

/* What a process is asked for while it runs. */
enum sp_control_verb {
	SP_CONTROL_NONE,
	SP_CONTROL_START,    /* sample, again or for the first time */
	SP_CONTROL_STOP,     /* do not, until it is started */
	SP_CONTROL_INTERVAL, /* `argument`: CPU time between two samples, in ns */
	SP_CONTROL_MARK,     /* `name`: a mark of that name */
	SP_CONTROL_LOG       /* `argument`: 1 there is a timing log of spans from here on, 0 there is none any more */
};

/* The command holds SP_LOCK_CONTROL while it fills in what is asked for and, last, the word; and until the answer is that
 * word, or it has waited enough. Handlers and hooks look at the two words. */
struct sp_control {
	uint64_t asked; /* atomic: a number that is another one each time, shifted by 8, and an enum sp_control_verb */
	uint64_t answered; /* atomic: the word that has been obeyed last */
	uint64_t argument;
	char name[SP_MARK_NAME_BYTES];
	int32_t result;                            /* of what was obeyed: 0 or a negative errno */
	uint32_t stopped;                          /* atomic: nothing is sampled now */
	uint32_t asleep;                           /* it began so (SMARTPROF_START=off) */
	uint32_t starts;                           /* times it was started after that, or after a stop */
	uint64_t stopped_at_ns, stopped_at_cpu_ns; /* since start, and CPU time: when it was stopped, if it is now */
	uint64_t stopped_ns, stopped_cpu_ns;       /* so long it was before; CPU time meanwhile */
};

static inline enum sp_control_verb sp_control_verb(uint64_t word)
{
	return (enum sp_control_verb)(word & 0xff);
}

/* Totals of all spans. */
struct sp_span_totals {
	uint64_t pair_ns;   /* what a begin and an end take, as measured here: taken off the spans around them */
	uint64_t empty_ns;  /* of that, what a span measures that has nothing in it: taken off each */
	uint64_t stray;     /* atomic: ends without a begin */
	uint64_t too_deep;  /* atomic: begun beyond SP_SPAN_DEPTH */
	uint64_t uncounted; /* atomic: for want of a name, a node or a record */
	uint64_t tail_lost; /* atomic: what was sampled in slow spans and found SP_SEC_SPAN_TAIL full */
	uint64_t
		slow_responses; /* atomic: those that took longer than the response time that counts as slow; of two in each
	                          * other the inner one */
};

/* Samples that were taken while other libraries said that their threads worked for a trace (OpenTelemetry's thread context). */
struct sp_trace_totals {
	uint64_t samples, ns; /* atomic: all of them, of CPU time */
	uint64_t replaced;    /* atomic: of SP_SEC_TRACED, records that a later sample has taken */
};

/* Of waiting (sampler/wait_calls.h). */
struct sp_wait_totals {
	uint32_t on; /* calls that may block are timed */
	uint32_t reserved;
	uint64_t least_ns;                /* what is shorter than this is not taken for a wait */
	uint64_t requested_ns;            /* mean time waited between two samples, asked for */
	uint64_t interval_ns;             /* atomic: in force */
	uint64_t interval_max_ns;         /* largest ever in force */
	uint64_t threshold_ns;            /* shorter waits are counted, not sampled */
	uint64_t samples;                 /* atomic */
	uint64_t slow_ns;                 /* atomic: what looking at waits and sampling them has taken */
	uint64_t short_ns[SP_WAIT_KINDS]; /* atomic: of waits below the threshold, by enum sp_wait_kind */
	uint64_t queue_look_ns;           /* atomic: what asking for the run queue's part of waits has taken */
	uint64_t look_ns;                 /* calls shorter than this are not each looked at */
};

/* What a thread has waited, of one kind. Atomic: a handler's call may be counted in between, and record 0 is all threads'. */
struct sp_wait_count {
	uint64_t ns, count, longest_ns;
};

/* What the kernel withheld from the control group whose quota binds the process, and from all in it: CPU time, added up over
 * processors, and periods of the quota in which it did. */
struct sp_throttle_totals {
	uint64_t ns, periods; /* atomic */
	uint32_t known;       /* there is such a group, and it tells */
	uint32_t reserved;
};

struct sp_spool_header {
	uint64_t magic;
	uint32_t version;
	uint32_t header_bytes; /* sizeof(struct sp_spool_header) of the writer */
	uint64_t total_bytes;  /* size of the file */
	uint32_t state;        /* atomic, enum sp_spool_state */
	uint32_t exit_kind;    /* enum sp_exit_kind */
	int32_t exit_value;    /* exit code or signal number */
	int32_t pid;
	int32_t ppid;
	uint32_t uid;
	uint32_t is_root;           /* first process of its tree */
	uint32_t machine;           /* SP_MACHINE of the agent that writes it */
	uint64_t start_ticks;       /* field 22 of /proc/pid/stat: with pid, names the process */
	uint64_t start_realtime_ns; /* wall clock when the program began: after execve, or a fork */
	uint64_t start_monotonic_ns;
	uint64_t now_ns;             /* atomic: since start, last update */
	uint64_t end_ns;             /* since start; 0 while running */
	uint64_t memory_limit_bytes; /* usable by this process, 0 unknown */
	uint64_t usable_millicores;  /* 500 = half a core */
	uint32_t host_cores;
	uint32_t code_address_bits; /* what is above them in a return address authenticates it; 0: not known */
	uint64_t max_rss_bytes;     /* atomic */
	uint64_t rss_bytes;         /* atomic: at the last timeline point */
	uint64_t module_epoch;      /* atomic: raised when an address range changes hands */
	uint64_t agent_bytes;       /* atomic: memory the agent has taken, the spool included */
	uint64_t agent_bytes_max;   /* atomic: tables count as full before there is more; a thread raises it */
	uint64_t sealed_ns;         /* since start: sampling ended because the application installed a
	                              * seccomp filter; 0 it did not */
	uint64_t start_tsc;         /* cycle counter at start */
	uint64_t tsc_per_us_x1024;  /* atomic: cycles in a microsecond, times 1024 */
	struct sp_text text;
	struct sp_cpu_totals cpu;
	struct sp_heap_totals heap;
	uint64_t drops[SP_DROPS]; /* atomic, enum sp_drop */
	struct sp_allocator_totals allocator;
	uint64_t pid_namespace;    /* inode number of the one in which `pid` counts; 0 unknown */
	uint32_t locked;           /* the writer's lock works on this file system: without it the process is gone */
	uint32_t left;             /* atomic: 1 complete, and left to the renderer of the tree, while the process may
	                         * still be there for a moment */
	uint64_t broken;           /* atomic: CPU samples whose walk broke off */
	uint64_t snapshot_ns;      /* since start: a copy that the command made then; 0: the process's own spool */
	uint32_t snapshot_running; /* then: the process was there */
	uint32_t snapshot_damaged; /* then: records that were left out because they failed a check */
	uint32_t mark_seq;         /* atomic: raised at every mark; see struct sp_marked */
	uint32_t detach;           /* atomic, the command's: 1 sampling is to end, of a process that was attached to */
	uint32_t detached;         /* atomic: 1 it has ended */
	uint32_t reserved2;
	struct sp_control control;
	uint64_t attached_ns; /* the agent was put into a process that had run for so long; 0: it was there from the
	                       * start */
	uint64_t earlier_ns;  /* CPU time that the process had used before execve began the program */
	struct sp_span_totals spans;
	struct sp_trace_totals traces;
	struct sp_wait_totals waits;
	struct sp_throttle_totals throttle;
	struct sp_section_entry sections[SP_SECTIONS];
};

/* What a tree's members and the process that renders for them, its holder, tell each other. Anybody who finds the
 * holder's lock gone, or `closed` set after having counted in a spool, renders for itself. */
struct sp_tree_file {
	uint64_t magic;         /* atomic: SP_TREE_MAGIC when the rest is valid */
	int32_t holder;         /* its pid, in ... */
	uint32_t closed;        /* atomic: it looks for no more spools from here on */
	uint64_t pid_namespace; /* ... this one */
	uint64_t spools;        /* atomic: made so far */
	uint64_t waiting;       /* atomic: of those, made since a renderer last began */
	uint64_t waiting_bytes; /* atomic: memory that those which were left take */
	uint64_t waiting_ns;    /* atomic: CLOCK_MONOTONIC when the first of them was made; 0: there is none */
	uint64_t renderer_ns;   /* atomic: CLOCK_MONOTONIC when a member last started a renderer; 0: that is done */
	uint64_t refused;       /* atomic: processes that there was no room for a spool for */
	uint64_t
		events_limits; /* atomic: perf events were found to work under these limits (choose_clock.c); 0: not known */
	uint8_t facts[2048] __attribute__((aligned(8))); /* struct sp_facts (env/facts.h) */
};

/* A rule that unwinding goes by (sampler/walk/cfi.h), which is that of a key if key ^ rule is its check word: one torn by a race is
 * nobody's. */
struct sp_rule_slot {
	uint64_t check, rule; /* atomic */
};

struct sp_shared_rules {
	uint32_t log_used; /* atomic: 2 to the power of so many slots are in use; 0: none */
	uint32_t kept;     /* atomic: rules that were put there since */
	uint64_t reserved[7];
	struct sp_rule_slot slots[];
};

#define SP_TREE_MAGIC 0x3445455254505053ull /* "SPPTREE4" */
#define SP_TREE_PAGE_BYTES 4096u            /* of struct sp_tree_file; struct sp_shared_rules begins behind */
#define SP_SHARED_RULES_LOG 15u
#define SP_SHARED_RULES_BYTES (sizeof(struct sp_shared_rules) + (sizeof(struct sp_rule_slot) << SP_SHARED_RULES_LOG))
#define SP_TREE_FILE_BYTES (SP_TREE_PAGE_BYTES + SP_SHARED_RULES_BYTES)

#define SP_BUILD_ID_MAX 32u

/* The file that was mapped, as it was when its module was entered. Where the path did not lead to it any more, device
 * and inode are the kernel's word and all else is 0; all 0: nothing is known of it. */
struct sp_mapped_file {
	uint64_t device, inode, bytes;
	int64_t modified_ns, changed_ns; /* st_mtim and st_ctim */
};

/* A mapped object. An address in a stack of epoch E belongs to the module whose range holds it
 * with epoch_from <= E < epoch_to. */
struct sp_module {
	uint32_t ready;
	uint32_t path;       /* offset into SP_SEC_TEXT; "[vdso]" for the vdso */
	uint64_t start, end; /* mapped range */
	uint64_t bias;       /* load bias: runtime address - ELF virtual address */
	uint64_t epoch_from;
	uint64_t epoch_to; /* atomic: UINT64_MAX while mapped */
	uint8_t build_id[SP_BUILD_ID_MAX];
	uint32_t build_id_bytes;
	uint32_t checked;           /* atomic, the agent's: the count of unloads when it was last found in its place */
	uint64_t loaded_as;         /* the agent's: hash of the name the loader has for it */
	uint64_t content;           /* the agent's: hash of what tells builds apart, where there is no build-id */
	struct sp_mapped_file file; /* what is mapped, where there is no build-id */
};

/* Allocation counters of one thread: plain stores by that thread only.
 * Bytes allocated so far = bytes_base - countdown: the fast path only lowers the countdown. */
struct sp_heap_counters {
	int64_t countdown; /* bytes until the next sample */
	int64_t bytes_base;
	uint64_t allocs;   /* calls that got memory, reallocs that moved or not included */
	uint64_t frees;    /* calls that gave memory back, free(NULL) excepted */
	uint64_t reallocs; /* of allocs and frees both, those made by realloc */
};

struct sp_thread_record {
	uint32_t state; /* atomic: 0 free, 1 running, 2 ended */
	int32_t tid;
	char name[16];                    /* as at the last update */
	uint64_t entry;                   /* start routine, 0 for the main thread */
	uint64_t start_ns, end_ns;        /* since start of the process */
	uint64_t user_ns, sys_ns;         /* assigned to samples */
	uint64_t cpu_user_ns, cpu_sys_ns; /* measured (getrusage) at the last update or at exit */
	uint64_t user_samples, sys_samples;
	uint64_t merged; /* record 0: threads summed up here */
	struct sp_heap_counters heap;
	uint32_t clocks; /* SP_THREAD_EVENT | ...: what samples it */
	uint32_t flags;  /* SP_THREAD_FOUND | ... */
	uint64_t reserved[5];
	uint64_t lived_ns;                         /* record 0: all threads that are summed up here together */
	uint64_t queue_ns;                         /* it could have run and got no CPU, as the kernel counts it ... */
	uint64_t queue_at_ns;                      /* ... up to then, since start of the process; 0: never looked at */
	struct sp_wait_count waits[SP_WAIT_KINDS]; /* by enum sp_wait_kind */
	uint32_t
		open_wait; /* 1 + the kind of what it was blocked in when the process ended; 0: in nothing, or not known */
	uint32_t reserved_wait;
};

/* Clocks of a thread. */
#define SP_THREAD_EVENT 1u   /* a perf task-clock event: user time */
#define SP_THREAD_TIMER 2u   /* a timer on its CPU time: system time, and user time where there is no event */
#define SP_THREAD_PROCESS 4u /* the process's CPU timer, for want of one of its own */

/* What is special about a thread. */
#define SP_THREAD_FOUND 1u   /* was there before the agent, or was made behind its back */
#define SP_THREAD_BLOCKED 2u /* had the profiling signal blocked when last looked at: not sampled then */
#define SP_THREAD_STOPPED 4u /* was there while sampling was stopped (struct sp_control) */

enum sp_stack_flags {
	SP_STACK_TRUNCATED = 1, /* deeper than SP_MAX_FRAMES: leaf end kept */
	SP_STACK_BROKEN = 2,    /* the walk broke off before the thread's start */
	SP_STACK_LATE = 4,      /* the walk took too long and was given up: leaf end kept */
	SP_STACK_ENTRY = 8,     /* the last frame is the entry function of the thread (an address in it, not a
	                         * return address), put there because the stack does not reach it */
	SP_STACK_OWN = 16,      /* our signal handler was interrupted: the frames are what that had interrupted */
};

/* Any of these: the outer end is missing. */
#define SP_STACK_CUT (SP_STACK_TRUNCATED | SP_STACK_BROKEN | SP_STACK_LATE)

/* One unique stack. The first address is the interrupted instruction of a CPU sample, or the
 * return address into the allocation's caller; all others are return addresses. */
struct sp_stack {
	uint64_t hash;
	uint32_t frame; /* index of its first frame in SP_SEC_FRAMES */
	uint16_t depth;
	uint16_t flags;           /* enum sp_stack_flags, | SP_STACK_IS_HEAP */
	uint32_t epoch;           /* module epoch the addresses belong to */
	uint32_t checked;         /* agent's own: unload generation at which the addresses were last verified */
	uint32_t site;            /* atomic: index into SP_SEC_SITES, 0 none */
	uint32_t span;            /* index into SP_SEC_SPAN_NODES: in which span the thread was, 0 in none */
	uint64_t user_ns, sys_ns; /* atomic: weights */
	uint32_t user_samples, sys_samples; /* atomic: as in the totals */
	uint64_t weight_sq_us2;             /* atomic: sum of squared weights, in square microseconds */
};

/* A word of SP_SEC_FRAMES with this upper half, which no address has, is a jump: the run goes on at the index in its
 * lower half, inside the run of another stack. The word there is an address. */
#define SP_FRAME_JUMP (0x80000000ull << 32)

static inline bool sp_frame_is_jump(uint64_t word)
{
	return word >> 32 == SP_FRAME_JUMP >> 32;
}

#define SP_STACK_IS_HEAP 0x100u /* frames[0] is a return address too */
#define SP_STACK_IS_WAIT 0x200u /* the same, of a call that has blocked */

/* Estimates of one allocation site, by stack. At-peak values are kept lazily: before a site
 * changes while peak_seq < header.heap.peak_seq, what it holds in use is what it held at the last
 * peak; a reader does the same for sites that have not changed since. */
struct sp_site {
	uint32_t ready;
	uint32_t stack;                    /* index into SP_SEC_STACKS */
	uint64_t alloc_bytes, alloc_count; /* atomic, estimates: all that was ever allocated here */
	uint64_t free_bytes, free_count;   /* atomic, estimates: of that, no longer in use; in use is the
					      * difference. When the live set is thinned out this moves by
					      * the weights' correction, so it may go down. */
	uint64_t short_bytes, short_count; /* atomic, estimates: freed within SP_SHORT_LIVED_NS, or before its
	                                      * thread had made SP_SHORT_LIVED_CALLS more allocations */
	uint64_t temp_bytes, temp_count;   /* atomic, estimates: of those, freed before its thread's next one */
	uint64_t samples;                  /* atomic: sampled allocations */
	uint64_t inuse_samples;            /* atomic: of those alive */
	uint64_t variance_alloc;           /* atomic: estimated variance of alloc_bytes, in units of
	                                      * SP_VARIANCE_UNIT square bytes */
	uint64_t variance_inuse;           /* atomic: of alloc_bytes - free_bytes, same unit */
	uint64_t peak_seq;                 /* see above */
	uint64_t peak_bytes, peak_count;   /* in use here at the moment of the process's peak */
	uint32_t mark_seq;                 /* marks up to this one are settled: see struct sp_marked */
	uint32_t born_mark_seq; /* header.mark_seq when the site was made: there was nothing at those marks */
};

enum sp_mark_kind {
	SP_MARK_NAMED,    /* asked for, by the program or from outside */
	SP_MARK_SNAPSHOT, /* the same, with a profile of the moment */
	SP_MARK_MEMORY,   /* memory crossed a threshold */
	SP_MARK_CPU,      /* CPU time did */
	SP_MARK_RESPONSE, /* spans were slow */
	SP_MARK_KINDS
};

/* A moment, and the totals of the header as they were then. What the sites held is in struct sp_marked, and the CPU time of
 * stacks in the log up to `logged`. */
struct sp_mark {
	uint32_t ready; /* atomic */
	uint32_t kind;  /* enum sp_mark_kind */
	char name[SP_MARK_NAME_BYTES];
	uint32_t seq;      /* number among the marks, from 1 on */
	int32_t tid;       /* of the thread that was there */
	uint32_t captured; /* a profile of the moment is wanted: the threshold was set by somebody */
	uint32_t reserved;
	uint64_t t_ns, tsc;
	uint64_t value, threshold; /* what crossed, and what was crossed; 0: it was asked for */
	uint64_t memory_bytes;     /* anonymous, swapped and in huge pages: what counts against a limit; 0 unknown */
	uint64_t rss_bytes, max_rss_bytes;
	uint64_t logged; /* samples in the log so far, those that found it full included */
	uint64_t broken;
	uint64_t stopped_ns, stopped_cpu_ns; /* as in struct sp_control, with a pause that went on */
	uint64_t drops[SP_DROPS];
	struct sp_cpu_totals cpu;
	struct sp_heap_totals heap;
};

/* What a site was at some marks. It is written before the site changes for the first time after a mark, so that a site that
 * does not change costs nothing: at mark M a site is what it is now if M > site.mark_seq, nothing if M <=
 * site.born_mark_seq, and else what its record with from < M <= to says. */
struct sp_marked {
	uint32_t ready; /* atomic */
	uint32_t site;
	uint32_t from, to; /* of struct sp_mark.seq */
	struct sp_site was;
};

#define SP_VARIANCE_UNIT 4096.0
#define SP_SHORT_LIVED_NS 1000000u
#define SP_SHORT_LIVED_CALLS 8u

/* A sampled allocation that has not been freed. Records are taken and given back all the time: one
 * that is read while the process runs may be half of one allocation and half of the next. */
struct sp_live {
	uint32_t alive; /* atomic: 0 not in use */
	uint32_t site;
	uint64_t size;          /* as requested */
	uint64_t weight;        /* estimated bytes it stands for */
	uint64_t variance;      /* of that, SP_VARIANCE_UNIT */
	uint64_t born_tsc;      /* see header.start_tsc */
	uint32_t count;         /* allocations it stands for: `scale`, rounded up or down at random, so that sums are
	                    * unbiased */
	float scale;            /* inverse of the probability of having been sampled */
	uint32_t thread;        /* index of the allocating thread's record, 0 unknown */
	uint32_t thread_allocs; /* low bits of that thread's count of allocations, this one included */
	double born_clock;      /* heap.peak.clock at birth */
};

/* As DWARF numbers them: rax rdx rcx rbx rsi rdi rbp rsp r8 ... r15 rip; on aarch64 x15 x16 x17 x19 ... x30 sp pc. */
#define SP_COPY_REGISTERS 17u

/* A thread as it was when a sample's walk broke off. Those of a stack are a random choice of its samples. A record is used
 * again: it may have changed while it was read. */
struct sp_copy {
	uint32_t ready;  /* 1 while it is whole */
	uint32_t stack;  /* index into SP_SEC_STACKS */
	uint32_t sample; /* 1 for the first sample of that stack, ... */
	uint32_t epoch;  /* module epoch of all addresses in it */
	uint32_t thread; /* index of its record, 0 unknown */
	uint32_t word;   /* index of its first word in SP_SEC_COPIED */
	uint32_t words;
	uint32_t room; /* the agent's: words from there on that are this record's */
	uint64_t low;  /* address of the first word */
	uint64_t registers[SP_COPY_REGISTERS];
};

#define SP_SPAN_DEPTH 32u    /* spans open in one thread, one in the other; those beyond are counted in the 32nd */
#define SP_SPAN_CLASSES 192u /* four for each power of two of nanoseconds: see sp_span_class */
#define SP_SPAN_LABELS 8u    /* of a span, of different keys */
#define SP_SPAN_TEXT_MAX 128u
#define SP_SPAN_SAMPLES 128u /* kept of what was sampled in the spans of a thread that are open */
#define SP_SPAN_KEPT 8u      /* of a node, its longest */
#define SP_SPAN_PARTS 32u    /* of one of those, stacks that were sampled in it */

enum sp_span_kind {
	SP_SPAN_PLAIN = 0,
	SP_SPAN_ASYNC = 1,      /* begun and ended by an id, by whatever threads: no sample is in it */
	SP_SPAN_LABEL = 2,      /* "key=value", of the span that it stands in */
	SP_SPAN_MEASURED = 3,   /* the agent's own, to learn what a span costs: its nodes and counts mean nothing */
	SP_SPAN_CHECKPOINT = 4, /* a place in the program: see struct sp_checkpoint */
};

struct sp_span_name {
	uint32_t ready;
	uint32_t kind; /* enum sp_span_kind */
	uint32_t text; /* offset into SP_SEC_TEXT: as the program gave it, SP_SPAN_TEXT_MAX bytes at the most */
	uint32_t reserved;
	uint64_t hash; /* of kind and text, never 0 */
};

/* A name, and the node it was open in. */
struct sp_span_node {
	uint32_t ready;
	uint32_t parent, name;
	uint32_t
		counts; /* atomic: the first of its records in SP_SEC_SPAN_COUNTS, see there; a checkpoint's only one in
	                  * SP_SEC_CHECKPOINTS */
	uint64_t key;
	uint32_t slowest; /* atomic: the first of its SP_SPAN_KEPT records in SP_SEC_SPAN_SLOWEST; 0: none */
	uint32_t reserved;
	uint64_t kept_ns;      /* atomic: what is not longer is not among those */
	uint64_t tail_ns_x256; /* atomic: the same of its threads */
};

/* What the kernel counts of a thread. */
struct sp_span_usage {
	uint64_t cpu_ns, faults;
	uint64_t waits; /* times that it gave the CPU up by itself */
};

/* How spans differ, and what the kernel counted of their threads: in every one that is long, in few of those that are short. */
struct sp_span_spread {
	uint64_t own_ns; /* sum of times, but where a thread that never waited was kept from a CPU, of its CPU time */
	double us_sq, kb_sq;              /* sums of squares: of these in microseconds, of bytes allocated in KiB */
	uint64_t measured;                /* spans of which the rest is known: */
	uint64_t cpu_ns, wait_ns, faults; /* CPU time, `own_ns` beyond that, page faults, ... */
	double cpu_us_sq, wait_us_sq;     /* ... and their sums of squares, of times in microseconds */
	double faults_sq;                 /* ... and of page faults */
};

/* Spans of a count's that were slow. */
struct sp_span_slow {
	uint64_t count, bytes;
	struct sp_span_spread spread;
};

/* What one thread at a time counts of a node: plain stores, each record its own writer's. Those of a node are linked by
 * `next`; a thread that ends leaves its record to the next one that meets the node. */
struct sp_span_count {
	uint32_t node;
	uint32_t next;            /* of the same node, 0: none */
	uint32_t owner;           /* atomic: tid of the thread that writes it, 0 nobody */
	uint32_t mine;            /* the agent's: the owner's next record */
	uint64_t count;           /* spans that have ended */
	uint64_t sum_ns, self_ns; /* in them; without the spans inside */
	uint64_t min_ns, max_ns;
	uint64_t bytes, allocs; /* allocated in them, spans inside included: exact */
	uint64_t unended;       /* of count, those that something else ended: their thread, or a span around them */
	uint64_t slow;          /* of count, those that took longer than the program wished */
	uint32_t classes[SP_SPAN_CLASSES]; /* of their times */
	uint64_t tail_ns_x256;             /* estimate: nine of ten are shorter; 0: not known yet */
	uint64_t unmeasured_ns;            /* the agent's: in spans since the last of which the kernel was asked */
	struct sp_span_spread spread;
	struct sp_span_slow tail; /* those that were longer than that, and than what measuring adds to others */
};

/* A span that has begun. */
struct sp_span_open {
	uint32_t node;
	uint32_t name;
	uint32_t count;             /* the agent's: the record that it will be counted in, 0: none */
	uint32_t told;              /* the agent's: a span inside of it was slow, and counted as that */
	uint64_t began_tsc;         /* see header.start_tsc */
	uint64_t inner_ns;          /* in the spans inside that have ended */
	uint64_t inner_cost_ns;     /* what the agent took for these, and for samples */
	uint64_t bytes, allocs;     /* of the thread's counters when it began */
	uint32_t sampled;           /* the agent's: entries of `samples` then */
	uint32_t measured;          /* the agent's: the following is known */
	struct sp_span_usage usage; /* the agent's: of the thread when it began */
};

/* Samples of one stack that came one after the other. */
struct sp_span_sample {
	uint32_t stack; /* index into SP_SEC_STACKS */
	uint32_t samples;
	uint64_t weight; /* nanoseconds, of a wait's stack those waited; of a heap stack bytes */
	uint64_t sq;     /* of the weights' squares in microseconds; of a heap stack the variance, SP_VARIANCE_UNIT */
};

struct sp_span_thread {
	uint32_t owner;   /* atomic: its tid, 0: free */
	uint32_t thread;  /* index of the thread's record, 0 unknown */
	uint32_t depth;   /* of `open`, those that are */
	uint32_t sampled; /* of `samples`, those since the outermost began */
	struct sp_span_open open[SP_SPAN_DEPTH];
	/* When they are full, one of two that are neighbours stands for both, each as likely as it weighs. */
	struct sp_span_sample samples[SP_SPAN_SAMPLES];
};

/* One of the longest spans of a node, with what was sampled in it. It is written again when a longer one ends, and whole
 * when `seq` and `seq_again` are the same, even, and not 0. */
struct sp_span_slowest {
	uint32_t seq; /* atomic: odd while it is written */
	uint32_t node;
	uint64_t ns;
	uint64_t end_tsc; /* see header.start_tsc */
	int32_t tid;
	uint32_t measured; /* the next two are known */
	uint64_t cpu_ns, faults;
	uint64_t bytes;
	uint32_t parts; /* of `part`, each of another stack; the last may be of stack 0, for what had no room */
	struct sp_span_sample part[SP_SPAN_PARTS];
	uint32_t reserved;
	uint32_t seq_again; /* atomic */
};

/* What was sampled of a stack in slow spans of a node: those that are counted in struct sp_span_count.tail. */
struct sp_span_tail {
	uint32_t ready;
	uint32_t node, stack;
	uint32_t samples;    /* atomic, like the rest */
	uint64_t weight, sq; /* as in struct sp_span_sample */
};

/* What memory was when the program came by a place. One that comes by just now may be in some figures and not yet in others. */
struct sp_checkpoint {
	uint32_t node; /* atomic: 0 while it is not there yet */
	uint32_t reserved;
	uint64_t count; /* atomic: times it came by */
	uint64_t t_ns;  /* since start: the last of them */
	uint64_t rss_bytes,
		rss_max_bytes; /* at that, and the most of all; 0 unknown. Read every SP_CHECKPOINT_NS at most */
	uint64_t heap_bytes, heap_max_bytes; /* estimate: in use */
};
#define SP_CHECKPOINT_NS 500000000u

/* A CPU sample that was taken in a trace. A record is used again: it may have changed while it was read. */
struct sp_traced {
	uint32_t ready; /* atomic */
	uint32_t stack; /* index into SP_SEC_STACKS */
	uint8_t trace_id[16], span_id[8];
	uint64_t tsc; /* see header.start_tsc */
	uint64_t weight_ns;
	uint32_t thread; /* index of its record, 0 unknown */
	uint32_t reserved;
};

enum sp_event_kind {
	SP_EVENT_SPAN,      /* has ended */
	SP_EVENT_ASYNC,     /* the same, of SP_SPAN_ASYNC: by `id` */
	SP_EVENT_CHECKPOINT /* `id`: resident bytes, `heap_bytes` */
};

#define SP_EVENT_UNENDED 1u /* something else has ended it: its thread, or a span around it */

/* A line of the timing log. The event of number n, from 0 on, is in record 1 + n % size; it is there while `seq` is n + 1, and
 * whole if the log's `next` is not beyond n + size after it has been read. */
struct sp_span_event {
	uint64_t seq; /* atomic: SP_EVENT_BUSY while it is written */
	uint64_t began_tsc, ended_tsc;
	uint64_t ns; /* less than between these: what measuring took is taken off */
	uint32_t node;
	int32_t tid;
	uint32_t thread; /* index of its record, 0 unknown */
	uint8_t kind;    /* enum sp_event_kind */
	uint8_t flags;   /* SP_EVENT_UNENDED */
	uint16_t length; /* of text */
	uint64_t id, heap_bytes;
	char text[SP_SPAN_TEXT_MAX]; /* what the program says of it */
};
#define SP_EVENT_BUSY UINT64_MAX

/* Who makes lines of the events, where SMARTPROF_SPAN_LOG asks for them. */
enum sp_log_writer {
	SP_LOG_NOBODY,
	SP_LOG_STARTED, /* the process has started it */
	SP_LOG_WRITES   /* it is at it while it holds SP_LOCK_LOG */
};

/* Record 0 of the events. Who writes the lines tells how it goes here. */
struct sp_span_log {
	uint64_t next; /* atomic: the number of the next event */
	uint64_t
		dropped; /* atomic: of the numbers so far, those that found their record being written, or a later one's */
	uint32_t size;    /* events that the ring has room for, a power of two; 0: there has been no log */
	uint32_t on;      /* atomic: there is a log now */
	uint32_t writer;  /* atomic: enum sp_log_writer. What follows is the writer's: */
	int32_t error;    /* negative errno of what went wrong last; 0 nothing has */
	uint64_t written; /* lines that are in the file */
	uint64_t lost;    /* events that were overwritten before it came, or that found no room in the file */
	uint64_t ready;   /* events up to that number are in the file, or lost */
	uint64_t reserved[17];
};
_Static_assert(sizeof(struct sp_span_log) == sizeof(struct sp_span_event), "one is a record of the other's section");

/* The class of a time: 0 for none, else four for each power of two. */
static inline uint32_t sp_span_class(uint64_t ns)
{
	uint32_t k, class;

	if (ns < 4)
		return (uint32_t)ns;
	k = 63u - (uint32_t)__builtin_clzll(ns);
	class = 4 * (k - 1) + (uint32_t)(ns >> (k - 2) & 3);
	return class < SP_SPAN_CLASSES ? class : SP_SPAN_CLASSES - 1;
}

/* The shortest time of a class. */
static inline uint64_t sp_span_class_ns(uint32_t class)
{
	return class < 4 ? class : (uint64_t)(4 + class % 4) << (class / 4 - 1);
}

/* Estimates of what was waited at one place: a stack, a call, a lock and where its holder was. */
struct sp_wait_site {
	uint32_t ready;
	uint32_t stack;       /* index into SP_SEC_STACKS */
	uint32_t call;        /* enum sp_wait_call */
	uint32_t lock;        /* index into SP_SEC_LOCKS, 0: none, or not known */
	uint32_t holder;      /* index into SP_SEC_STACKS: where the lock's owner was meanwhile, 0: not known */
	uint32_t holder_call; /* what it was blocked in, 1 + enum sp_wait_call; 0: it was on a CPU, or is not known */
	uint32_t reserved_holder;
	uint32_t holder_span;  /* index into SP_SEC_SPAN_NODES: what it was doing */
	uint64_t key;          /* the agent's: hash of all of the above */
	uint64_t ns, count;    /* atomic, estimates: waited here, and how often */
	uint64_t samples;      /* atomic */
	uint64_t variance_us2; /* atomic: estimated variance of ns, in square microseconds */
	uint64_t longest_ns;   /* atomic: of those sampled */
	uint64_t sq_us2;       /* atomic: sum of their squared weights, in square microseconds */
};

/* A lock that was waited for, or what threads wait for each other with. */
struct sp_lock {
	uint32_t ready;
	uint32_t epoch; /* module epoch when it was first met */
	uint64_t address;
	uint64_t contentions, ns, longest_ns; /* atomic: of locks, exact */
};

struct sp_timepoint {
	uint64_t t_ns;            /* since start */
	uint64_t user_ns, sys_ns; /* process CPU time so far */
	uint64_t rss_bytes;
	uint64_t heap_inuse_bytes; /* estimate */
	uint64_t cpu_interval_ns;
	uint64_t heap_interval_bytes;
	uint64_t logged; /* samples in the log so far, those that found it full included */
};

/* One CPU sample. The order is that of the samples' taking, all threads together; the log ends
 * when its table is full, the sums in the stacks do not. */
struct sp_log_entry {
	uint32_t stack : 20; /* index into SP_SEC_STACKS */
	uint32_t
		thread : 12; /* index into SP_SEC_THREADS, 0 unknown; a short thread's record may have become another's */
	uint32_t weight;     /* SP_LOG_UNIT_NS; 0 not (yet) written */
};

_Static_assert(SP_STACKS_MAX <= 1u << 20 && SP_THREADS_MAX <= 1u << 12, "a log entry has room for their numbers");

#define SP_LOG_UNIT_NS 64u

/* Samples that a thread's event takes with one random period. A new one is a new event, 75 to 130 us where nothing of
 * the kernel's part is in the cache. Longer stretches are no less accurate, but a stretch in step with a program's cycle
 * is one draw for how sure the shares are, of which a run must have some: with 512 samples a period the true shares of a
 * program that does the same every millisecond lie within their error bars in 91 % of runs of 2 s, with 128 in 95 %. */
#define SP_PERIOD_SAMPLES 128u

#endif
