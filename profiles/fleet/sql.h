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

/* Whose profiles: a label is one of the columns service, version, environment, host, program, or one of the others'. */
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
 * samples: kinds are those of the bits; whole hours come from their sums, which give the same as the rows they are of. */
void sp_sql_samples(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by, unsigned kinds);
/* The stacks that such samples are of; JSON, a line each. */
void sp_sql_stacks(struct sp_buffer *out, const struct sp_fleet_where *where, unsigned kinds);
/* What profiles add up to, a row for each host or one for all. */
void sp_sql_totals(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by);
/* A row for each profile, or, with `by`, for each process of a host. */
void sp_sql_processes(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by);
/* How far hosts differ: for each function the sums, over hosts, of its squared time, and of its time and the host's. */
void sp_sql_spread(struct sp_buffer *out, const struct sp_fleet_where *where);
/* The heap of windows: growth of each day and host. */
void sp_sql_growth(struct sp_buffer *out, const struct sp_fleet_where *where);

#endif
