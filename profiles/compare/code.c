/* Whether the code changed: see code.h. */
#include "profiles/compare/code.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/compare/calls.h"
#include "profiles/compare/stages.h"

/* Of a side's CPU time: what has less comes and goes by the chance of sampling. */
#define SHARE_LEAST 0.001
#define ALONE_LEAST 0.02 /* of what was met on one side only, so that nothing can be set against it */

static uint64_t build_of(const struct sp_module_info *module)
{
	return module->build_id && *module->build_id ? sp_hash_bytes(module->build_id, strlen(module->build_id)) : 0;
}

static void add_builds(struct sp_comparison *c, const struct sp_profile *p, enum sp_side side)
{
	for (size_t i = 0; i < p->module_count; i++) {
		uint64_t build = build_of(&p->modules[i]);
		bool known = !build;

		for (size_t k = 0; k < c->build_count && !known; k++)
			known = c->builds[k].build == build && c->builds[k].side == side;
		if (known)
			continue;
		sp_grow(&c->builds, &c->build_capacity, c->build_count + 1, sizeof(*c->builds));
		c->builds[c->build_count++] = (struct sp_build_there){build, side};
	}
}

static void note(uint64_t *known, uint64_t now, bool first, bool *varies)
{
	if (first)
		*known = now;
	else if (*known != now)
		*varies = true;
}

static void add_function(struct sp_node_code *code, const struct sp_profile *p, const struct sp_function *f,
	enum sp_side side)
{
	bool first = code->total[side] <= 0;

	if (!sp_function_total(f))
		return;
	code->total[side] += (double)sp_function_total(f);
	note(&code->hash[side], f->code, first, &code->varies);
	note(&code->build[side], build_of(&p->modules[f->module]), first, &code->varies);
}

void sp_compare_code_add(struct sp_comparison *c, const struct sp_profile *p, const uint32_t *node_of,
	size_t node_count, enum sp_side side)
{
	size_t before = c->code_count;

	sp_grow(&c->codes, &c->code_capacity, node_count, sizeof(*c->codes));
	if (node_count > before)
		memset(c->codes + before, 0, (node_count - before) * sizeof(*c->codes));
	c->code_count = node_count;
	add_builds(c, p, side);
	for (size_t i = 0; i < p->function_count; i++)
		if (node_of[i] != SP_NO_NODE)
			add_function(&c->codes[node_of[i]], p, &p->functions[i], side);
	for (size_t i = 0; i < p->frame_count; i++)
		if (!p->frames[i].inlined && node_of[p->frames[i].function] != SP_NO_NODE)
			c->codes[node_of[p->frames[i].function]].stands_alone = true;
}

/* Was a file with this build-id there on both sides? What was sampled in it is chance. */
static bool is_on_both(const struct sp_comparison *c, uint64_t build)
{
	bool there[SP_SIDES] = {false};

	for (size_t i = 0; i < c->build_count && build; i++)
		if (c->builds[i].build == build)
			there[c->builds[i].side] = true;
	return there[SP_BASELINE] && there[SP_CURRENT];
}

static enum sp_code state_of(const struct sp_comparison *c, const struct sp_node_code *code)
{
	int there = code->total[SP_BASELINE] <= 0;

	if (code->varies)
		return SP_CODE_UNKNOWN;
	if (code->total[SP_BASELINE] <= 0 || code->total[SP_CURRENT] <= 0)
		return is_on_both(c, code->build[there]) ? SP_CODE_SAME : SP_CODE_UNKNOWN;
	if (code->build[0] && code->build[0] == code->build[1])
		return SP_CODE_SAME;
	if (!code->hash[0] || !code->hash[1])
		return SP_CODE_UNKNOWN;
	return code->hash[0] == code->hash[1] ? SP_CODE_SAME : SP_CODE_CHANGED;
}

static bool is_chance(const struct sp_node_code *code, const double *totals)
{
	bool alone = code->total[SP_BASELINE] <= 0 || code->total[SP_CURRENT] <= 0;
	double least = alone ? ALONE_LEAST : SHARE_LEAST;

	return code->total[SP_BASELINE] < least * totals[SP_BASELINE] &&
		code->total[SP_CURRENT] < least * totals[SP_CURRENT];
}

/* What a set of functions comes to. Inlined code is a part of what it was inlined into. */
static enum sp_code state_of_all(const struct sp_comparison *c, const bool *in, const double *totals)
{
	enum sp_code state = SP_CODE_SAME;
	bool any = false;

	for (size_t i = 0; i < c->code_count; i++) {
		const struct sp_node_code *code = &c->codes[i];
		enum sp_code one;

		if ((in && !in[i]) || !code->stands_alone || is_chance(code, totals))
			continue;
		any = true;
		one = state_of(c, code);
		if (one == SP_CODE_CHANGED)
			return one;
		if (one == SP_CODE_UNKNOWN)
			state = one;
	}
	return any ? state : SP_CODE_UNKNOWN;
}

/* By the executable alone: c->code tells of libraries. */
static bool are_same_builds(const struct sp_comparison *c)
{
	const struct sp_comparison_input *in = c->input;
	const char *first = sp_profile_fact(in->profiles[SP_BASELINE][0], "build_id");

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < in->count[side]; i++) {
			const char *build = sp_profile_fact(in->profiles[side][i], "build_id");

			if (!first || !build || strcmp(first, build) != 0)
				return false;
		}
	return true;
}

void sp_compare_code_tell(struct sp_comparison *c)
{
	double totals[SP_SIDES] = {0};
	size_t nodes = sp_calls_nodes(c->calls);
	bool *reached = sp_alloc(nodes + c->code_count + 1, sizeof(*reached));

	for (int side = 0; side < SP_SIDES; side++)
		for (size_t i = 0; i < c->input->count[side]; i++)
			totals[side] += (double)c->input->profiles[side][i]->total_ns;
	c->same_build = are_same_builds(c);
	c->code = state_of_all(c, NULL, totals);
	for (size_t i = 0; i < c->row_count; i++) {
		struct sp_row *row = &c->rows[i];

		if (row->kind != SP_ROW_CPU || row->gone || !row->tested || !sp_calls_known(c->calls, SP_ROW_CPU))
			continue;
		memset(reached, 0, nodes * sizeof(*reached));
		sp_calls_reach(c->calls, SP_ROW_CPU, row->node, reached);
		reached[row->node] = true;
		row->code = state_of_all(c, reached, totals);
	}
	free(reached);
}

#define NAMES_SHOWN 5u

static int by_total(const void *a, const void *b, void *context)
{
	const struct sp_comparison *c = context;
	double x = c->codes[*(const uint32_t *)a].total[SP_CURRENT],
	       y = c->codes[*(const uint32_t *)b].total[SP_CURRENT];

	return (x < y) - (x > y);
}

void sp_compare_code_put(struct sp_buffer *out, const struct sp_comparison *c)
{
	uint32_t *changed = sp_alloc(c->code_count + 1, sizeof(*changed));
	size_t count = 0;

	for (size_t i = 0; i < c->code_count; i++)
		if (c->codes[i].stands_alone && state_of(c, &c->codes[i]) == SP_CODE_CHANGED)
			changed[count++] = (uint32_t)i;
	qsort_r(changed, count, sizeof(*changed), by_total, (void *)c);
	for (size_t i = 0; i < count && i < NAMES_SHOWN; i++)
		sp_buffer_printf(out, "%s%s", i ? ", " : "", c->nodes[changed[i]].function);
	if (count > NAMES_SHOWN)
		sp_buffer_printf(out, ", %zu more", count - NAMES_SHOWN);
	free(changed);
}
