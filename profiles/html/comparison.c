/* The page of a comparison. */
#include "profiles/html/html.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/base/json.h"
#include "profiles/compare/compare.h"
#include "profiles/compare/report.h"
#include "profiles/html/page.h"

static json_t *sentence_json(const struct sp_comparison *c,
	void (*put)(struct sp_buffer *, const struct sp_comparison *))
{
	struct sp_buffer text = {0};
	json_t *value;

	put(&text, c);
	value = sp_json_text(text.data);
	sp_buffer_free(&text);
	return value;
}

/* Profiles of a side that hold what is asked for, of those with stacks. */
static size_t count_runs(const struct sp_comparison *c, enum sp_side side, enum sp_stack_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < c->input->count[side]; i++) {
		const struct sp_profile *p = c->input->profiles[side][i];

		count += p->has_stacks && sp_stacks_on(p, kind);
	}
	return count;
}

/* Steady rows fill the data and are not shown. */
static json_t *rows_that_tell(json_t *comparison)
{
	json_t *rows = json_object_get(comparison, "rows");

	for (size_t i = json_array_size(rows); i-- > 0;) {
		const char *state = json_string_value(json_object_get(json_array_get(rows, i), "state"));

		if (state && strcmp(state, "steady") == 0)
			json_array_remove(rows, i);
	}
	return comparison;
}

void sp_html_comparison(struct sp_buffer *out, const struct sp_comparison *c)
{
	struct sp_page_stacks stacks = {0};
	double scales[SP_SIDES][SP_STACK_KINDS]; /* what is shown is the mean of the runs */
	bool on[SP_STACK_KINDS];
	json_t *data;

	for (enum sp_stack_kind kind = 0; kind < SP_STACK_KINDS; kind++) {
		size_t runs[] = {count_runs(c, SP_BASELINE, kind), count_runs(c, SP_CURRENT, kind)};

		on[kind] = runs[SP_BASELINE] && runs[SP_CURRENT];
		for (int side = 0; side < SP_SIDES; side++)
			scales[side][kind] = runs[side] ? 1.0 / (double)runs[side] : 0;
	}
	for (enum sp_side side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < c->input->count[side]; i++) {
			const struct sp_profile *p = c->input->profiles[side][i];

			if (p->has_stacks)
				free(sp_page_add(&stacks, p, side, scales[side], true));
		}
	data = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "kind", "compare", "program", sp_json_text(c->program),
		"verdict", sentence_json(c, sp_compare_verdict_text), "score_text",
		sentence_json(c, sp_compare_score_text), "comparison", rows_that_tell(sp_compare_json_tree(c)), "views",
		sp_page_views(on));
	sp_page_stacks_put(&stacks, data, SP_SIDES);
	sp_page_write(out, c->program ? c->program : "comparison", data);
}
