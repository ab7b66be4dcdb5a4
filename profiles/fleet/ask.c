/* Questions. */
#include "profiles/fleet/sql.h"

#include <string.h>

#define HOUR_S 3600u

bool sp_fleet_is_column(const char *name)
{
	static const char *const names[] = {"service", "version", "environment", "host"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void put_labels(struct sp_buffer *out, const struct sp_fleet_where *where)
{
	for (size_t i = 0; i < where->label_count; i++) {
		const struct sp_fleet_label *label = &where->labels[i];

		sp_buffer_puts(out, i ? " AND " : " WHERE ");
		if (sp_fleet_is_column(label->name)) {
			sp_buffer_printf(out, "%s = ", label->name);
		} else {
			sp_buffer_puts(out, "has(label_names, ");
			sp_sql_text(out, label->name);
			sp_buffer_puts(out, ") AND label_values[indexOf(label_names, ");
			sp_sql_text(out, label->name);
			sp_buffer_puts(out, ")] = ");
		}
		sp_sql_text(out, label->value);
	}
}

static void put_range(struct sp_buffer *out, const struct sp_fleet_where *where, const char *time, uint64_t from,
	uint64_t to)
{
	sp_buffer_printf(out, "%s (%s >= toDateTime(%llu) AND %s < toDateTime(%llu))",
		where->label_count ? " AND" : " WHERE", time, (unsigned long long)from, time, (unsigned long long)to);
}

void sp_sql_where(struct sp_buffer *out, const struct sp_fleet_where *where, const char *time)
{
	put_labels(out, where);
	put_range(out, where, time, where->since_s, where->until_s);
}

static void put_kinds(struct sp_buffer *out, unsigned kinds)
{
	const char *between = " AND kind IN (";

	for (int i = 0; i < SP_FLEET_KINDS; i++)
		if (kinds & 1u << i) {
			sp_buffer_printf(out, "%s'%s'", between, sp_fleet_kind_names[i]);
			between = ", ";
		}
	sp_buffer_puts(out, ")");
}

/* The whole hours of the range. */
static bool whole_hours(const struct sp_fleet_where *where, uint64_t *from, uint64_t *to)
{
	*from = (where->since_s + HOUR_S - 1) / HOUR_S * HOUR_S;
	*to = where->until_s / HOUR_S * HOUR_S;
	return *from < *to;
}

static void put_part(struct sp_buffer *out, const char *columns, const struct sp_fleet_where *where, unsigned kinds,
	bool sums, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	if (out->data[out->length - 1] != '(')
		sp_buffer_puts(out, " UNION ALL ");
	sp_buffer_printf(out, "SELECT %s FROM " SP_FLEET_PREFIX "%s", columns, sums ? "hours" : "samples");
	put_labels(out, where);
	put_range(out, where, sums ? "hour" : "time", from, to);
	put_kinds(out, kinds);
}

/* "(SELECT columns of all rows in the range)". */
static void put_rows(struct sp_buffer *out, const char *columns, const struct sp_fleet_where *where, unsigned kinds)
{
	uint64_t from, to;

	sp_buffer_puts(out, "(");
	if (whole_hours(where, &from, &to)) {
		put_part(out, columns, where, kinds, false, where->since_s, from);
		put_part(out, columns, where, kinds, true, from, to);
		put_part(out, columns, where, kinds, false, to, where->until_s);
	} else {
		put_part(out, columns, where, kinds, false, where->since_s, where->until_s);
	}
	sp_buffer_puts(out, ")");
}

/* Which kinds have a column; nobody reads what is 0. */
static unsigned kinds_with_value(enum sp_fleet_value value)
{
	const unsigned all = (1u << SP_FLEET_KINDS) - 1, heap = 1u << SP_FLEET_HEAP | 1u << SP_FLEET_SITE;

	if (value == SP_FLEET_VALUE || value == SP_FLEET_SAMPLES)
		return all;
	if (value == SP_FLEET_SYSTEM)
		return 1u << SP_FLEET_CPU | 1u << SP_FLEET_FUNCTION;
	if (value == SP_FLEET_COUNT)
		return heap | 1u << SP_FLEET_WAIT;
	return value <= SP_FLEET_TOTAL_SAMPLES ? 1u << SP_FLEET_FUNCTION : heap;
}

static unsigned kinds_with_variance(enum sp_fleet_variance variance)
{
	return variance == SP_FLEET_VALUE_VAR    ? (1u << SP_FLEET_KINDS) - 1
		: variance == SP_FLEET_TOTAL_VAR ? 1u << SP_FLEET_FUNCTION
						 : 1u << SP_FLEET_HEAP | 1u << SP_FLEET_SITE;
}

static void put_sum(struct sp_buffer *out, struct sp_buffer *columns, const char *name, bool there)
{
	if (!there) {
		sp_buffer_puts(out, ", 0");
		return;
	}
	sp_buffer_printf(out, ", sum(%s)", name);
	sp_buffer_printf(columns, ", %s", name);
}

/* What a comparison of hosts reads no more of than their sum, or not at all: 0. */
static bool is_told_by_host(enum sp_fleet_value value)
{
	return value != SP_FLEET_SYSTEM && value != SP_FLEET_TOTAL_SYSTEM && value != SP_FLEET_TOTAL_SAMPLES;
}

/* Kinds that are one need not be told apart. */
static void put_keys(struct sp_buffer *select, struct sp_buffer *keys, enum sp_fleet_by by, unsigned kinds)
{
	const bool several = kinds & (kinds - 1);

	sp_buffer_printf(keys, "%sstack%s", several ? "kind, " : "", by == SP_FLEET_BY_HOST ? ", host" : "");
	if (several)
		sp_buffer_puts(select, "SELECT toInt8(kind)");
	else
		sp_buffer_printf(select, "SELECT %d", __builtin_ctz(kinds) + 1);
	sp_buffer_printf(select, ", toString(stack), %s", by == SP_FLEET_BY_HOST ? "host" : "''");
}

void sp_sql_samples(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by, unsigned kinds)
{
	struct sp_buffer columns = {0}, keys = {0};

	put_keys(out, &keys, by, kinds);
	sp_buffer_puts(&columns, keys.data);
	for (int i = 0; i < SP_FLEET_VALUES; i++)
		put_sum(out, &columns, sp_fleet_value_names[i],
			(kinds & kinds_with_value(i)) && (by == SP_FLEET_BY_ALL || is_told_by_host(i)));
	for (int i = 0; i < SP_FLEET_VARIANCES; i++)
		put_sum(out, &columns, sp_fleet_variance_names[i], kinds & kinds_with_variance(i));
	sp_buffer_puts(out, " FROM ");
	put_rows(out, columns.data, where, kinds);
	sp_buffer_printf(out, " GROUP BY %s", keys.data);
	if (by == SP_FLEET_BY_ALL) /* of hosts there are too many: who reads them puts them in order */
		sp_buffer_printf(out, " ORDER BY %s", keys.data);
	sp_buffer_puts(out, " FORMAT TabSeparated");
	sp_buffer_free(&columns);
	sp_buffer_free(&keys);
}

static void put_id(struct sp_buffer *out, const uint64_t key[static 2])
{
	sp_buffer_printf(out, "toUUID('%08x-%04x-%04x-%04x-%012llx')", (unsigned)(key[0] >> 32),
		(unsigned)(key[0] >> 16 & 0xffff), (unsigned)(key[0] & 0xffff), (unsigned)(key[1] >> 48),
		(unsigned long long)(key[1] & 0xffffffffffff));
}

void sp_sql_stacks(struct sp_buffer *out, const uint64_t (*keys)[2], size_t count)
{
	sp_buffer_puts(out,
		"SELECT toString(id) AS stack, any(functions) AS functions, any(modules) AS modules, "
		"any(build_ids) AS build_ids, any(files) AS files, any(lines) AS lines, any(inlined) AS inlined, "
		"arrayMap(x -> toString(x), any(addresses)) AS addresses, " /* not all servers quote 64 bits */
		"arrayMap(x -> toString(x), any(codes)) AS codes FROM " SP_FLEET_PREFIX "stacks WHERE id IN (");
	for (size_t i = 0; i < count; i++) {
		sp_buffer_puts(out, i ? ", " : "");
		put_id(out, keys[i]);
	}
	sp_buffer_puts(out, ") GROUP BY id FORMAT JSONEachRow");
}

/* What a comparison of hosts reads: the rest is 0. */
static bool is_compared(const char *column)
{
	static const char *const not [] = {"threads", "max_rss_bytes", "throttled_ns", "throttled_periods",
		"throttle_known", "kinds_known", "blocked_", "cost_", "budget_percent", "unnamed_seconds",
		"heap_growth_", "environment_reason", "git_branch"};

	if (strcmp(column, "blocked_ns") == 0)
		return true;
	for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
		if (strncmp(column, not [i], strlen(not [i])) == 0)
			return false;
	return true;
}

static void put_column(struct sp_buffer *out, const struct sp_fleet_column *column, enum sp_fleet_by by)
{
	if (by == SP_FLEET_BY_HOST && !is_compared(column->name))
		sp_buffer_puts(out, ", 0");
	else
		sp_buffer_printf(out, ", %s(%s)", column->merge, column->name);
}

/* A text on which all agree, else none; of a host, which is one machine, any of its profiles' has to do. */
static void put_text(struct sp_buffer *out, const char *column, enum sp_fleet_by by)
{
	if (by == SP_FLEET_BY_HOST)
		sp_buffer_printf(out, is_compared(column) ? ", any(%s)" : ", ''", column);
	else
		sp_buffer_printf(out, ", if(min(%s) = max(%s), min(%s), '')", column, column, column);
}

void sp_sql_totals(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by)
{
	sp_buffer_printf(out, "SELECT %s, min(start_ns)",
		by == SP_FLEET_BY_HOST ? "host, count(), 1" : "'', count(), uniqExact(host)");
	put_text(out, "environment", by);
	for (int i = 0; i < SP_FLEET_TEXTS; i++)
		if (i == SP_FLEET_CLOCK && by == SP_FLEET_BY_ALL)
			sp_buffer_puts(out, ", argMax(cpu_clock, cpu_on * 1e18 + cpu_user_ns + cpu_system_ns)");
		else
			put_text(out, sp_fleet_texts[i], by);
	for (int i = 0; i < SP_FLEET_NUMBERS; i++)
		put_column(out, &sp_fleet_numbers[i], by);
	for (int i = 0; i < SP_FLEET_REALS; i++)
		put_column(out, &sp_fleet_reals[i], by);
	sp_buffer_puts(out, " FROM " SP_FLEET_PREFIX "profiles");
	sp_sql_where(out, where, "time");
	if (by == SP_FLEET_BY_HOST)
		sp_buffer_puts(out, " GROUP BY host ORDER BY host");
	sp_buffer_puts(out, " FORMAT TabSeparated");
}

void sp_sql_processes(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by)
{
	if (by == SP_FLEET_BY_ALL)
		sp_buffer_puts(out,
			"SELECT program, command, tree, exit, '', pid, ppid, root, start_ns, wall_ns, "
			"cpu_user_ns, cpu_system_ns, cpu_samples, max_rss_bytes, heap_peak_bytes, "
			"heap_allocated_bytes");
	else
		sp_buffer_puts(out,
			"SELECT program, '', '', any(exit), host, 0, 0, 0, min(start_ns), "
			"max(start_ns + wall_ns) - min(start_ns), sum(cpu_user_ns), sum(cpu_system_ns), "
			"sum(cpu_samples), max(max_rss_bytes), max(heap_peak_bytes), sum(heap_allocated_bytes)");
	sp_buffer_puts(out, " FROM " SP_FLEET_PREFIX "profiles");
	sp_sql_where(out, where, "time");
	sp_buffer_puts(out,
		by == SP_FLEET_BY_ALL ? " ORDER BY start_ns, host, pid FORMAT TabSeparated"
				      : " GROUP BY host, program ORDER BY host, program FORMAT TabSeparated");
}

static void put_span_column(struct sp_buffer *out, const struct sp_fleet_column *column)
{
	if (strcmp(column->merge, "one") == 0)
		sp_buffer_printf(out, ", if(count() = 1, any(%s), 0)", column->name);
	else
		sp_buffer_printf(out, ", %s(%s)", column->merge, column->name);
}

void sp_sql_spans(struct sp_buffer *out, const struct sp_fleet_where *where)
{
	sp_buffer_puts(out, "SELECT span");
	for (int i = 0; i < SP_FLEET_SPANS; i++)
		put_span_column(out, &sp_fleet_spans[i]);
	for (int i = 0; i < SP_FLEET_SPAN_REALS; i++)
		put_span_column(out, &sp_fleet_span_reals[i]);
	sp_buffer_puts(out, " FROM " SP_FLEET_PREFIX "spans");
	sp_sql_where(out, where, "time");
	sp_buffer_puts(out, " GROUP BY span ORDER BY span FORMAT TabSeparated");
}

void sp_sql_hosts(struct sp_buffer *out, const struct sp_fleet_where *where)
{
	sp_buffer_puts(out,
		"SELECT host, count(), sum(wall_ns), sum(cpu_user_ns) + sum(cpu_system_ns), sum(cpu_samples), "
		"sum(heap_peak_bytes) FROM " SP_FLEET_PREFIX "profiles");
	sp_sql_where(out, where, "time");
	sp_buffer_puts(out, " GROUP BY host ORDER BY host FORMAT TabSeparated");
}

/* One pass: each host's functions are put together, with what they add up to, and taken apart again. */
void sp_sql_functions(struct sp_buffer *out, const struct sp_fleet_where *where)
{
	sp_buffer_puts(out,
		"SELECT toString(stack), sum(self), sum(total), sum(self_var), sum(all_var), "
		"sum(toFloat64(self) * self), sum(toFloat64(self) * host_ns), sum(toFloat64(total) * total), "
		"sum(toFloat64(total) * host_ns), count(), sum(toFloat64(host_ns) * host_ns) FROM "
		"(SELECT host, sum(self_ns) AS host_ns, "
		"groupArray(stack_id) AS stacks, groupArray(self_ns) AS selves, groupArray(all_ns) AS totals, "
		"groupArray(var_of_self) AS self_vars, groupArray(var_of_all) AS all_vars FROM (SELECT host, "
		"stack AS stack_id, sum(value) AS self_ns, sum(total_ns) AS all_ns, sum(value_var) AS var_of_self, "
		"sum(total_var) AS var_of_all FROM ");
	put_rows(out, "host, stack, value, total_ns, value_var, total_var", where, 1u << SP_FLEET_FUNCTION);
	sp_buffer_puts(out,
		" GROUP BY host, stack) GROUP BY host) ARRAY JOIN stacks AS stack, selves AS self, totals AS total, "
		"self_vars AS self_var, all_vars AS all_var GROUP BY stack FORMAT TabSeparated");
}

void sp_sql_growth(struct sp_buffer *out, const struct sp_fleet_where *where)
{
	sp_buffer_puts(out,
		"SELECT host, toString(toDate(time)), sum(heap_growth_bytes), sum(wall_ns) "
		"FROM " SP_FLEET_PREFIX "profiles");
	sp_sql_where(out, where, "time");
	sp_buffer_puts(out,
		" AND heap_on = 1 GROUP BY host, toDate(time) ORDER BY host, toDate(time) "
		"FORMAT TabSeparated");
}

void sp_sql_is_there(struct sp_buffer *out, const char *table, const char *column, const char *service, uint64_t time_s,
	const char *id)
{
	sp_buffer_printf(out, "SELECT count() FROM " SP_FLEET_PREFIX "%s WHERE service = ", table);
	sp_sql_text(out, service);
	sp_buffer_printf(out, " AND time = toDateTime(%llu) AND %s = toUUID('%s')", (unsigned long long)time_s, column,
		id);
}
