/* The front matter's facts, from a profile that came out of a spool. */
#ifndef SP_PROFILES_FACTS_H
#define SP_PROFILES_FACTS_H

#include "profiles/model/model.h"

#define SP_PROFILE_SCHEMA "smartprof/1"

/* Fills profile->facts. What was not collected is absent. */
void sp_facts_collect(struct sp_profile *profile);

/* Adds those of waiting alone, of the heap alone. */
void sp_facts_add_waiting(struct sp_profile *profile);
void sp_facts_add_heap(struct sp_profile *profile);

/* The value of a fact on which merged profiles do not agree. */
#define SP_SEVERAL "several"

/* The fact `started` in nanoseconds since 1970; 0 when there is none, or it is no time. */
uint64_t sp_facts_start_ns(const struct sp_profile *profile);

/* The start of the run as local time, strftime format. */
void sp_facts_started(const struct sp_spool_header *header, char *out, size_t size, const char *format);

#endif
