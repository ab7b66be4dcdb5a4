/* What the spool says of its process and settings. */
#ifndef SP_PRELOAD_START_DESCRIBE_H
#define SP_PRELOAD_START_DESCRIBE_H

#include "sampler/agent.h"

struct sp_config;

/* Fills in the header of a new spool what is known of the process. Any context. */
void sp_describe_process(struct sp_spool_header *h, const struct sp_config *c, uint64_t start_ticks) SP_HIDDEN;

#endif
