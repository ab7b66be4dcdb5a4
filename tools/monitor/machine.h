/* How far the machine held back what ran. */
#ifndef SP_TOOLS_MONITOR_MACHINE_H
#define SP_TOOLS_MONITOR_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct sp_held_back {
	uint64_t throttled_ns; /* by CPU limits of our control group and those above it, so far */
	uint64_t pressure_ns;  /* some task of the machine waited for a CPU, so far */
	bool throttled_known, pressure_known;
};

void sp_held_back_read(struct sp_held_back *held);

#endif
