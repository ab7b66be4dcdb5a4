/* From dormant to active: settings, spool, clocks. Runs in whatever context found the process
 * worth profiling, a signal handler included, on the thread's private stack; so it uses nothing
 * but system calls and its own memory. */
#include "preload/start/activate.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "env/env.h"
#include "env/facts.h"
#include "preload/finish/tree.h"
#include "preload/hooks/signals.h"
#include "preload/hooks/threads.h"
#include "preload/libc.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/spool_place.h"
#include "preload/start/choose_clock.h"
#include "preload/start/context.h"
#include "preload/start/describe.h"
#include "sampler/clock/calibrate.h"
#include "sampler/clock/clock.h"
#include "sampler/clock/governor.h"
#include "sampler/cost.h"
#include "sampler/heap/heap.h"
#include "sampler/heap/live.h"
#include "sampler/heap/pre_activation.h"
#include "sampler/spool/frames.h"
#include "sampler/spool/mapping.h"
#include "sampler/spool/write.h"
#include "sampler/sys.h"
#include "sampler/threads/self.h"
#include "sampler/threads/thread.h"
#include "sampler/upkeep/control.h"
#include "sampler/upkeep/discovery.h"
#include "sampler/upkeep/throttle.h"
#include "sampler/upkeep/totals.h"
#include "sampler/waits/waits.h"
#include "sampler/walk/unwind.h"

#define WIDE_BYTES 32768u

struct activation {
	struct sp_thread *t;
	struct sp_config config;
	struct sp_facts facts;
	const char *why; /* it did not work */
	int error;
};

/* What nobody has set is lowered to a share of what the process may have. */
static void configure_thresholds(const struct sp_config *c, struct sp_sampler_config *s)
{
	static const struct {
		enum sp_option option;
		unsigned most_percent;
	} rules[SP_MEMORY_RULES] = {{SP_OPT_MEMORY_WARNING_THRESHOLD, 50}, {SP_OPT_MEMORY_CRITICAL_THRESHOLD, 75},
		{SP_OPT_MEMORY_PROFILING_THRESHOLD, 90}, {SP_OPT_MEMORY_THRESHOLD, 50}};
	uint64_t cores = c->machine.usable_millicores ? c->machine.usable_millicores : 1000;

	for (int i = 0; i < SP_MEMORY_RULES; i++) {
		const struct sp_value *v = &c->values[rules[i].option];
		uint64_t most = c->machine.memory_limit_bytes / 100 * rules[i].most_percent,
			 bytes = v->number * 1000000;
		bool given = v->source >= SP_SOURCE_FILE;

		s->memory[i] = (struct sp_memory_threshold){!given && most && most < bytes ? most : bytes, given};
	}
	for (int i = 0; i < SP_MEMORY_HIGH; i++) /* nothing would be marked but the same moment */
		if (s->memory[i].bytes == s->memory[SP_MEMORY_HIGH].bytes)
			s->memory[SP_MEMORY_HIGH].bytes = 0;
	s->cpu_permille = c->values[SP_OPT_CPU_THRESHOLD].number * cores / 100;
	s->wait_interval_ns = c->values[SP_OPT_WAIT_INTERVAL].number * 1000;
	s->wait_threshold_ns = c->values[SP_OPT_WAIT_THRESHOLD].number * 1000;
	s->response_ns = c->values[SP_OPT_RESPONSE_TIME_THRESHOLD].number * 1000000;
	s->response_given = c->values[SP_OPT_RESPONSE_TIME_THRESHOLD].source >= SP_SOURCE_FILE;
}

/* A member of a tree may be one of thousands that end in no time: where nobody has asked for an interval, it begins with a wide
 * one, and the governor narrows it within some 40 ms of CPU time as far as that is paid for. */
static uint64_t first_heap_interval(const struct sp_value *asked)
{
	const bool narrow = !sp_process.is_root && asked->source < SP_SOURCE_FILE && asked->number < WIDE_BYTES;

	return narrow ? WIDE_BYTES : asked->number;
}

static void configure(const struct sp_config *c, struct sp_spool_header *h)
{
	const struct sp_value *v = c->values;
	struct sp_sampler_config *s = &sp_agent.config;

	s->cpu = v[SP_OPT_MODE].number & SP_MODE_CPU;
	s->heap = v[SP_OPT_MODE].number & SP_MODE_HEAP;
	s->copies = v[SP_OPT_STACK_COPIES].number;
	s->cpu_interval_ns = v[SP_OPT_CPU_INTERVAL].number * 1000;
	s->heap_interval_bytes = v[SP_OPT_HEAP_INTERVAL].number;
	s->sample_cap = (uint32_t)v[SP_OPT_CPU_MAX_SAMPLES].number;
	s->budget_permille = (uint32_t)v[SP_OPT_OVERHEAD_BUDGET].number * 10;
	s->span_log_bytes = v[SP_OPT_SPAN_LOG_SIZE].number * 1000000;
	configure_thresholds(c, s);
	sp_context_configure_traces();
	sp_mapping_is_counted(c->machine.memory_is_counted);
	h->cpu.requested_ns = h->cpu.interval_ns = h->cpu.interval_max_ns = s->cpu_interval_ns;
	h->cpu.sample_cap = s->sample_cap;
	h->cpu.budget_permille = s->budget_permille;
	h->cpu.switch_timer_ns = SP_SWITCH_TIMER_ASSUMED_NS;
	h->heap.requested_bytes = h->heap.interval_floor = s->heap_interval_bytes;
	h->heap.interval_bytes = h->heap.interval_max_bytes = first_heap_interval(&v[SP_OPT_HEAP_INTERVAL]);
}

