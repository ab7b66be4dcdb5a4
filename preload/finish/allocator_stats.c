/* What the allocator says of itself, asked once, on the way out. Asking takes the allocator's locks, so it is
 * done only where nobody can hold them for good: see is_safe. */
#include "preload/finish/allocator_stats.h"

#include <malloc.h>
#include <string.h>

#include "preload/libc.h"
#include "preload/process.h"
#include "preload/real.h"
#include "sampler/sys.h"
#include "sampler/walk/cfi_entry.h"
#include "sampler/walk/unwind.h"

/* Bound by the loader where an allocator's library is in the global lookup order. Their manuals:
 * jemalloc(3); gperftools' malloc_extension_c.h; mimalloc.h. */
int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes) __attribute__((weak));
int MallocExtension_GetNumericProperty(const char *property, size_t *value) __attribute__((weak));
void mi_process_info(size_t *elapsed_ms, size_t *user_ms, size_t *system_ms, size_t *current_rss, size_t *peak_rss,
	size_t *current_commit, size_t *peak_commit, size_t *page_faults) __attribute__((weak));

static uint64_t jemalloc_figure(const char *name)
{
	size_t value = 0, bytes = sizeof value;

	return mallctl(name, &value, &bytes, NULL, 0) == 0 ? value : 0;
}

static void ask_jemalloc(struct sp_allocator_totals *a)
{
	uint64_t epoch = 1; /* written: the figures are brought up to date */

	mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
	a->allocated_bytes = jemalloc_figure("stats.allocated");
	a->active_bytes = jemalloc_figure("stats.active");
	a->resident_bytes = jemalloc_figure("stats.resident");
	a->retained_bytes = jemalloc_figure("stats.retained");
}

static uint64_t tcmalloc_figure(const char *name)
{
	size_t value = 0;

	return MallocExtension_GetNumericProperty(name, &value) ? value : 0;
}

static void ask_tcmalloc(struct sp_allocator_totals *a)
{
	uint64_t heap = tcmalloc_figure("generic.heap_size");
	uint64_t unmapped = tcmalloc_figure("tcmalloc.pageheap_unmapped_bytes");

	a->allocated_bytes = tcmalloc_figure("generic.current_allocated_bytes");
	a->resident_bytes = heap - unmapped;
	a->active_bytes = a->resident_bytes - tcmalloc_figure("tcmalloc.pageheap_free_bytes");
	a->retained_bytes = unmapped;
}

/* It counts what is allocated in debugging builds only. */
static void ask_mimalloc(struct sp_allocator_totals *a)
{
	size_t unused, rss, committed;

	mi_process_info(&unused, &unused, &unused, &rss, &unused, &committed, &unused, &unused);
	a->active_bytes = committed;
}

static void ask_glibc(struct sp_allocator_totals *a)
{
	struct mallinfo2 (*ask)(void) = (struct mallinfo2(*)(void))sp_libc_symbol("mallinfo2"), m = ask();

	a->allocated_bytes = m.uordblks + m.hblkhd;
	a->active_bytes = m.arena + m.hblkhd;
	a->retained_bytes = m.fordblks;
}

/* Whose malloc ours leads to. */
static enum sp_allocator which(void)
{
	struct dl_find_object theirs;
	const void *const asked[] = {[SP_ALLOCATOR_GLIBC] = sp_libc_symbol("mallinfo2"),
		[SP_ALLOCATOR_JEMALLOC] = (const void *)mallctl,
		[SP_ALLOCATOR_TCMALLOC] = (const void *)MallocExtension_GetNumericProperty,
		[SP_ALLOCATOR_MIMALLOC] = (const void *)mi_process_info};

	if (sp_real_malloc_bypass() || _dl_find_object((void *)sp_real.malloc, &theirs) != 0)
		return SP_ALLOCATOR_UNKNOWN;
	for (size_t i = 1; i < sizeof asked / sizeof *asked; i++) {
		struct dl_find_object its;

		if (asked[i] && _dl_find_object((void *)(uintptr_t)asked[i], &its) == 0 &&
			its.dlfo_map_start == theirs.dlfo_map_start)
			return (enum sp_allocator)i;
	}
	return SP_ALLOCATOR_UNKNOWN;
}

static bool is_in_signal_return(uint64_t pc)
{
	struct dl_find_object object;

	return _dl_find_object((void *)pc, &object) == 0 && sp_is_signal_return((const void *)pc);
}

struct look {
	struct sp_thread *t;
	bool plain; /* the whole stack is known, and no signal handler in it */
};

static void look(void *arg)
{
	struct look *l = arg;
	struct sp_walk walk;

	sp_unwind(l->t, NULL, &walk);
	if (walk.flags & (SP_STACK_TRUNCATED | SP_STACK_BROKEN))
		return;
	l->plain = true;
	for (uint32_t i = 0; i < walk.depth; i++)
		if (is_in_signal_return(walk.frames[i]))
			l->plain = false;
}

/* Not when a signal handler has called exit: it may have interrupted malloc, which holds a lock then. Nor in a
 * copy of a process with threads, where the lock of one may have come along. */
static bool is_safe(void)
{
	struct look l = {.plain = false};
	uint64_t mask;

	if (sp_process.inherits_locks || sp_agent_state() != SP_AGENT_ACTIVE || sp_is_stale_child() ||
		sp_is_vfork_child() || sp_is_under_valgrind())
		return false;
	mask = sp_block_others(false);
	l.t = sp_enter();
	if (l.t) {
		sp_on_stack(look, &l, sp_thread_stack(l.t));
		sp_leave(l.t);
	}
	sp_restore_signals(mask);
	return l.plain;
}

static void ask(struct sp_allocator_totals *a)
{
	enum sp_allocator allocator = which();

	switch (allocator) {
	case SP_ALLOCATOR_UNKNOWN:
		return;
	case SP_ALLOCATOR_GLIBC:
		ask_glibc(a);
		break;
	case SP_ALLOCATOR_JEMALLOC:
		ask_jemalloc(a);
		break;
	case SP_ALLOCATOR_TCMALLOC:
		ask_tcmalloc(a);
		break;
	case SP_ALLOCATOR_MIMALLOC:
		ask_mimalloc(a);
		break;
	}
	a->asked = allocator;
}

/* Inside the agent, so that it is not the program's time. */
void sp_allocator_ask(void)
{
	struct sp_thread *t;
	uint64_t mask;

	if (!is_safe())
		return;
	mask = sp_block_others(false);
	t = sp_enter();
	if (t) {
		ask(&sp_agent.spool->allocator);
		sp_leave(t);
	}
	sp_restore_signals(mask);
}
