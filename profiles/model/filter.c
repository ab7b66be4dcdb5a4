/* Between stages 2 and 3 of the model: stacks that are not asked for become one row. */
#include "profiles/model/model.h"

#include <stdlib.h>

bool sp_filter_matches(const regex_t *regex, const char *function, const char *file, const char *module)
{
	return regexec(regex, function, 0, NULL, 0) == 0 || (file && regexec(regex, file, 0, NULL, 0) == 0) ||
		(module && regexec(regex, module, 0, NULL, 0) == 0);
}

enum { FOCUSED = 1, IGNORED = 2 };

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
		if (!(all & IGNORED) && (!filter->focus || (all & FOCUSED)))
			continue;
		profile->frame_ids[path->first] = filtered;
		path->depth = 1;
		if (site_frame)
			site_frame[i] = filtered;
	}
	profile->filtered = true;
	free(verdicts);
}
