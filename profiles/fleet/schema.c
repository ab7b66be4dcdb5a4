/* The tables. docs/FLEET.md tells what they are for and how they are spread over a cluster. */
#include "profiles/fleet/sql.h"

#include "profiles/base/escape.h"

#include <string.h>

#define KEEP_SAMPLES_DAYS 30u
#define KEEP_SUMS_DAYS 400u

void sp_sql_text(struct sp_buffer *out, const char *text)
{
	struct sp_buffer plain = {0};

	sp_escape(&plain, SP_ESCAPE_PLAIN, text, strlen(text));
	sp_buffer_puts(out, "'");
	for (const char *at = plain.length ? plain.data : ""; *at; at++) {
		if (*at == '\'' || *at == '\\')
			sp_buffer_puts(out, "\\");
		sp_buffer_add(out, at, 1);
	}
	sp_buffer_puts(out, "'");
	sp_buffer_free(&plain);
}

static void put_labels(struct sp_buffer *out)
{
	sp_buffer_puts(out,
		", service String, version String, environment String, host String, "
		"label_names Array(String), label_values Array(String), series UInt64");
}

static void put_numbers(struct sp_buffer *out)
{
	for (int i = 0; i < SP_FLEET_VALUES; i++)
		sp_buffer_printf(out, ", %s UInt64", sp_fleet_value_names[i]);
	for (int i = 0; i < SP_FLEET_VARIANCES; i++)
		sp_buffer_printf(out, ", %s Float64", sp_fleet_variance_names[i]);
}

static void put_columns(struct sp_buffer *out, const struct sp_fleet_column *columns, int count, const char *type)
{
	for (int i = 0; i < count; i++)
		sp_buffer_printf(out, ", %s %s", columns[i].name, type);
}

static void put_kind(struct sp_buffer *out)
{
	sp_buffer_puts(out, "kind Enum8(");
	for (int i = 0; i < SP_FLEET_KINDS; i++)
		sp_buffer_printf(out, "%s'%s' = %d", i ? ", " : "", sp_fleet_kind_names[i], i + 1);
	sp_buffer_puts(out, ")");
}

static void put_end(struct sp_buffer *out, const char *time, unsigned days, unsigned version)
{
	if (version >= SP_FLEET_TTL_VERSION)
		sp_buffer_printf(out, " TTL %s + toIntervalDay(%u)", time, days);
}

static void create(struct sp_buffer *out, const char *what, const char *name)
{
	sp_buffer_printf(out, "CREATE %s IF NOT EXISTS " SP_FLEET_PREFIX "%s ", what, name);
}

/* A stack is named by what is in it, so every machine gives it the same name; whoever writes it again changes nothing. */
static void put_stacks(struct sp_buffer *out, unsigned version)
{
	(void)version;
	create(out, "TABLE", "stacks");
	sp_buffer_puts(out,
		"(id UUID, seen Date, functions Array(String), modules Array(String), build_ids Array(String), "
		"files Array(String), lines Array(UInt32), inlined Array(UInt8), addresses Array(UInt64), codes "
		"Array(UInt64)) "
		"ENGINE = ReplacingMergeTree(seen) ORDER BY id");
}

static void put_profiles(struct sp_buffer *out, unsigned version)
{
	create(out, "TABLE", "profiles");
	sp_buffer_puts(out, "(id UUID, time DateTime('UTC')");
	put_labels(out);
	sp_buffer_puts(out, ", command String, tree String, pid UInt32, ppid UInt32, root UInt8, start_ns UInt64");
	for (int i = 0; i < SP_FLEET_TEXTS; i++)
		sp_buffer_printf(out, ", %s String", sp_fleet_texts[i]);
	put_columns(out, sp_fleet_numbers, SP_FLEET_NUMBERS, "UInt64");
	put_columns(out, sp_fleet_reals, SP_FLEET_REALS, "Float64");
	sp_buffer_puts(out,
		") ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(time) ORDER BY (service, time, version, host, "
		"id)");
	put_end(out, "time", KEEP_SUMS_DAYS, version);
}

static void put_samples(struct sp_buffer *out, unsigned version)
{
	create(out, "TABLE", "samples");
	sp_buffer_puts(out, "(profile UUID, time DateTime('UTC')");
	put_labels(out);
	sp_buffer_puts(out, ", ");
	put_kind(out);
	sp_buffer_puts(out, ", stack UUID");
	put_numbers(out);
	sp_buffer_puts(out,
		") ENGINE = MergeTree PARTITION BY toDate(time) "
		"ORDER BY (service, kind, toStartOfHour(time), version, host, stack, time)");
	put_end(out, "time", KEEP_SAMPLES_DAYS, version);
}

static void put_hours(struct sp_buffer *out, unsigned version)
{
	create(out, "TABLE", "hours");
	sp_buffer_puts(out, "(hour DateTime('UTC')");
	put_labels(out);
	sp_buffer_puts(out, ", ");
	put_kind(out);
	sp_buffer_puts(out, ", stack UUID");
	put_numbers(out);
	sp_buffer_puts(out,
		") ENGINE = SummingMergeTree PARTITION BY toYYYYMM(hour) "
		"ORDER BY (service, kind, hour, version, host, environment, series, stack)");
	put_end(out, "hour", KEEP_SUMS_DAYS, version);
}

/* Few, and with a largest, which sums by hour have not. */
static void put_spans(struct sp_buffer *out, unsigned version)
{
	create(out, "TABLE", "spans");
	sp_buffer_puts(out, "(profile UUID, time DateTime('UTC')");
	put_labels(out);
	sp_buffer_puts(out, ", span String");
	put_columns(out, sp_fleet_spans, SP_FLEET_SPANS, "UInt64");
	put_columns(out, sp_fleet_span_reals, SP_FLEET_SPAN_REALS, "Float64");
	sp_buffer_puts(out,
		") ENGINE = MergeTree PARTITION BY toDate(time) "
		"ORDER BY (service, toStartOfHour(time), version, host, span, time)");
	put_end(out, "time", KEEP_SAMPLES_DAYS, version);
}

static void put_view(struct sp_buffer *out, unsigned version)
{
	(void)version;
	create(out, "MATERIALIZED VIEW", "hours_view");
	sp_buffer_puts(out,
		"TO " SP_FLEET_PREFIX "hours AS SELECT toStartOfHour(time) AS hour, service, version, environment, "
		"host, any(label_names) AS label_names, any(label_values) AS label_values, series, kind, stack");
	for (int i = 0; i < SP_FLEET_VALUES; i++)
		sp_buffer_printf(out, ", sum(%s) AS %s", sp_fleet_value_names[i], sp_fleet_value_names[i]);
	for (int i = 0; i < SP_FLEET_VARIANCES; i++)
		sp_buffer_printf(out, ", sum(%s) AS %s", sp_fleet_variance_names[i], sp_fleet_variance_names[i]);
	sp_buffer_puts(out,
		" FROM " SP_FLEET_PREFIX "samples "
		"GROUP BY hour, service, version, environment, host, series, kind, stack");
}

bool sp_sql_schema(struct sp_buffer *out, size_t step, unsigned version)
{
	static void (*const steps[])(struct sp_buffer *, unsigned) = {
		put_stacks, put_profiles, put_samples, put_hours, put_spans, put_view};

	if (step >= sizeof(steps) / sizeof(steps[0]))
		return false;
	steps[step](out, version);
	return true;
}
