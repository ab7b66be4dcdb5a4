/* What differs from one kind of processor to the next: system calls, registers, and what a walk must know of code and of the
 * kernel's frames. Each kind has a header with the same names. */
#ifndef SP_SAMPLER_ARCH_H
#define SP_SAMPLER_ARCH_H

#if defined(__x86_64__)
#include "sampler/arch_x86_64.h"
#elif defined(__aarch64__)
#include "sampler/arch_aarch64.h"
#else
#error "smartprof's agent knows x86-64 and aarch64 only"
#endif

/* What the counter is taken to run at before that is measured. */
static inline uint64_t sp_cycles_per_us_assumed(void)
{
	return sp_cycles_per_us_told() ?: 2500;
}

/* The registers of a context as the kernel keeps them: words, of which SP_CONTEXT_PLACES tells the one of each register of
 * DWARF's, and SP_CONTEXT_IP the instruction's. */
static inline uint64_t *sp_context_words(const ucontext_t *context)
{
	return (uint64_t *)((uintptr_t)context + SP_CONTEXT_WORDS_AT);
}

static inline uint64_t sp_context_ip(const ucontext_t *context)
{
	return sp_context_words(context)[SP_CONTEXT_IP];
}

static inline uint64_t sp_context_sp(const ucontext_t *context)
{
	return sp_context_words(context)[SP_CONTEXT_SP];
}

#endif
