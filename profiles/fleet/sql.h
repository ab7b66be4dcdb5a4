/* SQL for ClickHouse: the tables, and questions about them. Text alone, nobody is asked here. */
#ifndef SP_PROFILES_FLEET_SQL_H
#define SP_PROFILES_FLEET_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/base/buffer.h"
#include "profiles/fleet/columns.h"

/* Appends the text as a string, in quotes: the one way by which foreign text gets into a statement. It is written as the tables
 * hold it, which is SP_ESCAPE_PLAIN. */
void sp_sql_text(struct sp_buffer *out, const char *text);

/* Appends the statement that makes one of the tables, where it is not there; false behind the last. version: of the server, 1816 is
 * 18.16; tables that forget by themselves are known to newer ones. */
#define SP_FLEET_TTL_VERSION 1906u
bool sp_sql_schema(struct sp_buffer *out, size_t step, unsigned version);

/* Whose profiles: a label is one of the columns service, version, environment, host, or one of the others'. */
bool sp_fleet_is_column(const char *label);
struct sp_fleet_label {
	const char *name, *value;
};
struct sp_fleet_where {
	const struct sp_fleet_label *labels;
	size_t label_count;
	uint64_t since_s, until_s; /* profiles that ended in [since, until) */
};

/* Appends " WHERE …" for a table of that time column. */
void sp_sql_where(struct sp_buffer *out, const struct sp_fleet_where *where, const char *time);

/* What a question groups by, besides kind and stack. */
enum sp_fleet_by { SP_FLEET_BY_ALL, SP_FLEET_BY_HOST };

/* Questions whose answers profiles/fleet/answer.h reads, as lines of TabSeparated (ending in FORMAT).
 * samples: kinds are those of the bits, and columns that none of them has are 0; whole hours come from their sums, which give the
 * same as the rows they are of. By host they come in no order, and time in the kernel is not told apart. */
void sp_sql_samples(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by, unsigned kinds);
/* The frames of stacks; JSON, a line each. keys: two for each. Servers take statements of 256 KB. */
#define SP_SQL_STACKS_MOST 4000u
void sp_sql_stacks(struct sp_buffer *out, const uint64_t (*keys)[2], size_t count);
/* What profiles add up to, a row for each host or one for all. */
void sp_sql_totals(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by);
/* A row for each profile, or, with `by`, for each process of a host. */
void sp_sql_processes(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by);
/* The same in a few columns: host, profiles, wall_ns, CPU time, samples, heap at peak. */
void sp_sql_hosts(struct sp_buffer *out, const struct sp_fleet_where *where);
/* Spans of all, by name. */
void sp_sql_spans(struct sp_buffer *out, const struct sp_fleet_where *where);
/* Functions, and how far hosts differ: stack, self and total time, the variances of both, and, over hosts, the sums of self squared,
 * of self times all of the host's time, and both of total; of how many hosts, and the sum of all of each one's time squared. */
void sp_sql_functions(struct sp_buffer *out, const struct sp_fleet_where *where);
/* The heap of windows: growth of each day and host. */
void sp_sql_growth(struct sp_buffer *out, const struct sp_fleet_where *where);

/* How many rows of a profile are in a table, by the column that has its id. */
void sp_sql_is_there(struct sp_buffer *out, const char *table, const char *column, const char *service, uint64_t time_s,
	const char *id);

#endif
