/* The parts of `smartprof fleet`: questions to a store of many machines' profiles. */
#ifndef SP_TOOLS_FLEET_H
#define SP_TOOLS_FLEET_H

#include "profiles/export/export.h"
#include "profiles/fleet/answer.h"
#include "profiles/fleet/sql.h"
#include "tools/fleet/server.h"

#define SP_FLEET_LABELS 32u

/* Which profiles: those of the labels, and, of a comparison, those with other values of some. */
struct sp_fleet_side {
	struct sp_fleet_label labels[SP_FLEET_LABELS];
	size_t count;
};

struct sp_fleet {
	struct sp_http *http;
	struct sp_push_target target;
	struct sp_fleet_side side, against;
	uint64_t since_s, until_s;
	size_t top;         /* rows; 0: as many as usual */
	const char *output; /* NULL: standard output */
	bool json;
};

struct sp_fleet_where sp_fleet_where(const struct sp_fleet *fleet, const struct sp_fleet_side *side);

/* Each asks one thing. Returns 0, or 1 after a complaint; nothing there is one, too. kinds: bits of enum sp_fleet_kind; what is
 * there already stays, so that one may ask for some kinds after others. */
int sp_fleet_ask_totals(const struct sp_fleet *fleet, const struct sp_fleet_side *side, enum sp_fleet_by by,
	struct sp_fleet_totals *totals);
int sp_fleet_ask_samples(const struct sp_fleet *fleet, const struct sp_fleet_side *side, enum sp_fleet_by by,
	unsigned kinds, struct sp_fleet_stacks *stacks, struct sp_fleet_samples *samples);

/* The frames of the stacks that have none yet. */
int sp_fleet_ask_frames(const struct sp_fleet *fleet, struct sp_fleet_stacks *stacks);

/* Complains that an answer is damaged where `why` is not NULL, that there is nothing. */
int sp_fleet_damaged(const struct sp_fleet *fleet, const char *why);
int sp_fleet_nothing(const struct sp_fleet *fleet, const struct sp_fleet_side *side);

/* Appends the selection, for people: "service=shop version=1.2, …". */
void sp_fleet_put_selection(struct sp_buffer *out, const struct sp_fleet *fleet, const struct sp_fleet_side *side);

/* The commands. Each returns the exit status. */
int sp_fleet_top(const struct sp_fleet *fleet);
int sp_fleet_merged(const struct sp_fleet *fleet, struct sp_buffer *markdown);
struct sp_comparison;
typedef void sp_fleet_write_fn(struct sp_buffer *out, const struct sp_comparison *comparison);
int sp_fleet_compare(const struct sp_fleet *fleet, sp_fleet_write_fn *write);

/* What a host's profiles come to. */
struct sp_fleet_host {
	const char *name;
	uint64_t profiles, wall_ns, cpu_ns, samples, peak_bytes;
};
struct sp_fleet_hosts {
	struct sp_pool pool;
	struct sp_fleet_host *list;
	size_t count, capacity;
	double wall_ns; /* of all */
};

/* What stands out among hosts, and whether their heaps grow: paragraphs of `top`. everywhere: self time of all hosts, by stack. */
int sp_fleet_tell_outliers(const struct sp_fleet *fleet, const struct sp_fleet_hosts *hosts,
	struct sp_fleet_stacks *stacks, const double *everywhere, struct sp_buffer *out);
int sp_fleet_tell_growth(const struct sp_fleet *fleet, struct sp_buffer *out);

#endif
