/* Calls that have not come back when the process ends in the handler of a signal that came meanwhile. */
#include "sampler/waits/cut_off.h"

#include "sampler/sys.h"
#include "sampler/threads/usage.h"
#include "sampler/waits/waits.h"
#include "sampler/walk/cfi_entry.h"
#include "sampler/walk/stack_read.h"
#include "sampler/walk/unwind.h"

#define LEAST_NS 1000000u /* what is not known of less is not worth a walk at every process's end */

struct search {
	struct sp_thread *t;
	int call; /* -1: in none */
};

/* Runs on the private stack. */
static void search(void *arg)
{
	struct search *s = arg;
	struct sp_cfi_entry entry = {.start = 0};
	struct sp_walk walk;

	sp_unwind(s->t, NULL, &walk);
	for (uint32_t i = 0; i < walk.depth && s->call < 0; i++) {
		uint64_t inner = entry.start;

		if (!sp_cfi_entry_find(walk.frames[i] - 1, &entry))
			entry.start = 0;
		else if (sp_is_own(entry.start))
			s->call = sp_waits.call_of(entry.start, inner);
	}
}

static bool is_accounted_for(const struct sp_thread_record *r)
{
	uint64_t known = r->start_ns + sp_clock_read_ns(CLOCK_THREAD_CPUTIME_ID) + LEAST_NS;

	for (int i = 0; i < SP_WAIT_KINDS; i++)
		known += r->waits[i].ns;
	return sp_now_ns() < known;
}

void sp_wait_note_cut_off(void)
{
	struct search s = {sp_tls.thread, -1};

	if (!s.t || !s.t->record || !sp_waits.call_of || !sp_load(&sp_waits.least_cycles) ||
		is_accounted_for(s.t->record) || !sp_enter())
		return;
	sp_on_stack(search, &s, sp_thread_stack(s.t));
	sp_leave(s.t);
	if (s.call >= 0)
		s.t->record->open_wait = 1 + (uint32_t)sp_wait_kind_of((enum sp_wait_call)s.call);
}
