/* Answers of a store (profiles/fleet/sql.h), and profiles made of them. Whoever filled the store may have written anything, so all
 * of it is hostile: what is read is checked, and its texts come out as they went in, control characters and all. */
#ifndef SP_PROFILES_FLEET_ANSWER_H
#define SP_PROFILES_FLEET_ANSWER_H

#include "profiles/fleet/facts.h"
#include "profiles/model/model.h"

struct sp_fleet_stack {
	uint64_t key[2]; /* its id */
	size_t first;    /* of frames[], leaf first */
	uint32_t depth;  /* 0: its frames are not read */
};

struct sp_fleet_stacks {
	struct sp_names names;
	struct sp_map index; /* by id */
	struct sp_fleet_stack *list;
	size_t count, capacity;
	struct sp_fleet_frame *frames;
	size_t frame_count, frame_capacity;
};

/* The number of the stack of an id, a new one where it was not met before. */
uint32_t sp_fleet_stack_of(struct sp_fleet_stacks *stacks, const uint64_t key[static 2]);

/* Of sp_sql_stacks: fills those that were asked for in. Returns NULL, or what is wrong with it. The text is changed. */
const char *sp_fleet_stacks_read(struct sp_fleet_stacks *stacks, char *text);
void sp_fleet_stacks_free(struct sp_fleet_stacks *stacks);

struct sp_fleet_sample {
	enum sp_fleet_kind kind;
	uint32_t stack, host; /* indices; host: of names */
	uint64_t values[SP_FLEET_VALUES];
	double variances[SP_FLEET_VARIANCES];
};

struct sp_fleet_samples {
	struct sp_names hosts;
	struct sp_fleet_sample *list;
	size_t count, capacity;
};

/* Of sp_sql_samples. Frames of stacks that are new are to be asked for afterwards. */
const char *sp_fleet_samples_read(struct sp_fleet_samples *samples, struct sp_fleet_stacks *stacks, char *text);

/* Leaves out what is of stacks whose frames nobody has: how many rows. */
size_t sp_fleet_samples_known(struct sp_fleet_samples *samples, const struct sp_fleet_stacks *stacks);
void sp_fleet_samples_free(struct sp_fleet_samples *samples);

/* What the profiles of a host, or all, come to: of sp_sql_totals. */
struct sp_fleet_total {
	struct sp_fleet_facts facts;
	const char *host;
	uint64_t profiles, hosts, from_ns;
};
struct sp_fleet_totals {
	struct sp_pool pool;
	struct sp_fleet_total *list;
	size_t count, capacity;
};
const char *sp_fleet_totals_read(struct sp_fleet_totals *totals, char *text);
void sp_fleet_totals_free(struct sp_fleet_totals *totals);

/* Appends to the profile's processes: of sp_sql_processes. */
const char *sp_fleet_processes_read(struct sp_profile *profile, char *text);

/* Appends to the profile's spans: of sp_sql_spans. */
const char *sp_fleet_spans_read(struct sp_profile *profile, char *text);

/* The next line of an answer and its fields, unescaped, at most `most`; how many, 0 at the end. */
size_t sp_fleet_line(char **text, char **fields, size_t most);
bool sp_fleet_whole(const char *field, uint64_t *number);
bool sp_fleet_id(const char *field, uint64_t key[static 2]); /* of a stack, as index has it */
bool sp_fleet_real(const char *field, double *number);

/* A profile as one that was read from Markdown, of `count` samples. Times, bytes and counts are multiplied by `scale`. It is to be
 * merged (profiles/model/merge.h), or compared; sp_profile_free before the stacks. */
struct sp_profile *sp_fleet_profile(const struct sp_fleet_sample *samples, size_t count,
	const struct sp_fleet_stacks *stacks, const struct sp_fleet_total *total, double scale);

#endif
