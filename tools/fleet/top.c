/* The functions of a selection, with how far samples and hosts let them vary. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/figures.h"
#include "profiles/base/json.h"
#include "profiles/compare/stats.h"
#include "tools/fleet/fleet.h"
#include "tools/history/table.h"
#include "tools/tools.h"

#define TOP_USUAL 20u
#define FUNCTION_FIELDS 11
#define HOST_FIELDS 6

/* A function, and its sums over hosts. */
struct row {
	uint32_t stack;
	double self, total, self_var, total_var, self2, self_all, total2, total_all;
	double hosts, hosts2; /* that have it: how many, and their CPU time, squared */
};

struct top {
	const struct sp_fleet *fleet;
	struct sp_fleet_hosts hosts;
	struct sp_fleet_stacks stacks;
	struct row *rows;
	size_t count, capacity;
	double all, all2; /* CPU time; of hosts, squared */
};

static bool read_function(struct top *t, char **fields)
{
	double n[FUNCTION_FIELDS];
	uint64_t key[2];

	for (int i = 1; i < FUNCTION_FIELDS; i++)
		if (!sp_fleet_real(fields[i], &n[i]))
			return false;
	if (!sp_fleet_id(fields[0], key))
		return false;
	sp_grow(&t->rows, &t->capacity, t->count + 1, sizeof(*t->rows));
	t->rows[t->count++] = (struct row){
		sp_fleet_stack_of(&t->stacks, key), n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10]};
	t->all += n[1];
	return true;
}

static bool read_host(struct top *t, char **fields)
{
	struct sp_fleet_host host = {0};
	uint64_t *const numbers[] = {&host.profiles, &host.wall_ns, &host.cpu_ns, &host.samples, &host.peak_bytes};

	for (int i = 1; i < HOST_FIELDS; i++)
		if (!sp_fleet_whole(fields[i], numbers[i - 1]))
			return false;
	if (!host.profiles)
		return false;
	host.name = sp_pool_copy(&t->hosts.pool, fields[0], strlen(fields[0]));
	sp_grow(&t->hosts.list, &t->hosts.capacity, t->hosts.count + 1, sizeof(*t->hosts.list));
	t->hosts.list[t->hosts.count++] = host;
	t->hosts.wall_ns += (double)host.wall_ns;
	t->all2 += (double)host.cpu_ns * (double)host.cpu_ns;
	return true;
}

static int ask(struct top *t, void (*put)(struct sp_buffer *, const struct sp_fleet_where *), size_t width,
	bool (*read)(struct top *, char **))
{
	const struct sp_fleet_where where = sp_fleet_where(t->fleet, &t->fleet->side);
	struct sp_buffer sql = {0}, answer = {0};
	char *fields[FUNCTION_FIELDS], *text;
	size_t count;
	int status;

	put(&sql, &where);
	status = sp_clickhouse_ask(t->fleet->http, &t->fleet->target, &sql, &answer);
	for (text = answer.data; !status && (count = sp_fleet_line(&text, fields, width)) > 0;)
		if (count != width || !read(t, fields))
			status = sp_fleet_damaged(t->fleet, "a row in its answer is damaged");
	sp_buffer_free(&sql);
	sp_buffer_free(&answer);
	return status;
}

static int by_self(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->self != y->self)
		return x->self > y->self ? -1 : 1;
	return x->total > y->total ? -1 : x->total < y->total;
}

/* Half the 95 % interval of a ratio of sums over hosts, which are drawn from many (Cochran, Sampling Techniques, 2.11). NAN of a
 * single host. The squares of hosts that have the function are those of the same rows: what profiles say of themselves is
 * rounded, which is more than alike hosts differ by. */
static double spread_of(const struct top *t, const struct row *row, double part, double part2, double part_all)
{
	double ratio = part / t->all, hosts = (double)t->hosts.count;
	double others2 = row->hosts < hosts ? fmax(t->all2 - row->hosts2, 0) : 0;
	double residuals = part2 - 2 * ratio * part_all + ratio * ratio * (row->hosts2 + others2);

	if (t->hosts.count < 2)
		return NAN;
	return sp_stats_t_quantile(0.025, hosts - 1) * sqrt(fmax(residuals, 0) * hosts / (hosts - 1)) / t->all;
}

static void add_percent(struct sp_table *table, double share)
{
	struct sp_buffer text = {0};

	if (isfinite(share))
		sp_buffer_printf(&text, "%.2f", 100 * share);
	else
		sp_buffer_puts(&text, "-");
	sp_table_add(table, text.data, sp_json_number(100 * share));
	sp_buffer_free(&text);
}

