/* Heap sampling, driven by tests. */
#include "tests/unit/sampler_driven.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/auxv.h>

#include <cmocka.h>

#include "sampler/heap/filter.h"
#include "sampler/heap/heap.h"
#include "sampler/heap/live.h"
#include "sampler/threads/thread.h"
#include "sampler/walk/unwind.h"

/* The callers stand in a section of their own: the rest of the program is "the agent", whose frames are left out. */
#define CALLER __attribute__((section("callers"), noinline))
extern const char __executable_start[], __start_callers[];

uint64_t next_address;

const void *new_pointer(void)
{
	return (const void *)(uintptr_t)(0x7e0000000010u + 16 * next_address++);
}

static void allocate(const void *p, size_t size)
{
	if (!sp_heap_count_quickly(size))
		sp_heap_hit(p, size);
}

void release(const void *p)
{
	sp_tls.heap.frees++;
	if (!sp_filter_surely_not(p))
		sp_heap_forget(p);
}

/* The barrier keeps the call from becoming a jump. */
#define DEFINE_SITE(n) \
	CALLER static void allocate_##n(const void *p, size_t size) \
	{ \
		allocate(p, size); \
		__asm__ volatile("" : : "i"(n)); \
	}
DEFINE_SITE(0)
DEFINE_SITE(1)
DEFINE_SITE(2)
DEFINE_SITE(3)
DEFINE_SITE(4)
DEFINE_SITE(5)
void (*const allocate_at[SITES])(const void *, size_t) = {
	allocate_0, allocate_1, allocate_2, allocate_3, allocate_4, allocate_5};

static bool drop_all(struct sp_live *entry, void *arg)
{
	(void)entry;
	(void)arg;
	return false;
}

void set_interval(uint64_t bytes)
{
	struct sp_heap_totals *h = &sp_agent.spool->heap;

	h->requested_bytes = h->interval_bytes = h->interval_floor = h->interval_max_bytes = bytes;
	sp_heap_start_thread(sp_tls.thread);
}

int heap_set_up(void **state)
{
	struct sp_thread *t = sp_block_take();

	(void)state;
	sp_filter_boot_done();
	if (!t || agent_open("/tmp", 50000) || sp_live_init())
		return -1;
	sp_agent.config.heap = true;
	sp_agent.config.budget_permille = 1000000; /* no interval moves by itself */
	sp_agent.own_start = __executable_start;
	sp_agent.own_end = __start_callers;
	sp_unwind_init(getauxval(AT_ENTRY), getauxval(AT_BASE), getauxval(AT_RANDOM));
	sp_agent.tsc_per_us_x1024 = 2560000000; /* a clock so slow that nothing here lives long */
	sp_thread_adopt(t, 0, 0, 0);
	t->random = 0x123456789abcdefu;
	set_interval(1);
	return 0;
}

int heap_tear_down(void **state)
{
	(void)state;
	sp_live_sweep(drop_all, NULL);
	sp_thread_release(sp_tls.thread);
	sp_tls = (struct sp_tls){0};
	agent_close();
	return 0;
}

struct sp_site *sites(void)
{
	return sp_section(SP_SEC_SITES);
}

uint32_t site_count(void)
{
	return sp_agent.spool->sections[SP_SEC_SITES].used;
}

uint64_t inuse(const struct sp_site *s)
{
	return s->alloc_bytes - s->free_bytes;
}

void assert_within(double is, double expected, double share)
{
	if (!(fabs(is - expected) <= expected * share))
		fail_msg("%.0f, expected %.0f +- %.1f %%", is, expected, share * 100);
}
