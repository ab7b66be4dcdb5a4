/* What a clock signal costs: measuring it, and remembering it. */
#include "sampler/clock/calibrate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sampler/clock/clock.h"
#include "sampler/sys.h"

#define ASSUMED_HEAP_NS 5000u

#define FIRST_NS 50000000u /* of CPU time: a shorter process is not worth it */
#define AGAIN_NS 5000000000u
#define GAPS 12u
#define FEWEST_GAPS 5u
#define RESTARTS 9u
#define PERIOD_NS 50000u
#define LIMIT_NS 1000000u
#define MOST_NS 1500000u /* that all of it takes */

#define PAGE_SHIFT 12
#define PAGE_ORDER 10u
#define PAGE_WORDS ((1u << PAGE_ORDER) / 64)

static struct {
	const char *spool_path;
	uint64_t due_ns;            /* process CPU time of the next measurement */
	uint64_t pages[PAGE_WORDS]; /* atomic: bits of the pages of code that samples were on lately, by hash */
	uint32_t samples, fresh;    /* atomic: since the bits were cleared */
} calibrate;

bool sp_cost_read(const char *path, uint64_t now_ns, struct sp_cost_file *f)
{
	long fd = sp_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), n;
	struct stat st;
	bool ours;

	if (fd < 0)
		return false;
	ours = sp_sys(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && !(st.st_mode & 077) &&
		st.st_uid == (uid_t)sp_sys(SYS_geteuid) && st.st_size == sizeof *f;
	n = sp_sys(SYS_read, fd, f, sizeof *f);
	sp_sys(SYS_close, fd);
	return ours && n == sizeof *f && sp_cost_is_good(f, now_ns);
}

/* The limit on file size ends a process that exceeds it. */
static bool may_write_files(void)
{
	struct rlimit limit;

	return sp_sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 &&
		limit.rlim_cur >= sizeof(struct sp_cost_file);
}

int sp_cost_write(const char *path, struct sp_cost_file *f)
{
	char temporary[256];
	size_t length = strlen(path);
	long fd, n;
	int err;

	if (length + 5 > sizeof temporary || !may_write_files())
		return -EFBIG;
	f->magic = SP_COST_MAGIC;
	f->check = sp_cost_check(f);
	memcpy(temporary, path, length);
	memcpy(temporary + length, ".new", 5);
	/* This fails if another process is writing the file right now, or has left it half-written: then the next
	 * process succeeds. */
	fd = sp_sys(SYS_openat, AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		sp_sys(SYS_unlinkat, AT_FDCWD, temporary, 0);
		return (int)fd;
	}
	sp_sys(SYS_fchmod, fd, 0600); /* whatever the umask */
	n = sp_sys(SYS_write, fd, f, sizeof *f);
	sp_sys(SYS_close, fd);
	err = n == sizeof *f ? (int)sp_sys(SYS_renameat, AT_FDCWD, temporary, AT_FDCWD, path) : -ENOSPC;
	if (err)
		sp_sys(SYS_unlinkat, AT_FDCWD, temporary, 0);
	return err;
}

/* The file's path, in `path`; false when it has none. */
static bool find_file(char path[static 256])
{
	size_t length = calibrate.spool_path ? strlen(calibrate.spool_path) : 0;

	while (length && calibrate.spool_path[length - 1] != '/')
		length--;
	if (!length || length + sizeof SP_COST_FILE > 240)
		return false;
	memcpy(path, calibrate.spool_path, length);
	memcpy(path + length, SP_COST_FILE, sizeof SP_COST_FILE);
	return true;
}

void sp_calibrate_place(const char *spool_path)
{
	calibrate.spool_path = spool_path;
}

static void forget_pages(void)
{
	for (uint32_t i = 0; i < PAGE_WORDS; i++)
		sp_store(&calibrate.pages[i], 0);
	sp_store(&calibrate.fresh, 0);
	sp_store(&calibrate.samples, 0);
}

void sp_calibrate_start(void)
{
	struct sp_spool_header *h = sp_agent.spool;
	struct sp_cost_file f;
	char path[256];
	bool known = find_file(path) && sp_cost_read(path, sp_clock_read_ns(CLOCK_REALTIME), &f);

	h->cpu.signal_gap_ns = known ? f.signal_gap_ns : SP_GAP_ASSUMED_NS;
	h->cpu.signal_cost_source = known ? SP_COST_CACHED : SP_COST_ASSUMED;
	h->cpu.switch_timer_ns = (uint32_t)(known ? f.switch_timer_ns : SP_SWITCH_TIMER_ASSUMED_NS);
	h->heap.sample_cost_ns = known ? f.heap_cost_ns : ASSUMED_HEAP_NS;
	calibrate.due_ns = known ? AGAIN_NS : FIRST_NS;
	forget_pages();
}

uint64_t sp_calibrate_gap_ns(uint64_t *gaps, uint32_t n)
{
	uint32_t i, j;

	if (n < FEWEST_GAPS)
		return 0;
	for (i = 1; i < n; i++) {
		uint64_t gap = gaps[i];
		for (j = i; j && gaps[j - 1] > gap; j--)
			gaps[j] = gaps[j - 1];
		gaps[j] = gap;
	}
	return sp_tsc_ns(gaps[n / 2]);
}

