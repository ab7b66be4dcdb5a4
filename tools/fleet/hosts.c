/* Hosts that stand out, and heaps that grow. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/figures.h"
#include "profiles/compare/stats.h"
#include "tools/fleet/fleet.h"
#include "tools/push/labels.h"
#include "tools/tools.h"

#define HOSTS_LEAST 5u
#define FAR 6.0         /* in standard deviations, by the median of the distances from the median */
#define LEAST_RATIO 1.5 /* of the median */
#define NOISE 0.01      /* of the median: hosts are not more equal than that */
#define LEAST_CORES 0.01
#define LEAST_PEAK 1048576.0 /* bytes */
#define NAMED 3u
#define MAD_TO_DEVIATION 1.4826
#define DAYS_LEAST 2u
#define DAY_NS 86400e9
#define GROWTH_FIELDS 4
#define GROWTH_LEAST 65536.0 /* bytes a day */

static void put_name(struct sp_buffer *out, const char *name)
{
	sp_escape_name(out, SP_ESCAPE_PLAIN, *name ? name : "[no host]");
}

/* As the label that it was pushed with; what others wrote into the store is made so. */
static void put_host(struct sp_buffer *out, const char *name)
{
	char *clean = sp_push_label_clean(*name ? name : "[no host]");

	sp_buffer_puts(out, clean);
	free(clean);
}

static double cores(const struct sp_fleet_host *host)
{
	return host->wall_ns ? (double)host->cpu_ns / (double)host->wall_ns : 0;
}

/* The function that costs a host so much more than the others. */
static int put_cause(const struct sp_fleet *fleet, const struct sp_fleet_host *host, double all_wall,
	struct sp_fleet_stacks *stacks, const double *everywhere, size_t known, struct sp_buffer *out)
{
	double wall = (double)host->wall_ns, others_wall = fmax(all_wall - wall, 1), most = 0, others = 0;
	const struct sp_fleet_frame *cause = NULL;
	struct sp_fleet_samples own = {0};
	struct sp_fleet one = *fleet;
	int status = 0;

	if (one.side.count < SP_FLEET_LABELS) {
		one.side.labels[one.side.count++] = (struct sp_fleet_label){"host", host->name};
		status = sp_fleet_ask_samples(&one, &one.side, SP_FLEET_BY_ALL, 1u << SP_FLEET_FUNCTION, stacks, &own);
	}
	for (size_t i = 0; !status && i < own.count; i++) {
		uint32_t stack = own.list[i].stack;
		double value = (double)own.list[i].values[SP_FLEET_VALUE];
		double elsewhere = fmax((stack < known ? everywhere[stack] : 0) - value, 0) / others_wall;

		if (value / wall - elsewhere <= most)
			continue;
		most = value / wall - elsewhere;
		others = elsewhere;
		cause = &stacks->frames[stacks->list[stack].first];
	}
	if (cause) {
		sp_buffer_puts(out, "; most of that in ");
		put_name(out, cause->function);
		sp_buffer_printf(out, " (%.3g, elsewhere %.3g)", most + others, others);
	}
	sp_fleet_samples_free(&own);
	return status;
}

struct far {
	const struct sp_fleet_host *host;
	double value, distance;
};

static int by_distance(const void *a, const void *b)
{
	double x = ((const struct far *)a)->distance, y = ((const struct far *)b)->distance;

	return x > y ? -1 : x < y;
}

/* Those far above the median, the farthest first; how many. The median of the distances from it is not moved by what is far
 * (Hampel, JASA 69, 1974). */
static size_t find_far(const struct sp_fleet_hosts *hosts, double (*value)(const struct sp_fleet_host *), double least,
	struct far *list, double *median)
{
	double *values = sp_alloc(hosts->count, sizeof(*values)), deviation;
	size_t count = 0;

