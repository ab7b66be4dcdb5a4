/* What a whole profile says, as numbers that add up, and back. */
#ifndef SP_PROFILES_FLEET_FACTS_H
#define SP_PROFILES_FLEET_FACTS_H

#include "profiles/fleet/columns.h"
#include "profiles/model/model.h"

#define SP_FLEET_Z95 1.959964 /* half the width of a 95 % interval, in standard errors */

struct sp_fleet_facts {
	struct sp_pool pool;
	uint64_t numbers[SP_FLEET_NUMBERS];
	double reals[SP_FLEET_REALS];
	const char *texts[SP_FLEET_TEXTS]; /* "" where there is none */
	const char *environment;
};

/* Of a profile that was read. */
void sp_fleet_facts_take(struct sp_fleet_facts *facts, const struct sp_profile *profile);
void sp_fleet_facts_free(struct sp_fleet_facts *facts);

/* Gives the profile what sp_merge_add reads of one. */
void sp_fleet_facts_give(const struct sp_fleet_facts *facts, struct sp_profile *profile);

#endif
