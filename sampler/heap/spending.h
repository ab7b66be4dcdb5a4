/* What heap samples cost, added up as they go, and held within their part of the budget. */
#ifndef SP_SAMPLER_HEAP_SPENDING_H
#define SP_SAMPLER_HEAP_SPENDING_H

#include "sampler/agent.h"

/* Adds what sampling has just taken. */
void sp_spending_add(uint64_t cycles) SP_HIDDEN;

/* What a sample leaves cold, in cycles, `since` being how long ago the thread's last one was. */
uint64_t sp_spending_after(uint64_t since) SP_HIDDEN;

/* The governor looks every few ticks; a program that allocates a million times a second has spent its budget by
 * then. So each thread checks every few samples whether the process has overspent, and if so widens the interval by
 * what its own samples have lately cost. Inside the guard. */
void sp_spending_restrain(struct sp_thread *t, uint64_t cycles, uint64_t now) SP_HIDDEN;

#endif
