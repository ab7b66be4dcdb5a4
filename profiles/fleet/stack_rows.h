/* A profile's stacks and samples, which are most of its rows. */
#ifndef SP_PROFILES_FLEET_STACK_ROWS_H
#define SP_PROFILES_FLEET_STACK_ROWS_H

#include "profiles/fleet/rows.h"

/* prefix: what every row of a sample begins with. The profile's stacks are put in order. */
void sp_fleet_stack_rows_write(struct sp_fleet_rows *rows, struct sp_profile *profile, const struct sp_buffer *prefix);

#endif
