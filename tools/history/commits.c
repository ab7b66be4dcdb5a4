/* git log, read. */
#include "tools/history/commits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/buffer.h"
#include "symbolize/base/memory.h"

#define ARGUMENTS_MOST 60000u /* a shell's line is at most twice as long */

bool sp_commit_is_id(const char *text)
{
	size_t length = strspn(text, "0123456789abcdef");

	return length >= 7 && length <= 64 && !text[length];
}

/* A line: id, time, author, subject, with tabs between. */
static bool parse(struct sp_commit *commit, char *line)
{
	char *rest = line, *id = strsep(&rest, "\t"), *when = strsep(&rest, "\t"), *author = strsep(&rest, "\t");

	if (!rest)
		return false;
	rest[strcspn(rest, "\n")] = '\0';
	snprintf(commit->id, sizeof(commit->id), "%s", id);
	snprintf(commit->author, sizeof(commit->author), "%s", author);
	snprintf(commit->subject, sizeof(commit->subject), "%s", rest);
	commit->when_s = atoll(when);
	return true;
}

/* What git log prints of these arguments, which a shell reads. False: nothing, or git does not like them. */
static bool read_log(const char *arguments, sp_commit_fn *each, void *context)
{
	char *command = sp_text(
		"git log --no-color --no-decorate --no-show-signature --format='%%H%%x09%%ct%%x09%%an%%x09%%s' %s "
		"-- 2>/dev/null",
		arguments);
	FILE *git = popen(command, "re");
	char *line = NULL;
	size_t room = 0;

	free(command);
	while (git && getline(&line, &room, git) > 0) {
		struct sp_commit commit;

		if (parse(&commit, line))
			each(&commit, context);
	}
	free(line);
	return git && pclose(git) == 0;
}

struct list {
	struct sp_commit *commits;
	size_t *count;
};

static void keep(const struct sp_commit *commit, void *context)
{
	struct list *list = context;

	if (*list->count < SP_COMMITS_MOST)
		list->commits[*list->count] = *commit;
	++*list->count;
}

bool sp_commits_between(const char *before, const char *after, struct sp_commit commits[static SP_COMMITS_MOST],
	size_t *count)
{
	char range[2 * 65 + 2];

	*count = 0;
	if (!sp_commit_is_id(before) || !sp_commit_is_id(after))
		return false;
	snprintf(range, sizeof(range), "%s..%s", before, after);
	return read_log(range, keep, &(struct list){commits, count});
}

void sp_commits_each(const char *const *ids, size_t count, sp_commit_fn *each, void *context)
{
	struct sp_buffer arguments = {0};

	for (size_t i = 0; i < count; i++) {
		if (sp_commit_is_id(ids[i]))
			sp_buffer_printf(&arguments, "%s %s",
				arguments.length ? "" : "--no-walk=unsorted --ignore-missing", ids[i]);
		if (!arguments.length || (i + 1 < count && arguments.length < ARGUMENTS_MOST))
			continue;
		read_log(arguments.data, each, context);
		sp_buffer_clear(&arguments);
	}
	sp_buffer_free(&arguments);
}
