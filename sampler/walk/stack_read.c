/* Reading stacks. */
#include "sampler/walk/stack_read.h"

/* The main thread's stack is not known to reach deeper than this below its top. The kernel keeps 128 MB free for it,
 * whatever its limit (arch/x86/mm/mmap.c, mmap_base). */
#define MAIN_STACK_BYTES (64u << 20)

static uint64_t main_top;

void sp_stack_init(uint64_t top)
{
	main_top = top;
}

bool sp_stack_is_main(const struct sp_thread *t)
{
	return !t->root_pc && t->tid == sp_agent.pid;
}

void sp_stack_begin(struct sp_stack_view *view, const struct sp_thread *t, uint64_t limit_us)
{
	uint64_t per_us_x1024 = sp_load(&sp_agent.tsc_per_us_x1024);

	if (!per_us_x1024)
		per_us_x1024 = 1024 * sp_cycles_per_us_assumed();

	view->thread = t;
	view->began = sp_tsc();
	view->limit = per_us_x1024 * limit_us / 1024;
	view->late = false;
	view->bytes = view->window_at = view->window_bytes = 0;
}

bool sp_stack_is_late(struct sp_stack_view *view)
{
	if (sp_tsc() - view->began > view->limit)
		view->late = true;
	return view->late;
}

/* From a stack pointer up to `high`, if it is on the stack of `bytes` that ends there. */
static bool trust(struct sp_stack_view *view, uint64_t sp, uint64_t high, uint64_t bytes)
{
	if (high - sp > bytes || high - sp < 8)
		return false;
	view->low = sp;
	view->bytes = high - sp - 7;
	return true;
}

void sp_stack_enter(struct sp_stack_view *view, uint64_t sp)
{
	const struct sp_thread *t = view->thread;
	bool known = sp_stack_is_main(t) ? trust(view, sp, main_top, MAIN_STACK_BYTES)
					 : trust(view, sp, t->stack_high, t->stack_bytes);

	if (!known && !trust(view, sp, (uint64_t)(uintptr_t)t + SP_BLOCK_BYTES, SP_BLOCK_BYTES))
		view->bytes = 0;
}

uint64_t sp_stack_top(const struct sp_thread *t, uint64_t sp)
{
	bool main = sp_stack_is_main(t);
	uint64_t top = main ? main_top : t->stack_high, bytes = main ? MAIN_STACK_BYTES : t->stack_bytes;

	return top - sp < bytes ? top : UINT64_MAX;
}

/* Copies the stack from `at` on. The kernel finds out what can be read. */
static bool fill_window(struct sp_stack_view *view, uint64_t at)
{
	if (sp_stack_is_late(view))
		return false;
	view->window_at = at;
	view->window_bytes = sp_read_mapped(view->window, at, SP_WINDOW_BYTES);
	return view->window_bytes >= 8;
}

bool sp_stack_read_copied(struct sp_stack_view *view, uint64_t at, uint64_t *value)
{
	if ((at < view->window_at || at - view->window_at + 8 > view->window_bytes) && !fill_window(view, at))
		return false;
	memcpy(value, view->window + (at - view->window_at), sizeof *value);
	return true;
}