static void add_row(const struct top *t, struct sp_table *table, const struct row *row)
{
	static const struct sp_fleet_frame unknown = {.function = "[unknown]", .module = ""};
	const struct sp_fleet_stack *stack = &t->stacks.list[row->stack];
	const struct sp_fleet_frame *frame = stack->depth ? &t->stacks.frames[stack->first] : &unknown;
	const char *slash = strrchr(frame->module, '/');

	add_percent(table, row->self / t->all);
	add_percent(table, SP_FLEET_Z95 * sqrt(row->self_var) / t->all);
	add_percent(table, spread_of(t, row, row->self, row->self2, row->self_all));
	add_percent(table, row->total / t->all);
	add_percent(table, SP_FLEET_Z95 * sqrt(row->total_var) / t->all);
	add_percent(table, spread_of(t, row, row->total, row->total2, row->total_all));
	sp_table_add_text(table, frame->function);
	sp_table_add_text(table, slash && slash[1] ? slash + 1 : frame->module);
}

static void put_head(const struct top *t, struct sp_buffer *out)
{
	uint64_t profiles = 0, samples = 0;

	for (size_t i = 0; i < t->hosts.count; i++) {
		profiles += t->hosts.list[i].profiles;
		samples += t->hosts.list[i].samples;
	}
	sp_fleet_put_selection(out, t->fleet, &t->fleet->side);
	sp_buffer_printf(out, "\n%llu %s of %zu %s: ", (unsigned long long)profiles,
		profiles == 1 ? "profile" : "profiles", t->hosts.count, t->hosts.count == 1 ? "host" : "hosts");
	sp_put_long_duration(out, sp_whole(t->all));
	sp_buffer_printf(out, " of CPU time in %llu samples", (unsigned long long)samples);
	if (t->hosts.wall_ns > 0)
		sp_buffer_printf(out, ", %.3g cores in each process", t->all / t->hosts.wall_ns);
	sp_buffer_puts(out, "\n\n");
}

static int tell_outliers(struct top *t, struct sp_buffer *out)
{
	double *everywhere = sp_alloc(t->stacks.count + 1, sizeof(*everywhere));
	int status;

	for (size_t i = 0; i < t->count; i++)
		everywhere[t->rows[i].stack] += t->rows[i].self;
	status = sp_fleet_tell_outliers(t->fleet, &t->hosts, &t->stacks, everywhere, out);
	free(everywhere);
	return status;
}

static int print(struct top *t)
{
	static const struct sp_column columns[] = {{"self %", "self_percent", true}, {"±", "self_error_percent", true},
		{"± hosts", "self_hosts_percent", true}, {"total %", "total_percent", true},
		{"±", "total_error_percent", true}, {"± hosts", "total_hosts_percent", true},
		{"function", "function", false}, {"module", "module", false}};
	struct sp_table table = {.columns = columns, .width = sizeof(columns) / sizeof(columns[0])};
	struct sp_buffer text = {0};
	size_t most = t->fleet->top ? t->fleet->top : TOP_USUAL;
	int status = 0;

	for (size_t i = 0; i < t->count && i < most; i++)
		add_row(t, &table, &t->rows[i]);
	if (t->fleet->json) {
		sp_json_put(&text, sp_table_json(&table), false);
		sp_buffer_puts(&text, "\n");
	} else {
		put_head(t, &text);
		sp_table_put_text(&text, &table, "");
		sp_buffer_puts(&text,
			"\n± is half the 95 % interval by samples alone, ± hosts by how far hosts differ.\n");
		status = tell_outliers(t, &text);
		status = status ? status : sp_fleet_tell_growth(t->fleet, &text);
	}
	if (!status && sp_write_output("fleet", t->fleet->output, &text, O_TRUNC))
		status = 1;
	sp_buffer_free(&text);
	sp_table_free(&table);
	return status;
}

int sp_fleet_top(const struct sp_fleet *fleet)
{
	struct top t = {.fleet = fleet};
	int status = ask(&t, sp_sql_hosts, HOST_FIELDS, read_host);

	if (!status && !t.hosts.count)
		status = sp_fleet_nothing(fleet, &fleet->side);
	if (!status)
		status = ask(&t, sp_sql_functions, FUNCTION_FIELDS, read_function);
	if (!status)
		status = sp_fleet_ask_frames(fleet, &t.stacks);
	if (!status) {
		qsort(t.rows, t.count, sizeof(*t.rows), by_self);
		status = print(&t);
	}
	sp_pool_free(&t.hosts.pool);
	free(t.hosts.list);
	sp_fleet_stacks_free(&t.stacks);
	free(t.rows);
	return status;
}
