/* A call of a function that is a span: from its stub to it, and back.
 *
 * A function whose slot has not been bound yet is bound by its first call, as always: the slot's own way there is what the
 * stub goes on to, and afterwards the slot is taken back. */
#include "preload/hooks/span_call.h"

#include <string.h>

#include "preload/hooks/span_functions.h"
#include "preload/process.h"
#include "preload/smartprof.h"
#include "sampler/spans/spans.h"
#include "sampler/walk/walker.h"

#define ARGUMENT_BYTES_MAX 4096 /* on the stack: of functions that are spans */
#define STACK_ROOM_BYTES 65536u /* nor with less room than that in another */

struct sp_span_function sp_span_functions[SP_SPAN_FUNCTIONS_MAX] SP_BIG;
uint64_t sp_span_main_bytes;

/* Functions that are being called for the first time, plus 1: the loader writes their slots meanwhile. Atomic. */
#define UNBOUND_MAX 16u
static uint32_t unbound[UNBOUND_MAX], unbound_count;

/* --- frames --------------------------------------------------------------------------------------- */

/* How many bytes there are between the return address at `frame` and the end of the caller's frame, by its unwind table; -1
 * where that says nothing that is this simple. Keys that are no address's are others' in the table of rules. */
static int64_t frame_above(uint64_t return_to, uint64_t frame, uint64_t caller_bp)
{
	uint64_t key = ~sp_rules_key(return_to), word, end;
	struct sp_cfi_rule rule;

	if (sp_likely(sp_rules_find(key, &word))) {
		memcpy(&rule, &word, sizeof rule);
	} else {
		rule = sp_cfi_find(return_to - 1);
		memcpy(&word, &rule, sizeof word);
		sp_rules_keep(key, word);
	}
	if (rule.kind != SP_CFI_FRAME || rule.flags & SP_CFI_LOADED)
		return -1;
	end = (rule.flags & SP_CFI_FROM_BP ? caller_bp : frame + 8) + (uint64_t)(int64_t)rule.cfa_offset - 8;
	return end >= frame + 8 && end % 8 == frame % 8 ? (int64_t)(end - frame - 8) : -1;
}

/* --- slots that the loader binds ------------------------------------------------------------------ */

/* Makes the slot the stub's again where the loader has written it. */
static bool take_back(struct sp_span_function *f)
{
	uint64_t stub = sp_span_stub((uint32_t)(f - sp_span_functions)),
		 is = __atomic_load_n(f->slot, __ATOMIC_ACQUIRE);

	if (is == stub)
		return false;
	__atomic_store_n(&f->real, is, __ATOMIC_RELEASE);
	__atomic_store_n(f->slot, stub, __ATOMIC_RELEASE);
	sp_store(&f->bound, 1);
	return true;
}

static void add_unbound(uint32_t index)
{
	uint32_t i, none;

	for (i = 0; i < UNBOUND_MAX; i++) {
		none = 0;
		if (__atomic_compare_exchange_n(&unbound[i], &none, index + 1, false, __ATOMIC_ACQ_REL,
			    __ATOMIC_RELAXED)) {
			sp_add(&unbound_count, 1);
			return;
		}
	}
}

/* Of a function that does not come back the slot is taken back when the next one is called. */
static void take_back_all(void)
{
	uint32_t i, index;

	if (sp_likely(!sp_load(&unbound_count)))
		return;
	for (i = 0; i < UNBOUND_MAX; i++) {
		index = sp_load(&unbound[i]);
		if (!index ||
			(!sp_load(&sp_span_functions[index - 1].bound) && !take_back(&sp_span_functions[index - 1])))
			continue;
		if (__atomic_compare_exchange_n(&unbound[i], &index, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			__atomic_fetch_sub(&unbound_count, 1, __ATOMIC_RELAXED);
	}
}

/* --- calls ---------------------------------------------------------------------------------------- */

/* Where in its own stack a thread has room for another frame. */
static bool has_room(const struct sp_thread *t, uint64_t frame)
{
	uint64_t top = sp_stack_top(t, frame);

	if (top == UINT64_MAX)
		return false;
	return sp_stack_is_main(t) ? top - frame < sp_span_main_bytes
				   : t->stack_bytes - (top - frame) > STACK_ROOM_BYTES;
}

int64_t sp_span_enter(uint32_t index, uint64_t frame, uint64_t caller_bp, struct sp_span_call *call)
{
	struct sp_span_function *f = &sp_span_functions[index];
	int64_t bytes;

	call->real = __atomic_load_n(&f->real, __ATOMIC_ACQUIRE);
	call->index = index;
	if (sp_unlikely(f->looks)) {
		if (!sp_is_vfork_child())
			sp_span_functions_look();
		return -1;
	}
	take_back_all();
	if (sp_unlikely(!sp_load(&f->bound)))
		add_unbound(index);
	bytes = frame_above(*(const uint64_t *)frame, frame, caller_bp);
	if (bytes < 0 || (sp_tls.thread && !has_room(sp_tls.thread, frame)))
		return -1;
	if (sp_tls.thread)
		sp_span_unwound(sp_tls.thread, frame);
	call->begun = smartprof_span_begin(&f->site, f->name);
	if (!call->begun)
		return -1;
	sp_span_set_frame(sp_tls.thread, frame);
	return bytes < ARGUMENT_BYTES_MAX ? bytes : ARGUMENT_BYTES_MAX;
}

void sp_span_left(const struct sp_span_call *call)
{
	struct sp_span_function *f = &sp_span_functions[call->index];
	smartprof_span_leave(call->begun, 0);
	if (sp_likely(sp_load(&f->bound)))
		return;
	take_back(f);
	sp_store(&f->bound, 1);
	take_back_all();
}

int sp_span_personality(int version, int actions, uint64_t class, void *exception, void *context)
{
	enum { CLEANUP_PHASE = 2, CONTINUE_UNWIND = 8 };

	(void)version;
	(void)class;
	(void)exception;
	(void)context;
	if (actions & CLEANUP_PHASE)
		take_back_all();
	if (actions & CLEANUP_PHASE && sp_tls.thread && sp_agent_state() == SP_AGENT_ACTIVE)
		sp_span_thrown(sp_tls.thread);
	return CONTINUE_UNWIND;
}
