/* What the page knows beside stacks of one profile: lines, threads, the timeline and samples in the order of time. */
#include "profiles/html/page.h"

#include <stdlib.h>

#include "profiles/base/json.h"
#include "profiles/model/samples.h"
#include "symbolize/base/memory.h"

/* [file, line, ns, samples, half the width of the 95 % interval] by function; files are numbers of `files`. */
static json_t *lines_json(const struct sp_profile *p, const uint32_t *numbers, struct sp_page_files *files)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < p->line_count; i++) {
		const struct sp_line_info *line = &p->lines[i];
		uint64_t ns = line->self_user_ns + line->self_sys_ns;

		if (numbers[line->function] == UINT32_MAX || !line->file)
			continue;
		json_array_append_new(lines,
			json_pack("[i, i, i, o, o, o]", (int)numbers[line->function],
				(int)sp_page_file(files, line->file), (int)line->line, sp_json_count(ns),
				sp_json_count(line->self_samples),
				sp_json_count((uint64_t)(line->self_error * (double)p->total_ns))));
	}
	return lines;
}

/* [tid, name, start, CPU ns, samples] */
static json_t *threads_json(const struct sp_profile *p)
{
	json_t *threads = json_array();

	for (size_t i = 0; i < p->thread_count; i++) {
		const struct sp_thread_info *t = &p->threads[i];

		json_array_append_new(threads,
			json_pack("[i, o, o, o, o]", t->tid, sp_json_text(t->name), sp_json_text(t->start),
				sp_json_count(t->cpu_user_ns + t->cpu_sys_ns), sp_json_count(t->samples)));
	}
	return threads;
}

/* [end ns, CPU ns, RSS, heap] */
static json_t *slices_json(const struct sp_samples *s)
{
	json_t *slices = json_array();

	for (size_t i = 0; i < s->slice_count; i++) {
		const struct sp_slice *slice = &s->slices[i];

		json_array_append_new(slices,
			json_pack("[o, o, o, o]", sp_json_count(slice->end_ns), sp_json_count(slice->cpu_ns),
				sp_json_count(slice->rss_bytes), sp_json_count(slice->heap_bytes)));
	}
	return slices;
}

/* By path of the profile, its row on the page. */
static uint32_t *page_rows(const struct sp_profile *p, const uint32_t *places)
{
	uint32_t *rows = sp_alloc(p->path_count, sizeof(*rows)), next = 0;

	for (size_t i = 0; i < p->path_count; i++)
		rows[i] = p->paths[i].kind != SP_STACKS_CPU ? UINT32_MAX : places[next++];
	return rows;
}

/* [slice, tid, [row, samples, row, samples…]] */
static json_t *samples_json(const struct sp_profile *p, const uint32_t *places)
{
	const struct sp_samples *s = p->in_time;
	uint32_t *rows = page_rows(p, places);
	json_t *all = json_array();

	for (size_t i = 0; i < s->row_count; i++) {
		json_t *runs = json_array();

		for (size_t k = s->rows[i].first; k < s->rows[i].first + s->rows[i].count; k++) {
			json_array_append_new(runs, json_integer(rows[s->runs[k].path]));
			json_array_append_new(runs, json_integer(s->runs[k].count));
		}
		json_array_append_new(all, json_pack("[i, i, o]", (int)s->rows[i].slice, s->rows[i].tid, runs));
	}
	free(rows);
	return all;
}

uint32_t sp_page_file(struct sp_page_files *files, const char *path)
{
	uint32_t id = sp_names_id(&files->names, path);

	if (!files->list)
		files->list = json_array();
	if (id >= json_array_size(files->list))
		json_array_append_new(files->list, sp_json_text(path));
	return id;
}

void sp_page_samples_put(json_t *data, const struct sp_profile *p, const uint32_t *numbers, const uint32_t *places,
	const char *directory)
{
	struct sp_page_files files = {0};

	json_object_set_new(data, "lines", lines_json(p, numbers, &files));
	json_object_set_new(data, "source", sp_page_source(p, numbers, &files, directory));
	json_object_set_new(data, "files", files.list ? files.list : json_array());
	json_object_set_new(data, "threads", threads_json(p));
	sp_names_free(&files.names);
	if (!p->in_time)
		return;
	json_object_set_new(data, "slices", slices_json(p->in_time));
	json_object_set_new(data, "samples", samples_json(p, places));
}
