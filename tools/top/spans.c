/* smartprof top: the spans of the program. */
#include <stdlib.h>
#include <string.h>

#include "profiles/model/spans.h"
#include "profiles/spool/spans.h"
#include "profiles/spool/window.h"
#include "tools/top/parts.h"

void sp_top_count_span(struct sp_top *top, uint32_t node, const struct sp_sum *sum)
{
	size_t before = top->in_span_capacity;

	if (node >= SP_SPAN_NODES_MAX)
		return;
	sp_grow(&top->in_span, &top->in_span_capacity, node + 1, sizeof(*top->in_span));
	memset(top->in_span + before, 0, (top->in_span_capacity - before) * sizeof(*top->in_span));
	sp_sum_add(&top->in_span[node], sum);
}

void sp_top_forget_spans(struct sp_top *top)
{
	if (top->in_span_capacity)
		memset(top->in_span, 0, top->in_span_capacity * sizeof(*top->in_span));
}

/* "request › parse" of each node; it stands behind its parent. */
static const char *name_of(struct sp_top *top, uint32_t node, const char *parent)
{
	struct sp_buffer text = {0};
	const char *name;

	if (parent)
		sp_buffer_printf(&text, "%s › ", parent);
	sp_span_put_name(&text, &top->spool.now.is, node);
	name = sp_names_text(&top->texts, sp_names_id(&top->texts, text.data ? text.data : ""));
	sp_buffer_free(&text);
	return name;
}

/* What was counted since the moment, by node. */
static struct sp_span_info *count_since(struct sp_top *top, const struct sp_moment *since)
{
	const struct sp_snapshot *now = &top->spool.now.is;
	struct sp_span_info *nodes = sp_alloc(now->span_node_count + 1, sizeof(*nodes));
	struct sp_snapshot *is = &top->spans;

	sp_grow(&is->span_counts, &top->spans_capacity, now->span_count_count + 1, sizeof(*is->span_counts));
	if (now->span_count_count)
		memcpy(is->span_counts, now->span_counts, now->span_count_count * sizeof(*is->span_counts));
	is->span_count_count = now->span_count_count;
	sp_spans_take(is, &since->is);
	for (size_t i = 1; i < is->span_count_count; i++)
		if (is->span_counts[i].node)
			sp_span_add_count(&nodes[is->span_counts[i].node], &is->span_counts[i]);
	return nodes;
}

static void set_times(struct sp_top_row *row, const struct sp_span_info *all)
{
	double error, p99_ns;

	row->count = all->count;
	if (!all->count)
		return;
	p99_ns = (double)sp_span_quantile(all, 0.99, &error);
	row->figures[2].value = (double)all->sum_ns / (double)all->count / 1e9;
	row->figures[3] = (struct sp_top_figure){p99_ns / 1e9, error / 1e9};
}

static void set_open(struct sp_top *top, struct sp_top_row *const *rows)
{
	const struct sp_snapshot *now = &top->spool.now.is;

	for (size_t i = 1; i < now->span_thread_count; i++) {
		const struct sp_span_thread *t = &now->span_threads[i];

		for (uint32_t k = 0; k < t->depth; k++) {
			struct sp_top_row *row = rows[t->open[k].node];
			uint64_t began_ns = sp_spans_time_ns(&now->header, t->open[k].began_tsc);
			double open_s = (double)sp_window_since(now->taken_ns, began_ns) / 1e9;

			if (!row)
				continue;
			row->open++;
			row->open_s = open_s > row->open_s ? open_s : row->open_s;
		}
	}
}

/* Of each node and those in it, which stand behind it. */
static struct sp_sum *add_up_samples(const struct sp_top *top, size_t nodes)
{
	struct sp_sum *sums = sp_alloc(nodes + 1, sizeof(*sums));

	for (size_t i = nodes; i-- > 1;) {
		if (i < top->in_span_capacity)
			sp_sum_add(&sums[i], &top->in_span[i]);
		sp_sum_add(&sums[top->spool.now.is.span_nodes[i].parent], &sums[i]);
	}
	return sums;
}

static bool is_shown(const struct sp_snapshot *s, size_t node)
{
	return s->span_nodes[node].name && s->span_names[s->span_nodes[node].name].kind != SP_SPAN_MEASURED;
}

static void add_nodes(struct sp_top *top, const struct sp_span_info *all, const struct sp_span_info *now,
	const struct sp_sum *samples)
{
	const struct sp_snapshot *s = &top->spool.now.is;
	const char **names = sp_alloc(s->span_node_count, sizeof(*names));
	struct sp_top_row **rows = sp_alloc(s->span_node_count, sizeof(*rows));

	sp_grow(&top->rows, &top->row_capacity, s->span_node_count, sizeof(*top->rows)); /* rows stay where they are */
	for (uint32_t i = 1; i < s->span_node_count; i++) {
		struct sp_top_row *row;

		if (!is_shown(s, i))
			continue;
		names[i] = name_of(top, i, names[s->span_nodes[i].parent]);
		row = rows[i] = sp_top_add_row(top);
		row->name = names[i];
		if (now && top->state.interval_s > 0)
			row->figures[0].value = (double)now[i].count / top->state.interval_s;
		row->figures[1] = sp_top_share(top, &samples[i]);
		set_times(row, &all[i]);
	}
	set_open(top, rows);
	free(names);
	free(rows);
}

void sp_top_add_spans(struct sp_top *top)
{
	struct sp_span_info *all, *now = NULL;
	struct sp_sum *samples;
	const char *why;

	top->wanted |= SP_FOLLOW_SPANS;
	sp_top_add_code(top, &why);
	if (sp_follow_look_at_spans(&top->spool, &why) < 0 || top->spool.now.is.span_node_count < 2)
		return;
	all = count_since(top, &top->base);
	if (top->state.interval_s > 0 && top->spool.was.spans)
		now = count_since(top, &top->spool.was);
	samples = add_up_samples(top, top->spool.now.is.span_node_count);
	add_nodes(top, all, now, samples);
	free(samples);
	free(now);
	free(all);
}