	for (size_t i = 0; i < hosts->count; i++)
		values[i] = value(&hosts->list[i]);
	*median = sp_stats_median(values, hosts->count);
	for (size_t i = 0; i < hosts->count; i++)
		values[i] = fabs(value(&hosts->list[i]) - *median);
	deviation = fmax(MAD_TO_DEVIATION * sp_stats_median(values, hosts->count), NOISE * *median);
	for (size_t i = 0; i < hosts->count; i++) {
		double own = value(&hosts->list[i]);

		if (own >= LEAST_RATIO * *median && own - *median > fmax(FAR * deviation, least))
			list[count++] = (struct far){&hosts->list[i], own, (own - *median) / deviation};
	}
	qsort(list, count, sizeof(*list), by_distance);
	free(values);
	return count;
}

static double peak(const struct sp_fleet_host *host)
{
	return (double)host->peak_bytes / (double)host->profiles;
}

static void put_others(struct sp_buffer *out, size_t count)
{
	if (count > NAMED)
		sp_buffer_printf(out, "and %zu more hosts\n", count - NAMED);
}

int sp_fleet_tell_outliers(const struct sp_fleet *fleet, const struct sp_fleet_hosts *hosts,
	struct sp_fleet_stacks *stacks, const double *everywhere, struct sp_buffer *out)
{
	struct far *list = sp_alloc(hosts->count + 1, sizeof(*list));
	const size_t known = stacks->count; /* of everywhere[]; asking for causes may bring more */
	double median = 0;
	size_t count = hosts->count >= HOSTS_LEAST ? find_far(hosts, cores, LEAST_CORES, list, &median) : 0;
	int status = 0;

	for (size_t i = 0; !status && i < count && i < NAMED; i++) {
		sp_buffer_puts(out, i ? "" : "\nHosts that stand out by CPU time:\n");
		put_host(out, list[i].host->name);
		sp_buffer_printf(out, ": %.3g cores, ", list[i].value);
		if (median > 0)
			sp_buffer_printf(out, "%.2g times ", list[i].value / median);
		sp_buffer_printf(out, median > 0 ? "the median of %.3g" : "the median is %.3g", median);
		status = put_cause(fleet, list[i].host, hosts->wall_ns, stacks, everywhere, known, out);
		sp_buffer_puts(out, "\n");
	}
	put_others(out, count);
	count = !status && hosts->count >= HOSTS_LEAST ? find_far(hosts, peak, LEAST_PEAK, list, &median) : 0;
	for (size_t i = 0; i < count && i < NAMED; i++) {
		sp_buffer_puts(out, i ? "" : "\nHosts that stand out by the heap at its peak:\n");
		put_host(out, list[i].host->name);
		sp_buffer_puts(out, ": ");
		sp_put_size(out, sp_whole(list[i].value));
		sp_buffer_puts(out, ", the median is ");
		sp_put_size(out, sp_whole(median));
		sp_buffer_puts(out, "\n");
	}
	put_others(out, count);
	free(list);
	return status;
}

/* --- growth */

/* What a host's heap grew by in a day of a process. */
struct growth {
	double *rates; /* of hosts: bytes a day */
	size_t count, capacity;
	double bytes, wall; /* of the host that is read */
	struct sp_names days;
	double *day_bytes;
	size_t day_capacity;
};

static void end_host(struct growth *g)
{
	if (g->wall > 0) {
		sp_grow(&g->rates, &g->capacity, g->count + 1, sizeof(*g->rates));
		g->rates[g->count++] = g->bytes / g->wall * DAY_NS;
	}
	g->bytes = g->wall = 0;
}

static bool read_growth(struct growth *g, char *text)
{
	char *fields[GROWTH_FIELDS], *host = NULL;
	size_t count, before;
	uint64_t wall;
	double bytes;

	while ((count = sp_fleet_line(&text, fields, GROWTH_FIELDS)) > 0) {
		uint32_t day;

		if (count != GROWTH_FIELDS || !sp_fleet_real(fields[2], &bytes) || !sp_fleet_whole(fields[3], &wall))
			return false;
		if (host && strcmp(host, fields[0]) != 0)
			end_host(g);
		host = fields[0];
		g->bytes += bytes;
		g->wall += (double)wall;
		before = g->days.count;
		day = sp_names_id(&g->days, fields[1]);
		sp_grow(&g->day_bytes, &g->day_capacity, g->days.count, sizeof(*g->day_bytes));
		if (g->days.count > before)
			g->day_bytes[day] = 0;
		g->day_bytes[day] += bytes;
	}
	end_host(g);
	return true;
}

