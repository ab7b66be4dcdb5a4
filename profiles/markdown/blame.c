/* The verdict's guilty line: of a function of the program's own the hottest one, of any other where it is called for. */
#include <stdlib.h>

#include "profiles/markdown/writer.h"
#include "profiles/model/heap.h"
#include "profiles/model/order.h"

#define CALLER_PERCENT 30.0 /* of the function's own time; a caller with less is not to blame */

static uint64_t line_ns(const struct sp_line_info *line)
{
	return line->self_user_ns + line->self_sys_ns;
}

static const struct sp_line_info *hottest_line(const struct sp_profile *p, uint32_t function)
{
	const struct sp_line_info *best = NULL;

	for (size_t i = 0; i < p->line_count; i++) {
		const struct sp_line_info *line = &p->lines[i];

		if (line->function == function && line->line && (!best || line_ns(line) > line_ns(best)))
			best = line;
	}
	return best;
}

static bool is_own(const struct sp_profile *p, uint32_t function)
{
	const struct sp_function *f = &p->functions[function];

	return !f->flags && f->module && !p->modules[f->module].system &&
		!sp_is_layer(f->name, p->modules[f->module].name) && !sp_is_allocator_name(f->name);
}

/* The frame of the program's own nearest to the leaf, of the stacks whose leaf the function is: the one most time is in. */
static uint32_t heaviest_caller(const struct sp_profile *p, uint32_t function, uint64_t *heaviest_ns)
{
	uint64_t *sums = sp_alloc(p->frame_count, sizeof(*sums));
	uint32_t best = UINT32_MAX;

	*heaviest_ns = 0;
	for (size_t i = 0; i < p->path_count; i++) {
		const struct sp_path *path = &p->paths[i];
		const uint32_t *ids = p->frame_ids + path->first;
		uint32_t at = 0;

		if (!sp_path_has_time(p, i) || p->frames[ids[0]].function != function)
			continue;
		while (at < path->depth && p->frames[ids[at]].function != SP_PSEUDO_REST &&
			!is_own(p, p->frames[ids[at]].function))
			at++;
		if (at == path->depth || p->frames[ids[at]].function == SP_PSEUDO_REST)
			continue; /* who calls it was cut */
		sums[ids[at]] += path->user_ns + path->sys_ns;
		if (sums[ids[at]] > *heaviest_ns) {
			*heaviest_ns = sums[ids[at]];
			best = ids[at];
		}
	}
	free(sums);
	return best;
}

static void put_caller(struct sp_writer *w, uint32_t function)
{
	const struct sp_profile *p = w->profile;
	uint64_t ns;
	uint32_t caller = heaviest_caller(p, function, &ns);
	double share = sp_percent(ns, sp_function_self(&p->functions[function]));
	const struct sp_profile_frame *frame = &p->frames[caller == UINT32_MAX ? 0 : caller];

	if (caller == UINT32_MAX || share < CALLER_PERCENT)
		return;
	/* The function of a file that enters generated code does not say what that code is. */
	if ((p->functions[function].flags & SP_FUNCTION_UNNAMED) &&
		p->functions[frame->function].module < p->unknown_module &&
		p->functions[function].module >= p->unknown_module)
		return;
	sp_buffer_printf(&w->out, " (%.0f %% of it for ", share);
	sp_escape_name(&w->out, SP_ESCAPE_CELL, p->functions[frame->function].name);
	if (frame->file) {
		sp_buffer_puts(&w->out, " at ");
		sp_put_location(&w->out, SP_ESCAPE_CELL, p, frame->file, frame->line);
	}
	sp_buffer_puts(&w->out, ")");
}

void sp_put_guilty_line(struct sp_writer *w, const struct sp_function *f)
{
	const struct sp_profile *p = w->profile;
	uint32_t function = (uint32_t)(f - p->functions);
	const struct sp_line_info *line;

	if (!is_own(p, function)) {
		put_caller(w, function);
		return;
	}
	line = hottest_line(p, function);
	if (!line)
		return;
	sp_buffer_printf(&w->out, " (%.0f %% of it at ", sp_percent(line_ns(line), sp_function_self(f)));
	sp_put_location(&w->out, SP_ESCAPE_CELL, p, line->file, line->line);
	sp_buffer_puts(&w->out, ")");
}
