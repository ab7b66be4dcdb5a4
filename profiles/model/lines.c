/* Stage 3 of the model: self time by source line, and of lines by file. */
#include "profiles/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"
#include "profiles/model/error.h"

/* Gives every frame with a file the number of its line; returns how many there are. */
static size_t number_lines(struct sp_profile *p, uint32_t *part_of)
{
	struct sp_map index = {0};

	for (size_t i = 0; i < p->frame_count; i++) {
		const struct sp_profile_frame *f = &p->frames[i];
		uint32_t *cell;
		int found;

		part_of[i] = SP_NO_PART;
		if (!f->file)
			continue;
		/* File names are interned: equal texts have equal pointers. */
		cell = sp_map_at(&index, (uint64_t)f->function << 32 | f->line, (uint64_t)(uintptr_t)f->file, &found);
		if (!found) {
			*cell = (uint32_t)p->line_count;
			*sp_profile_line(p) =
				(struct sp_line_info){.function = f->function, .file = f->file, .line = f->line};
		}
		part_of[i] = *cell;
	}
	sp_map_free(&index);
	return p->line_count;
}

struct sp_line_info *sp_profile_line(struct sp_profile *profile)
{
	sp_grow(&profile->lines, &profile->line_capacity, profile->line_count + 1, sizeof(*profile->lines));
	return &profile->lines[profile->line_count++];
}

void sp_lines_add_up(struct sp_profile *profile)
{
	uint32_t *part_of = sp_alloc(profile->frame_count, sizeof(*part_of));
	size_t count = number_lines(profile, part_of), kept = 0;
	double *errors = sp_alloc(count, sizeof(*errors));

	for (size_t i = 0; i < profile->path_count; i++) {
		const struct sp_path *path = &profile->paths[i];
		uint32_t line = path->depth ? part_of[profile->frame_ids[path->first]] : SP_NO_PART;

		if (line == SP_NO_PART)
			continue;
		profile->lines[line].self_user_ns += path->user_ns;
		profile->lines[line].self_sys_ns += path->sys_ns;
		profile->lines[line].self_samples += path->samples;
	}
	sp_share_errors(profile, part_of, false, errors, count);
	for (size_t i = 0; i < count; i++) {
		profile->lines[i].self_error = errors[i];
		if (profile->lines[i].self_user_ns + profile->lines[i].self_sys_ns)
			profile->lines[kept++] = profile->lines[i];
	}
	profile->line_count = kept;
	free(errors);
	free(part_of);
}

/* ± of a sum of lines follows from the order of the samples, which a written profile no longer has. */
static void add_file_errors(const struct sp_profile *p, struct sp_names *names, struct sp_file_sum *sums, size_t count)
{
	uint32_t *part_of = sp_alloc(p->frame_count, sizeof(*part_of));
	double *errors = sp_alloc(count, sizeof(*errors));

	for (size_t i = 0; i < p->frame_count; i++) {
		uint32_t id = p->frames[i].file ? sp_names_id(names, p->frames[i].file) : SP_NO_PART;

		part_of[i] = id < count ? id : SP_NO_PART;
	}
	sp_share_errors(p, part_of, false, errors, count);
	for (size_t i = 0; i < count; i++)
		sums[i].error = errors[i];
	free(errors);
	free(part_of);
}

static void take_file_errors(const struct sp_profile *p, struct sp_names *names, struct sp_file_sum *sums, size_t count)
{
	for (size_t i = 0; i < p->file_error_count; i++) {
		uint32_t id = sp_names_id(names, p->file_errors[i].file);

		if (id < count)
			sums[id].error = p->file_errors[i].error;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct sp_file_sum *x = a, *y = b;

	if (x->self_ns != y->self_ns)
		return x->self_ns > y->self_ns ? -1 : 1;
	return strcmp(x->file, y->file);
}

struct sp_file_sum *sp_files_add_up(const struct sp_profile *profile, size_t *count)
{
	struct sp_names names = {0};
	struct sp_file_sum *sums = NULL;
	size_t capacity = 0;

	*count = 0;
	for (size_t i = 0; i < profile->line_count; i++) {
		const struct sp_line_info *line = &profile->lines[i];
		uint32_t id = sp_names_id(&names, line->file);

		sp_grow(&sums, &capacity, id + (size_t)1, sizeof(*sums));
		if (id == *count)
			sums[(*count)++] = (struct sp_file_sum){.file = line->file};
		sums[id].self_ns += line->self_user_ns + line->self_sys_ns;
		sums[id].samples += line->self_samples;
	}
	if (profile->snapshot && !profile->process_count && *count)
		add_file_errors(profile, &names, sums, *count);
	else if (*count)
		take_file_errors(profile, &names, sums, *count);
	if (*count)
		qsort(sums, *count, sizeof(*sums), by_time);
	sp_names_free(&names);
	return sums;
}