static void put_bytes(struct sp_buffer *out, double bytes)
{
	sp_buffer_puts(out, bytes < 0 ? "-" : "");
	sp_put_size(out, sp_whole(fabs(bytes)));
}

/* The site that holds most of what windows allocated and did not free. */
static int put_site(const struct sp_fleet *fleet, struct sp_buffer *out)
{
	struct sp_fleet_stacks stacks = {0};
	struct sp_fleet_samples samples = {0};
	const struct sp_fleet_sample *most = NULL;
	int status = sp_fleet_ask_samples(fleet, &fleet->side, SP_FLEET_BY_ALL, 1u << SP_FLEET_SITE, &stacks, &samples);

	for (size_t i = 0; !status && i < samples.count; i++)
		if (!most || samples.list[i].values[SP_FLEET_INUSE_BYTES] > most->values[SP_FLEET_INUSE_BYTES])
			most = &samples.list[i];
	if (most) {
		sp_buffer_puts(out, "; most of what stays is allocated in ");
		put_name(out, stacks.frames[stacks.list[most->stack].first].function);
	}
	sp_fleet_samples_free(&samples);
	sp_fleet_stacks_free(&stacks);
	return status;
}

static int tell_growth(const struct sp_fleet *fleet, const struct growth *g, struct sp_buffer *out)
{
	double sum = 0, squares = 0, mean, half;
	const double n = (double)g->count;
	int status;

	for (size_t i = 0; i < g->count; i++)
		sum += g->rates[i];
	mean = sum / n;
	for (size_t i = 0; i < g->count; i++)
		squares += (g->rates[i] - mean) * (g->rates[i] - mean);
	half = sp_stats_t_quantile(0.025, n - 1) * sqrt(squares / (n - 1) / n);
	if (mean <= half || mean < GROWTH_LEAST)
		return 0;
	sp_buffer_puts(out, "\nThe heap of a process grows by ");
	put_bytes(out, mean);
	sp_buffer_puts(out, " ± ");
	put_bytes(out, half);
	sp_buffer_printf(out, " a day, on %zu hosts over %zu days (", g->count, g->days.count);
	for (size_t i = 0; i < g->days.count && i < 7; i++) {
		sp_buffer_puts(out, i ? ", " : "");
		put_name(out, sp_names_text(&g->days, (uint32_t)i));
		sp_buffer_puts(out, " ");
		put_bytes(out, g->day_bytes[i] / n);
	}
	sp_buffer_puts(out, g->days.count > 7 ? ", …)" : ")");
	status = put_site(fleet, out);
	sp_buffer_puts(out, "\n");
	return status;
}

int sp_fleet_tell_growth(const struct sp_fleet *fleet, struct sp_buffer *out)
{
	const struct sp_fleet_where where = sp_fleet_where(fleet, &fleet->side);
	struct sp_buffer sql = {0}, answer = {0};
	struct growth g = {0};
	int status;

	if (fleet->until_s - fleet->since_s < DAYS_LEAST * 86400)
		return 0;
	sp_sql_growth(&sql, &where);
	status = sp_clickhouse_ask(fleet->http, &fleet->target, &sql, &answer);
	if (!status && !read_growth(&g, answer.data))
		status = sp_fleet_damaged(fleet, "a row of days in its answer is damaged");
	if (!status && g.count >= HOSTS_LEAST && g.days.count >= DAYS_LEAST)
		status = tell_growth(fleet, &g, out);
	sp_buffer_free(&sql);
	sp_buffer_free(&answer);
	sp_names_free(&g.days);
	free(g.rates);
	free(g.day_bytes);
	return status;
}
