/* A profile as rows of a store's tables. */
#ifndef SP_PROFILES_FLEET_ROWS_H
#define SP_PROFILES_FLEET_ROWS_H

#include "profiles/base/buffer.h"
#include "profiles/fleet/put.h"
#include "profiles/fleet/sql.h"
#include "profiles/model/model.h"

/* Above so many rows of samples, or bytes of stacks, a profile is cut (profiles/model/cut.h): its sums are the same. */
#define SP_FLEET_ROWS_MOST 50000u
#define SP_FLEET_BYTES_MOST (128u << 20)

/* Whose profile it is. Texts may be anybody's. */
struct sp_fleet_origin {
	const char *service, *version, *host; /* "" where there is none */
	const char *environment;              /* NULL: the profile's */
	const struct sp_fleet_label *labels;  /* others */
	size_t label_count;
	uint64_t now_s;      /* when it is sent: the time of a profile that does not tell when it was made */
	const char *content; /* the file, whose rows are known again by it */
	size_t length;
};

/* Bodies of INSERT … FORMAT JSONEachRow. To be inserted in this order, and only what is not there already: stacks may be written
 * again and again, samples and the profile are known by `id`. */
struct sp_fleet_rows {
	char id[SP_FLEET_ID];
	uint64_t time_s;                                  /* when the profile ended */
	struct sp_buffer stacks, samples, spans, profile; /* spans: empty where there are none */
	size_t stack_count, sample_count;
};

/* profile: read from Markdown; its stacks are put in order. */
void sp_fleet_rows_write(struct sp_fleet_rows *rows, struct sp_profile *profile, const struct sp_fleet_origin *origin);
void sp_fleet_rows_free(struct sp_fleet_rows *rows);

#endif
