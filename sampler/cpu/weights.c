/* What a sample stands for. */
#include "sampler/cpu/weights.h"

/* The share of ticks that find the thread in the kernel for no call and no page fault is counted over so many ticks;
 * above this share they cannot be interrupts. */
#define UNCALLED_TICKS 64u
#define UNCALLED_MOST_PPM 250000u

/* An interrupt's tick adds to the system time alone: so many times what it adds to the user time. */
#define SYS_ALONE 3u

/* Over so much CPU time it is judged whether a thread is calm: whether of that at the most this part was the kernel's. */
#define CALM_NS 128000000u
#define CALM_PART 32u

/* Part of the drift that one sample of nominal weight may make up for; below, of the interrupts' time. */
static int64_t take_drift(struct sp_thread *t, int64_t nominal)
{
	int64_t part = t->user_drift_ns / 8;

	if (part < -nominal / 2)
		part = -nominal / 2;
	if (part > nominal * 3)
		part = nominal * 3;
	t->user_drift_ns -= part;
	return part;
}

static uint64_t take_interrupts(struct sp_thread *t, uint64_t nominal)
{
	uint64_t part = t->interrupts_ns / 8;

	if (part > nominal)
		part = nominal;
	t->interrupts_ns -= part;
	return part;
}

struct sp_weight sp_weight_event(struct sp_thread *t)
{
	int64_t nominal = (int64_t)(t->first_sample ? t->first_weight_ns : t->period_ns);

	return (struct sp_weight){(uint64_t)(nominal + take_drift(t, nominal)), take_interrupts(t, (uint64_t)nominal)};
}

/* What both times have grown by since the last tick. The kernel charges a tick to the mode it finds and then scales both
 * sums to the exact run time, so that under preemption either may grow a little at any tick: the one that grew more was
 * charged. But where the thread's times are read between ticks, by whomever, both grow alike: the kernel lets neither
 * fall behind what it has answered. Then it is only known where the thread came from. */
static struct sp_weight take_growth(struct sp_thread *t, const struct sp_usage *usage)
{
	struct sp_weight growth = {usage->user_ns - t->user_tick_ns, usage->sys_ns - t->sys_tick_ns};

	t->user_tick_ns = usage->user_ns;
	t->sys_tick_ns = usage->sys_ns;
	t->looked = false;
	t->since_tick_ns = 0;
	return growth;
}

void sp_weight_look(struct sp_thread *t, const struct sp_usage *usage)
{
	t->user_tick_ns = usage->user_ns;
	t->sys_tick_ns = usage->sys_ns;
	t->faults_tick = usage->faults;
	t->looked = true;
}

void sp_weight_judge(struct sp_thread *t, const struct sp_usage *usage)
{
	uint64_t cpu_ns = usage->user_ns + usage->sys_ns, passed = cpu_ns - t->calm_cpu_ns;

	if (passed < CALM_NS)
		return;
	t->calm = (usage->sys_ns - t->calm_sys_ns) * CALM_PART < passed;
	t->calm_cpu_ns = cpu_ns;
	t->calm_sys_ns = usage->sys_ns;
}

/* Adds a tick to the share: it counts as so many `parts`. */
static void count_uncalled(struct sp_thread *t, uint32_t parts)
{
	t->uncalled_ppm += parts * 1000000 / UNCALLED_TICKS;
	t->uncalled_ppm -= t->uncalled_ppm / UNCALLED_TICKS;
}

/* Whether an interrupt took the tick's time, our clock's among them: the kernel was entered for no call of the
 * thread's and for no page fault. Whose instruction an interrupt hits is chance, and one tick would stand for the
 * time of all interrupts since the last one. But a thread that is found so at a quarter of its ticks has brought
 * that about itself, by exceptions. Where an exception has just become a signal that is certain; it counts twice,
 * because the return from its handler looks like an interrupt. */
static bool was_interrupted(struct sp_thread *t, bool handler, bool uncalled)
{
	count_uncalled(t, handler ? 2 : uncalled);
	return uncalled && !handler && t->uncalled_ppm < UNCALLED_MOST_PPM;
}

struct sp_weight sp_weight_tick(struct sp_thread *t, const struct sp_usage *usage, const ucontext_t *context,
	uint64_t least_ns)
{
	struct sp_weight growth = take_growth(t, usage);
	bool called = sp_context_follows_call(context), handler = sp_context_enters_handler(context);
	bool uncalled = handler || (!called && usage->faults == t->faults_tick);
	bool kernel = called || growth.sys_ns > growth.user_ns * (uncalled && !handler ? SYS_ALONE : 1);
	struct sp_weight weight = {0, usage->sys_ns > t->sys_seen_ns ? usage->sys_ns - t->sys_seen_ns : 0};

	if (!t->event_page) {
		weight.user_ns = usage->user_ns > t->user_seen_ns ? usage->user_ns - t->user_seen_ns : 0;
	} else {
		t->user_drift_ns = (int64_t)(usage->user_ns - t->user_base_ns - t->user_assigned_ns);
		if (!kernel) {
			count_uncalled(t, 0);
			weight.sys_ns = 0;
		} else if (was_interrupted(t, handler, uncalled)) {
			t->interrupts_ns += weight.sys_ns;
			t->sys_seen_ns += weight.sys_ns;
			weight.sys_ns = 0;
		} else if (t->uncalled_ppm >= UNCALLED_MOST_PPM) {
			weight.sys_ns += t->interrupts_ns;
			t->interrupts_ns = 0;
		}
	}
	t->faults_tick = usage->faults;
	return weight.user_ns + weight.sys_ns >= least_ns ? weight : (struct sp_weight){0, 0};
}

void sp_weight_given(struct sp_thread *t, const struct sp_usage *usage)
{
	if (usage->user_ns > t->user_seen_ns)
		t->user_seen_ns = usage->user_ns;
	t->sys_seen_ns = usage->sys_ns;
}