static void start_heap(struct sp_spool_header *h)
{
	struct sp_tls *tls = &sp_tls;

	if (!sp_pre_activation_before(&h->heap.before_bytes, &h->heap.before_count)) {
		h->heap.before_bytes = (uint64_t)(tls->heap.bytes_base - tls->heap.countdown);
		h->heap.before_count = tls->heap.allocs;
	}
	if (sp_agent.config.heap && sp_is_under_valgrind()) {
		/* A walk reads memory that valgrind may hold to be undefined: its user would find our errors among
		 * the program's. */
		sp_agent.config.heap = false;
		sp_note("under valgrind no stack is walked: the heap is counted, not sampled");
	}
	if (sp_agent.config.heap && sp_real_malloc_bypass()) {
		sp_agent.config.heap = false;
		sp_note("the program's malloc is not reached through libsmartprof.so: an allocator in the "
			"program itself, or one that stands before it in LD_PRELOAD (put "
			"libsmartprof.so first); the heap is not profiled");
	}
	if (sp_agent.config.heap && sp_live_init() != 0) {
		sp_agent.config.heap = false;
		sp_note("no memory for the set of live allocations: the heap is not profiled");
	}
	h->heap.on = sp_agent.config.heap;
}

static const char *explain(int err)
{
	if (err == -ENOSYS)
		return "the kernel is older than 5.14";
	if (err == -EOPNOTSUPP)
		return "a sandbox (seccomp) refuses the system call madvise";
	if (err == -EFBIG)
		return "the limit on file size (ulimit -f) is too small for a spool";
	if (err == -E2BIG)
		return "the limit on address space (ulimit -v) leaves no room for a spool";
	return err ? strerrordesc_np(-err) : NULL;
}

/* Tries the places from the best on: only now does it show that one cannot be written to (read-only, no inodes
 * left). */
static void make_spool(struct activation *a, char *path, uint64_t ticks, struct sp_spool_header **h)
{
	uint32_t cap = (uint32_t)a->config.values[SP_OPT_CPU_MAX_SAMPLES].number;
	const char *why;
	int err;

	a->error = -ENOSPC;
	for (enum sp_spool_place place = SP_PLACE_SHM; place < SP_PLACES && a->error; place++) {
		err = sp_spool_place(path, SP_PATH_MAX, place, ticks, &why);
		if (!err) {
			err = sp_spool_create(path, cap, h);
			why = explain(err);
		}
		if (!err || !a->why ||
			err != -ENOSPC) /* keeps the first reason, unless this place exists and does not work */
			a->why = why;
		a->error = err;
		if (err == -EFBIG || err == -E2BIG || err == -EDQUOT || err == -ENOSYS || err == -EOPNOTSUPP)
			return;
	}
}

/* Readers find it from here on. */
static void publish_spool(struct activation *a, char *path)
{
	a->error = sp_spool_publish(path);
	if (!a->error) {
		sp_process.spool_path = path;
		sp_calibrate_place(path);
		if (!sp_agent.attached)
			sp_tree_join(path);
		return;
	}
	a->why = explain(a->error);
	sp_mapping_leave();
}

static void open_queue(struct sp_thread *t, uint64_t now)
{
	if (sp_usage_bound_queue(now, &t->record->queue_ns))
		t->record->queue_at_ns = now;
	else
		sp_thread_look_at_queue(t, now);
}

