/* smartprof report --merge: any number of written profiles as one. */
#include "tools/report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiles/markdown/markdown.h"
#include "profiles/model/merge.h"
#include "symbolize/base/memory.h"
#include "tools/tools.h"

static const char index_head[] = "---\nschema: smartprof-tree/";

struct inputs {
	struct sp_merge *merge;
	struct sp_map seen; /* files, by device and inode: one that is named twice counts once */
	size_t taken, bad;
};

bool sp_report_is_index(const struct sp_buffer *text)
{
	return text->length >= sizeof(index_head) - 1 && memcmp(text->data, index_head, sizeof(index_head) - 1) == 0;
}

static void leave_out(struct inputs *in, const char *path, size_t line, const char *why)
{
	char at[40] = "";

	in->bad++;
	if (line)
		snprintf(at, sizeof(at), "line %zu: ", line);
	sp_complain("report: %s: %s%s; it is left out", path, at, why);
}

static bool is_new(struct inputs *in, const char *path)
{
	struct stat st;
	int found = 0;

	if (stat(path, &st) == 0)
		sp_map_at(&in->seen, (uint64_t)st.st_dev, (uint64_t)st.st_ino, &found);
	return !found;
}

static void add_file(struct inputs *in, const char *path);

size_t sp_report_each_member(const char *path, const struct sp_buffer *text, void (*fn)(void *, const char *),
	void *context)
{
	const char *slash = strrchr(path, '/'), *at = text->data;
	size_t named = 0;

	while ((at = strstr(at, "| [profile]("))) {
		const char *name = at + strlen("| [profile]("), *end = strpbrk(name, ")\n/");
		struct sp_buffer file = {0};

		at = name;
		if (!end || *end != ')' || end == name)
			continue;
		named++;
		sp_buffer_add(&file, path, slash ? (size_t)(slash + 1 - path) : 0);
		sp_buffer_add(&file, name, (size_t)(end - name));
		fn(context, file.data);
		sp_buffer_free(&file);
	}
	return named;
}

static void add_member(void *context, const char *path)
{
	add_file(context, path);
}

static void add_file(struct inputs *in, const char *path)
{
	struct sp_buffer text = {0};
	struct sp_profile *profile = NULL;
	const char *why = NULL, *slash = strrchr(path, '/');
	size_t line = 0;
	int error;

	if (!is_new(in, path))
		return;
	error = sp_input_read(path, &text);
	if (error == SP_INPUT_SPOOL)
		why = "it is a spool, of which smartprof report makes a profile";
	else if (error < 0)
		why = sp_input_error(error);
	else if (sp_report_is_index(&text))
		why = sp_report_each_member(path, &text, add_member, in)
			? NULL
			: "it is the index of a run, and names no profiles";
	else
		profile = sp_markdown_read_at(text.data, text.length, &why, &line);
	sp_buffer_free(&text);
	if (why)
		leave_out(in, path, line, why);
	if (!profile)
		return;
	sp_merge_add(in->merge, profile, slash ? slash + 1 : path);
	in->taken++;
	sp_profile_free(profile);
}

static void add_found(void *context, const char *path, const char *why)
{
	if (why)
		leave_out(context, path, 0, why);
	else
		add_file(context, path);
}

int sp_report_merge(struct sp_buffer *out, char **paths, size_t count, bool full)
{
	struct inputs in = {.merge = sp_merge_new()};
	int status = 0;

	for (size_t i = 0; i < count; i++) {
		char named[PATH_MAX];
		const char *path = sp_input_named("report", paths[i], named);
		struct stat st;

		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			sp_input_each(path, add_found, &in);
		else
			add_file(&in, path);
	}
	if (in.taken)
		sp_markdown_write(out, sp_merge_finish(in.merge, in.bad), "merged.md", full);
	else
		status = SP_EXIT_USAGE;
	if (in.taken && in.bad)
		status = 1;
	sp_map_free(&in.seen);
	sp_merge_free(in.merge);
	return status;
}
