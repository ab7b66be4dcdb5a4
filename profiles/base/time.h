/* The time of a clock as one number. */
#ifndef SP_PROFILES_TIME_H
#define SP_PROFILES_TIME_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of `clock`, as clock_gettime has it; 0 when there is no such clock. */
uint64_t sp_time_ns(clockid_t clock);

/* Sleeps for so long (less than a second), or until a signal's handler has run. */
void sp_nap_ms(unsigned ms);

#endif
