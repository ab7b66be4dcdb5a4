/* Between stages 2 and 3 of the model: stacks that are not asked for become one row. */
#include "profiles/model/model.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/spans.h"

bool sp_filter_matches(const regex_t *regex, const char *function, const char *file, const char *module)
{
	return regexec(regex, function, 0, NULL, 0) == 0 || (file && regexec(regex, file, 0, NULL, 0) == 0) ||
		(module && regexec(regex, module, 0, NULL, 0) == 0);
}

/* "{request}" is the frame of the span "request". */
static bool is_span(const struct sp_function *f, const char *glob)
{
	size_t length = strlen(f->name);
	char *name;
	bool matches;

	if (f->module || !(f->flags & SP_FUNCTION_PSEUDO) || f->name[0] != '{' || length < 2)
		return false;
	name = sp_text("%.*s", (int)(length - 2), f->name + 1);
	matches = fnmatch(glob, name, 0) == 0;
	free(name);
	return matches;
}

bool sp_span_is_known(const struct sp_profile *profile, const char *glob)
{
	for (size_t i = 0; i < profile->function_count; i++)
		if (is_span(&profile->functions[i], glob))
			return true;
	for (size_t i = 0; i < profile->span_count; i++)
		if (fnmatch(glob, profile->spans[i].name, 0) == 0)
			return true;
	return false;
}

void sp_spans_choose(struct sp_profile *profile, const char *glob)
{
	for (size_t i = 0; i < profile->span_count; i++) {
		struct sp_span_info *span = &profile->spans[i];
		bool inside = span->parent != UINT32_MAX && !profile->spans[span->parent].left_out;

		span->left_out = !inside && fnmatch(glob, span->name, 0) != 0;
	}
}

enum { FOCUSED = 1, IGNORED = 2, IN_SPAN = 4 };

/* What each frame says about the stacks it is in. */
static unsigned char *judge_frames(const struct sp_profile *p, const struct sp_filter *filter)
{
	unsigned char *verdicts = sp_alloc(p->frame_count, 1);

	for (size_t i = 0; i < p->frame_count; i++) {
		const struct sp_profile_frame *frame = &p->frames[i];
		const struct sp_function *f = &p->functions[frame->function];
		const char *file = frame->file ? frame->file : f->file, *module = p->modules[f->module].name;

		if (filter->focus && sp_filter_matches(filter->focus, f->name, file, module))
			verdicts[i] |= FOCUSED;
		if (filter->ignore && sp_filter_matches(filter->ignore, f->name, file, module))
			verdicts[i] |= IGNORED;
		if (filter->span && is_span(f, filter->span))
			verdicts[i] |= IN_SPAN;
	}
	return verdicts;
}

void sp_frames_filter(struct sp_profile *profile, const struct sp_filter *filter, uint32_t *site_frame)
{
	unsigned char *verdicts = judge_frames(profile, filter);
	uint32_t filtered = (uint32_t)profile->frame_count;

	sp_grow(&profile->frames, &profile->frame_capacity, profile->frame_count + 1, sizeof(*profile->frames));
	profile->frames[profile->frame_count++] = (struct sp_profile_frame){.function = SP_PSEUDO_FILTERED};
	for (size_t i = 0; i < profile->path_count; i++) {
		struct sp_path *path = &profile->paths[i];
		unsigned all = 0;

		for (uint32_t k = 0; k < path->depth; k++)
			all |= verdicts[profile->frame_ids[path->first + k]];
		if (!(all & IGNORED) && (!filter->focus || (all & FOCUSED)) && (!filter->span || (all & IN_SPAN)))
			continue;
		profile->frame_ids[path->first] = filtered;
		path->depth = 1;
		if (site_frame)
			site_frame[i] = filtered;
	}
	profile->filtered = true;
	free(verdicts);
}