void sp_calibrate_code(uint64_t address)
{
	uint32_t bit = (uint32_t)((address >> PAGE_SHIFT) * 0x9e3779b97f4a7c15u >> (64 - PAGE_ORDER));
	uint64_t *word = &calibrate.pages[bit / 64], mask = 1ull << bit % 64;
	uint32_t *mean = &sp_agent.spool->cpu.fresh_pages, last;

	if (!(sp_load(word) & mask)) {
		sp_store(word, sp_load(word) | mask);
		sp_store(&calibrate.fresh, sp_load(&calibrate.fresh) + 1);
	}
	if (__atomic_add_fetch(&calibrate.samples, 1, __ATOMIC_RELAXED) != SP_FRESH_SAMPLES)
		return;
	last = sp_load(&calibrate.fresh) < SP_FRESH_SAMPLES ? sp_load(&calibrate.fresh) : SP_FRESH_SAMPLES;
	sp_store(mean, sp_load(mean) ? (sp_load(mean) * 3 + last + 2) / 4 : last);
	forget_pages();
}

void sp_calibrate_signal(struct sp_thread *t, bool is_event, bool is_ours, const siginfo_t *info, ucontext_t *context)
{
	/* A tick costs less than an event's signal: two at a time are not counted as a gap. */
	sp_store(&t->calibrating, t->calibrating + (is_event ? 1 : 2));
	if (is_ours)
		return;
	context->uc_sigmask.__val[0] |= 1ul << (info->si_signo - 1);
	sp_sys(SYS_rt_tgsigqueueinfo, sp_agent.pid, t->tid, info->si_signo, info);
}

/* Watches the cycle counter for gaps that one event's signal made. */
static uint32_t collect(struct sp_thread *t, uint64_t *gaps)
{
	uint64_t last = sp_tsc(), until = last + sp_tsc_cycles(LIMIT_NS), now;
	uint32_t n = 0, seen = sp_load(&t->calibrating), hits;

	while (n < GAPS && last < until) {
		now = sp_tsc();
		hits = sp_load(&t->calibrating);
		if (hits != seen) {
			now = sp_tsc();
			if (hits == seen + 1)
				gaps[n++] = now - last;
			seen = hits;
		}
		last = now;
	}
	return n;
}

/* Lets the profiling signal through while it measures. The nested signal must come in on
 * this stack: the application's signal stack may hold the handler that we were called from. */
static uint32_t measure(struct sp_thread *t, uint64_t *gaps)
{
	uint64_t all_but_ours = ~(1ull << (sp_agent.config.signal - 1)), mask;
	stack_t none = {.ss_flags = SS_DISABLE}, before;
	bool had_stack;
	uint32_t n = 0;

	if (sp_sys(SYS_sigaltstack, NULL, &before) != 0)
		return 0;
	had_stack = !(before.ss_flags & SS_DISABLE);
	if (had_stack && sp_sys(SYS_sigaltstack, &none, NULL) != 0)
		return 0;
	sp_store(&t->calibrating, 1);
	if (sp_clock_event.set_interval(t, PERIOD_NS) == 0) {
		sp_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all_but_ours, &mask, 8);
		n = collect(t, gaps);
		sp_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
	}
	sp_store(&t->calibrating, 0);
	sp_clock_rearm_event(t);
	if (had_stack)
		sp_sys(SYS_sigaltstack, &before, NULL);
	return n;
}

/* Measures with an event whose timer is always the processor's next one, and with one whose timer never is. */
#define NEXT_TIMER_NS 200000u
#define FAR_TIMER_NS 1000000000u

static void learn_switch(struct sp_cpu_totals *cpu)
{
	uint64_t next[RESTARTS], far[RESTARTS], next_ns, far_ns;

	if (!sp_clock_event_restarts(NEXT_TIMER_NS, next, RESTARTS) ||
		!sp_clock_event_restarts(FAR_TIMER_NS, far, RESTARTS))
		return;
	next_ns = sp_calibrate_gap_ns(next, RESTARTS);
	far_ns = sp_calibrate_gap_ns(far, RESTARTS);
	if (next_ns - far_ns <= SP_COST_MOST_NS)
		sp_store(&cpu->switch_timer_ns, (uint32_t)(next_ns - far_ns));
}

static void learn_gap(struct sp_thread *t, struct sp_cpu_totals *cpu)
{
	uint64_t gaps[GAPS], gap;
	uint32_t n = measure(t, gaps);

	gap = sp_calibrate_gap_ns(gaps, n);
	if (gap < SP_COST_LEAST_NS || gap > SP_COST_MOST_NS)
		return;
	/* The figure changes with what the machine's other threads do: a single measurement is not the whole truth. */
	if (cpu->signal_cost_source != SP_COST_ASSUMED)
		gap = (gap + cpu->signal_gap_ns) / 2;
	cpu->signal_gap_ns = gap;
	cpu->signal_cost_source = SP_COST_MEASURED;
}

/* Leaves what is known for processes to come. */
static void keep(const struct sp_cpu_totals *cpu)
{
	struct sp_cost_file f = {.realtime_ns = sp_clock_read_ns(CLOCK_REALTIME),
		.signal_gap_ns = cpu->signal_gap_ns,
		.switch_timer_ns = cpu->switch_timer_ns,
		.heap_cost_ns = sp_agent.spool->heap.sample_cost_ns};
	char path[256];

	if (cpu->signal_cost_source == SP_COST_MEASURED && find_file(path))
		sp_cost_write(path, &f);
}

void sp_calibrate_step(struct sp_thread *t, uint64_t cpu_ns)
{
	struct sp_cpu_totals *cpu = &sp_agent.spool->cpu;
	uint64_t began = sp_tsc(), most;

	if (!t->event_page || cpu_ns < calibrate.due_ns)
		return;
	calibrate.due_ns = cpu_ns + AGAIN_NS;
	learn_switch(cpu);
	learn_gap(t, cpu);
	keep(cpu);
	t->calibration_cycles = sp_tsc() - began;
	most = sp_tsc_cycles(MOST_NS);
	if (t->calibration_cycles > most) /* the rest was another thread's */
		t->calibration_cycles = most;
}
