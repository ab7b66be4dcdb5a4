/* For the tests of sampler/heap/: heap sampling driven as the hooks drive it, with pointers that are only numbers. */
#ifndef SP_TESTS_UNIT_SAMPLER_DRIVEN_H
#define SP_TESTS_UNIT_SAMPLER_DRIVEN_H

#include "sampler/agent.h"
#include "tests/unit/sampler_spool.h"

/* An agent with a spool that samples this thread at an interval of one byte, which only set_interval moves. */
int heap_set_up(void **state);
int heap_tear_down(void **state);
void set_interval(uint64_t bytes);

/* A pointer that none before was; the next one lies 16 bytes above. */
const void *new_pointer(void);
extern uint64_t next_address;

/* Different code, so different sites. */
#define SITES 6u
extern void (*const allocate_at[SITES])(const void *p, size_t size);
void release(const void *p);

struct sp_site *sites(void);
uint32_t site_count(void);
uint64_t inuse(const struct sp_site *s);

/* A test fails unless `is` differs from what is expected by so large a share of that at the most. */
void assert_within(double is, double expected, double share);

#endif
