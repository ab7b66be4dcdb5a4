/* Questions. */
#include "profiles/fleet/sql.h"

#include <string.h>

#define HOUR_S 3600u

/* Labels that have a column; program is a profile's alone. */
static bool is_column(const char *name)
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
		if (is_column(label->name)) {
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

void sp_sql_samples(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by, unsigned kinds)
{
	struct sp_buffer columns = {0};
	const char *host = by == SP_FLEET_BY_HOST ? ", host" : "";

	sp_buffer_printf(&columns, "kind, stack%s", host);
	sp_buffer_puts(out, "SELECT toInt8(kind), toString(stack)");
	sp_buffer_puts(out, by == SP_FLEET_BY_HOST ? ", host" : ", ''");
	for (int i = 0; i < SP_FLEET_VALUES; i++) {
		sp_buffer_printf(out, ", sum(%s)", sp_fleet_value_names[i]);
		sp_buffer_printf(&columns, ", %s", sp_fleet_value_names[i]);
	}
	for (int i = 0; i < SP_FLEET_VARIANCES; i++) {
		sp_buffer_printf(out, ", sum(%s)", sp_fleet_variance_names[i]);
		sp_buffer_printf(&columns, ", %s", sp_fleet_variance_names[i]);
	}
	sp_buffer_puts(out, " FROM ");
	put_rows(out, columns.data, where, kinds);
	sp_buffer_printf(out, " GROUP BY kind, stack%s ORDER BY %skind, stack FORMAT TabSeparated", host,
		by == SP_FLEET_BY_HOST ? "host, " : "");
	sp_buffer_free(&columns);
}

void sp_sql_stacks(struct sp_buffer *out, const struct sp_fleet_where *where, unsigned kinds)
{
	sp_buffer_puts(out,
		"SELECT toString(id) AS stack, any(functions) AS functions, any(modules) AS modules, "
		"any(build_ids) AS build_ids, any(files) AS files, any(lines) AS lines, any(inlined) AS inlined, "
		"any(addresses) AS addresses, any(codes) AS codes FROM " SP_FLEET_PREFIX
		"stacks WHERE id IN (SELECT stack FROM ");
	put_rows(out, "stack", where, kinds);
	sp_buffer_puts(out, " GROUP BY stack) GROUP BY id FORMAT JSONEachRow");
}

void sp_sql_totals(struct sp_buffer *out, const struct sp_fleet_where *where, enum sp_fleet_by by)
{
	sp_buffer_printf(out,
		"SELECT %s, count(), uniqExact(host), uniqExact(version), min(start_ns), max(start_ns + wall_ns), "
		"if(uniqExact(environment) = 1, any(environment), '')",
		by == SP_FLEET_BY_HOST ? "host" : "''");
	for (int i = 0; i < SP_FLEET_TEXTS; i++)
		if (i == SP_FLEET_CLOCK)
			sp_buffer_puts(out, ", argMax(cpu_clock, cpu_on * 1e18 + cpu_user_ns + cpu_system_ns)");
		else
			sp_buffer_printf(out, ", if(uniqExact(%s) = 1, any(%s), '')", sp_fleet_texts[i],
				sp_fleet_texts[i]);
	for (int i = 0; i < SP_FLEET_NUMBERS; i++)
		sp_buffer_printf(out, ", %s(%s)", sp_fleet_numbers[i].merge, sp_fleet_numbers[i].name);
	for (int i = 0; i < SP_FLEET_REALS; i++)
		sp_buffer_printf(out, ", %s(%s)", sp_fleet_reals[i].merge, sp_fleet_reals[i].name);
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
			"SELECT program, command, tree, exit, profile, pid, ppid, root, start_ns, wall_ns, "
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

void sp_sql_spread(struct sp_buffer *out, const struct sp_fleet_where *where)
{
	const unsigned functions = 1u << SP_FLEET_FUNCTION;

	sp_buffer_puts(out,
		"SELECT toString(stack), sum(self * self), sum(self * all_ns), sum(total * total), "
		"sum(total * all_ns) FROM (SELECT stack, host, toFloat64(sum(value)) AS self, "
		"toFloat64(sum(total_ns)) AS total FROM ");
	put_rows(out, "stack, host, value, total_ns", where, functions);
	sp_buffer_puts(out, " GROUP BY stack, host) ANY LEFT JOIN (SELECT host, toFloat64(sum(value)) AS all_ns FROM ");
	put_rows(out, "host, value", where, functions);
	sp_buffer_puts(out, " GROUP BY host) USING host GROUP BY stack FORMAT TabSeparated");
}

void sp_sql_growth(struct sp_buffer *out, const struct sp_fleet_where *where)
{
	sp_buffer_puts(out,
		"SELECT host, toString(toDate(time)), sum(heap_growth_bytes), sum(heap_growth_error2), sum(wall_ns) "
		"FROM " SP_FLEET_PREFIX "profiles");
	sp_sql_where(out, where, "time");
	sp_buffer_puts(out,
		" AND heap_on = 1 GROUP BY host, toDate(time) ORDER BY host, toDate(time) "
		"FORMAT TabSeparated");
}
