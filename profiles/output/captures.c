/* Profiles of marked moments. */
#include "profiles/output/captures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiles/base/directory.h"
#include "profiles/base/keep.h"
#include "profiles/spool/marks.h"

#define FOLDER "auto-memory"
#define SUFFIX ".capture.md"

static bool is_wanted(const struct sp_mark *mark, const struct sp_render_options *options)
{
	return mark->kind == SP_MARK_SNAPSHOT ||
		(mark->captured && !(mark->kind == SP_MARK_MEMORY && options->no_memory_captures));
}

/* Of the folder, whose path is put out, "" where it is the run's own; a descriptor or a negative number. */
static int open_folder(const struct sp_output *output, char path[static PATH_MAX + sizeof(FOLDER)])
{
	char *slash;
	bool made;
	int folder;

	*path = '\0';
	if (output->chosen)
		return output->through ? -1 : dup(output->fd);
	snprintf(path, PATH_MAX, "%s", output->directory);
	slash = strrchr(path, '/');
	if (!slash || slash == path)
		return -1;
	strcpy(slash, "/" FOLDER);
	folder = sp_directory_open(path, &made);
	if (folder >= 0 && made)
		sp_output_ignore(folder);
	return folder;
}

/* "prog.20260101-120000.17.md" and "loaded": "prog.20260101-120000.17.loaded.capture.md". */
static void put_name(char *name, size_t size, const char *run, const char *label)
{
	size_t length = strlen(run);

	if (length > 3 && strcmp(run + length - 3, ".md") == 0)
		length -= 3;
	if (length + strlen(label) + sizeof(SUFFIX) + 1 > size)
		length = size - strlen(label) - sizeof(SUFFIX) - 1;
	snprintf(name, size, "%.*s.%s" SUFFIX, (int)length, run, label);
}

static void write_one(int fd, int folder, size_t mark, const struct sp_output *output,
	const struct sp_render_options *options)
{
	struct sp_snapshot snapshot = {0};
	struct sp_buffer text = {0};
	char name[NAME_MAX + 1], label[SP_MARK_LABEL_BYTES];
	const char *why;

	if (sp_snapshot_read(&snapshot, fd, &why) == 0 && mark < snapshot.mark_count) {
		sp_mark_label(&snapshot, &snapshot.marks[mark], label);
		put_name(name, sizeof(name), output->name, label);
		sp_mark_rewind(&snapshot, &snapshot.marks[mark]);
		if (sp_render_snapshot(&snapshot, options, &text, &why) == 0)
			sp_output_put(folder, name, &text, true);
	}
	sp_buffer_free(&text);
	sp_snapshot_free(&snapshot);
}

void sp_captures_write(int fd, const struct sp_output *output, const struct sp_render_options *options)
{
	char path[PATH_MAX + sizeof(FOLDER)] = "";
	struct sp_snapshot snapshot = {0};
	const char *why;
	unsigned count = 0;
	int folder = -1;

	if (sp_snapshot_read(&snapshot, fd, &why) == 0)
		for (size_t i = 0; i < snapshot.mark_count && count < SP_CAPTURES_MAX; i++) {
			if (!is_wanted(&snapshot.marks[i], options))
				continue;
			if (!count++)
				folder = open_folder(output, path);
			if (folder >= 0)
				write_one(fd, folder, i, output, options);
		}
	sp_snapshot_free(&snapshot);
	if (folder >= 0 && *path)
		sp_keep_newest(path, folder, "", SUFFIX, UINT64_MAX, SP_CAPTURES_BYTES);
	if (folder >= 0)
		close(folder);
}
