/* Call trees and hot paths. They stand in fences: nothing in a name is markup there, and grep
 * finds it as it is. */
#include "profiles/markdown/writer.h"

#include <stdlib.h>

#define INDENT_MAX 40u
#define PATH_HEAD 5u
#define PATH_TAIL 9u

static void write_node(struct sp_writer *w, const struct sp_tree_node *node, uint64_t whole)
{
	const struct sp_profile *p = w->profile;
	const struct sp_function *f = &p->functions[node->step >> 1];
	uint32_t indent = node->depth < INDENT_MAX ? node->depth : INDENT_MAX;

	sp_buffer_printf(&w->out, "%5.1f%% %5.1f%%  %*s", sp_percent(node->total, whole), sp_percent(node->self, whole),
		(int)(2 * indent), "");
	if (indent < node->depth)
		sp_buffer_printf(&w->out, "(+%u) ", node->depth - indent);
	sp_escape_name(&w->out, SP_ESCAPE_PLAIN, f->name);
	if (node->step & 1)
		sp_buffer_puts(&w->out, " [inlined]");
	if (node->repeated)
		sp_buffer_puts(&w->out, " ↻");
	if (f->file) {
		sp_buffer_puts(&w->out, "  ");
		sp_put_function_location(&w->out, SP_ESCAPE_PLAIN, p, f);
	}
	sp_buffer_puts(&w->out, "\n");
}

static void write_tree(struct sp_writer *w, const struct sp_sequences *s, uint64_t whole, size_t lines)
{
	size_t count, all;
	struct sp_tree_node *nodes = sp_tree_build(s, (whole + 99) / 100, lines, &count, &all);

	sp_buffer_puts(&w->out, "```text\nTotal%  Self%\n");
	for (size_t i = 0; i < count; i++)
		write_node(w, &nodes[i], whole);
	sp_buffer_puts(&w->out, "```\n");
	sp_put_cut(&w->out, count, all, "branches of at least 1 %", "All functions");
	free(nodes);
}

void sp_write_call_tree(struct sp_writer *w)
{
	sp_buffer_puts(&w->out,
		"## Call Tree (Total Time)\n\nBranches of at least 1 % are shown; ↻ marks a recursion that is shown "
		"once.\n\n");
	write_tree(w, &w->sums.calls, w->profile->total_ns, w->limits.tree_lines);
	sp_buffer_puts(&w->out, "\n");
}

void sp_write_heap_tree(struct sp_writer *w)
{
	const struct sp_sequences *s = &w->sums.allocations;

	if (!s->total)
		return;
	sp_buffer_printf(&w->out,
		"## Heap Call Tree (%s)\n\nBranches of at least 1 %% are shown; ↻ marks a recursion that is shown "
		"once.\n\n",
		w->sums.allocations_by == SP_TREE_INUSE ? "In Use" : "Allocated");
	write_tree(w, s, s->total, w->limits.heap_tree_lines);
	sp_buffer_puts(&w->out, "\n");
}

static bool is_heavier(const struct sp_sequence *x, const struct sp_sequence *y)
{
	return x->weight != y->weight ? x->weight > y->weight : x->path < y->path;
}

/* Copies the `most` heaviest to `to`, heaviest first; they are few of many. Returns how many. */
static size_t take_heaviest(struct sp_sequence *to, size_t most, const struct sp_sequences *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++) {
		size_t at;

		if (count == most && (!most || !is_heavier(&s->items[i], &to[most - 1])))
			continue;
		at = count < most ? count++ : most - 1;
		for (; at && is_heavier(&s->items[i], &to[at - 1]); at--)
			to[at] = to[at - 1];
		to[at] = s->items[i];
	}
	return count;
}

static void write_path(struct sp_writer *w, const struct sp_sequences *s, const struct sp_sequence *seq)
{
	const struct sp_profile *p = w->profile;

	sp_buffer_printf(&w->out, "%5.1f%%  ", sp_percent(seq->weight, p->total_ns));
	for (uint32_t i = 0; i < seq->depth; i++) {
		if (i == PATH_HEAD && seq->depth > PATH_HEAD + PATH_TAIL + 1) {
			sp_buffer_printf(&w->out, " → … %u frames …", seq->depth - PATH_HEAD - PATH_TAIL);
			i = seq->depth - PATH_TAIL;
		}
		sp_buffer_puts(&w->out, i ? " → " : "");
		sp_escape_name(&w->out, SP_ESCAPE_PLAIN, p->functions[s->steps[seq->first + i] >> 1].name);
		if (s->repeated[seq->first + i])
			sp_buffer_puts(&w->out, "↻");
	}
	sp_buffer_puts(&w->out, "\n");
}

void sp_write_hot_paths(struct sp_writer *w)
{
	const struct sp_sequences *s = &w->sums.calls;
	struct sp_sequence *order = sp_alloc(w->limits.paths, sizeof(*order));
	size_t shown = take_heaviest(order, w->limits.paths, s);

	sp_buffer_puts(&w->out, "## Hot Paths\n\n```text\n");
	for (size_t i = 0; i < shown; i++)
		write_path(w, s, &order[i]);
	sp_buffer_puts(&w->out, "```\n");
	sp_put_cut(&w->out, shown, s->count, "paths", "Call Tree");
	sp_buffer_puts(&w->out, "\n");
	free(order);
}