static void activate_main(void *arg)
{
	struct activation *a = arg;
	struct sp_spool_header *h = NULL;
	uint64_t ticks = sp_start_ticks();
	struct sp_usage usage;
	struct sp_where where = sp_process_where();

	sp_config_load_shared(&a->config, &where, sp_process.file, &a->facts,
		sp_agent.attached ? sp_process.attached_facts : sp_tree_facts());
	make_spool(a, sp_paths.spool, ticks, &h);
	if (a->error) {
		sp_tree_refused();
		return;
	}
	h->state = SP_STATE_RUNNING;
	sp_agent.spool_map = (uint8_t *)h;
	sp_agent.spool = h;
	sp_agent.has_spool = true;
	sp_notes_write();
	configure(&a->config, h);
	sp_describe_process(h, &a->config, ticks);
	publish_spool(a, sp_paths.spool);
	if (a->error)
		return;
	sp_throttle_begin(a->config.machine.throttle_file);
	sp_choose_clock(a->t, a->config.machine.perf_event_paranoid, h);
	start_heap(h);
	sp_process_usage(&usage);
	h->cpu.before_user_ns = usage.user_ns;
	h->cpu.before_sys_ns = usage.sys_ns;
	if (!sp_agent.attached) {
		sp_thread_usage_now(a->t->tid, &usage);
		sp_thread_open_record(a->t, 0, usage.user_ns, usage.sys_ns);
		if (a->t->record && a->t->tid == sp_agent.pid) {
			a->t->record->start_ns = 0; /* with the process */
			open_queue(a->t, sp_now_ns());
		}
	}
	sp_waits_configure(a->t,
		a->config.values[SP_OPT_WAITS].number && !sp_agent.attached && !sp_is_under_valgrind());
	sp_spool_take(SP_UNWIND_TABLE_BYTES + SP_FRAMES_TABLE_BYTES, 0);
	sp_spool_take(SP_BLOCK_TOUCHED, SP_BLOCK_TOUCHED);
	h->control.asleep = !a->config.values[SP_OPT_START].number;
	if (h->control.asleep)
		sp_control_stop();
	else if (h->heap.on)
		sp_heap_replay(a->t);
	sp_totals_update();
	sp_governor_start();
}

/* Takes the caller's block from the pool, or finds that a forked child has it still. One that the agent has been put into
 * has none of its own: all threads are found. */
static struct sp_thread *own_block(void)
{
	struct sp_thread *t = sp_tls.thread;

	if (sp_agent.attached)
		return sp_block_take();
	if (!t && (t = sp_block_take()))
		sp_thread_adopt(t, 0, 0, 0);
	return t;
}

static void find_threads(void *unused)
{
	(void)unused;
	if (!sp_discovery_is_needless())
		sp_discovery_scan();
	sp_clock_sentinel(sp_now_ns());
}

/* A handler of the program's might leave all this by a jump. Signals by which it is told whether ours is blocked and another one
 * free stay as they are. */
static uint64_t block_handlers(void)
{
	uint64_t set = ~(1ull << (sp_agent.config.signal - 1) | 1ull << (SIGSTKFLT - 1) | 1ull << (SIGURG - 1));
	uint64_t before = 0;

	sp_sys(SYS_rt_sigprocmask, SIG_BLOCK, &set, &before, 8);
	return before;
}

void sp_activate(void)
{
	struct activation *a;
	struct sp_thread *t;
	int expected = SP_AGENT_DORMANT, saved_errno = errno;
	uint64_t mask, given;

	if (sp_tls.guard) {
		sp_process_arm_start(); /* in the middle of counting an allocation: activation comes a moment later */
		return;
	}
	given = block_handlers();
	if (sp_is_vfork_child() ||
		!__atomic_compare_exchange_n(&sp_agent.state, &expected, SP_AGENT_ACTIVATING, false, __ATOMIC_ACQ_REL,
			__ATOMIC_RELAXED)) {
		sp_restore_signals(given);
		return;
	}
	sp_tls.guard = 1;
	sp_clock_arm_start(0);
	sp_self_learn();
	sp_signals_look();
	t = own_block();
	if (!t) {
		sp_process.trouble = explain(sp_block_error());
		sp_verbose("not profiling", sp_process.trouble ? sp_process.trouble : "no memory");
		sp_store(&sp_agent.state, SP_AGENT_OFF);
	} else {
		a = sp_thread_stack(t) - sizeof *a; /* top of the private stack */
		memset(a, 0, sizeof *a);
		a->t = t;
		sp_calibrate_tsc();
		sp_agent.one_stack = sp_is_under_valgrind();
		mask = sp_block_others(false);
		sp_on_stack(activate_main, a, a);
		sp_restore_signals(mask);
		sp_process.trouble = a->error ? a->why : NULL;
		if (a->error)
			sp_verbose("not profiling", a->why);
		__atomic_store_n(&sp_agent.state, a->error ? SP_AGENT_OFF : SP_AGENT_ACTIVE, __ATOMIC_RELEASE);
	}
	if (sp_agent_state() == SP_AGENT_OFF)
		sp_waits_off();
	if (sp_agent_state() == SP_AGENT_ACTIVE) {
		if (!sp_agent.attached) {
			sp_signals_watch_fatal();
			sp_threads_own(t);
			sp_clock_arm(t);
		}
		mask = sp_block_others(false); /* no handler of the application's on the private stack */
		sp_on_stack(find_threads, NULL, sp_thread_stack(t));
		sp_restore_signals(mask);
	}
	if (sp_agent.attached && t)
		sp_block_give_back(t);
	sp_tls.guard = 0;
	sp_restore_signals(given);
	errno = saved_errno;
}
