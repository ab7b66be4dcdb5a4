/* Reading the stacks that are walked. Only what is known to be mapped, the thread's own stack from the interrupted frame
 * up, is read directly, all else through the kernel: tables do not say when code switches stacks by hand, and a frame
 * pointer may be any number. Any context. */
#ifndef SP_SAMPLER_WALK_STACK_READ_H
#define SP_SAMPLER_WALK_STACK_READ_H

#include <string.h>

#include "sampler/agent.h"

#define SP_WINDOW_BYTES 2048u /* of a stack copied by one system call, where addresses are not trusted */

struct sp_stack_view {
	const struct sp_thread *thread;
	uint64_t began, limit;            /* cycles */
	bool late;                        /* the time is up: nothing more is asked of the kernel */
	uint64_t low, bytes;              /* an 8-byte word from low to below low + bytes can be read */
	uint64_t window_at, window_bytes; /* what `window` is a copy of */
	uint8_t window[SP_WINDOW_BYTES];
};

/* top: an address on the main thread's stack above its frames, mapped from there down to where it is in use. */
void sp_stack_init(uint64_t top) SP_HIDDEN;

bool sp_stack_is_main(const struct sp_thread *t) SP_HIDDEN;

/* Begins a walk in thread t, which may take limit_us; nothing can be read before sp_stack_enter. */
void sp_stack_begin(struct sp_stack_view *view, const struct sp_thread *t, uint64_t limit_us) SP_HIDDEN;

/* The walk goes on at `sp`: from there on up the stack that it is on is read. */
void sp_stack_enter(struct sp_stack_view *view, uint64_t sp) SP_HIDDEN;

/* Where the stack that `sp` is on ends, if that is the thread's own; else UINT64_MAX. */
uint64_t sp_stack_top(const struct sp_thread *t, uint64_t sp) SP_HIDDEN;

/* Whether the caller, in thread t, is known to run on the thread's own stack. */
static inline bool sp_stack_is_own(const struct sp_thread *t)
{
	return sp_stack_top(t, (uint64_t)(uintptr_t)__builtin_frame_address(0)) != UINT64_MAX;
}

bool sp_stack_is_late(struct sp_stack_view *view) SP_HIDDEN;

/* Whether the word could be read, by way of a copy. */
bool sp_stack_read_copied(struct sp_stack_view *view, uint64_t at, uint64_t *value) SP_HIDDEN;

/* False when the word is not known to be mapped. */
static inline bool sp_stack_read_mapped(const struct sp_stack_view *view, uint64_t at, uint64_t *value)
{
	if (sp_unlikely(at - view->low >= view->bytes))
		return false;
	memcpy(value, (const void *)at, sizeof *value);
	return true;
}

static inline bool sp_stack_read(struct sp_stack_view *view, uint64_t at, uint64_t *value)
{
	return sp_likely(sp_stack_read_mapped(view, at, value)) || sp_stack_read_copied(view, at, value);
}

#endif
