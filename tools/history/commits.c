/* git log, read. */
#include "tools/history/commits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/git.h"

#define IDS_AT_ONCE 1000u

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
	snprintf(commit->id, sizeof(commit->id), "%s", id);
	snprintf(commit->author, sizeof(commit->author), "%s", author);
	snprintf(commit->subject, sizeof(commit->subject), "%s", rest);
	commit->when_s = atoll(when);
	return true;
}

struct log {
	sp_commit_fn *each;
	void *context;
};

static void take(char *line, void *context)
{
	struct log *log = context;
	struct sp_commit commit;

	if (parse(&commit, line))
		log->each(&commit, log->context);
}

#define LOG_ARGUMENTS 5u

/* What `git log` says of the `count` words, for which there is room behind the first LOG_ARGUMENTS of `arguments`, and for two more. */
static bool read_log(const char **arguments, size_t count, sp_commit_fn *each, void *context)
{
	static const char *const log[LOG_ARGUMENTS] = {
		"log", "--no-color", "--no-decorate", "--no-show-signature", "--format=%H%x09%ct%x09%an%x09%s"};

	memcpy(arguments, log, sizeof(log));
	arguments[LOG_ARGUMENTS + count] = "--";
	arguments[LOG_ARGUMENTS + count + 1] = NULL;
	return sp_git_lines(arguments, take, &(struct log){each, context});
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
	const char *arguments[LOG_ARGUMENTS + 3];
	char range[2 * 65 + 2];

	*count = 0;
	if (!sp_commit_is_id(before) || !sp_commit_is_id(after))
		return false;
	snprintf(range, sizeof(range), "%s..%s", before, after);
	arguments[LOG_ARGUMENTS] = range;
	return read_log(arguments, 1, keep, &(struct list){commits, count});
}

void sp_commits_each(const char *const *ids, size_t count, sp_commit_fn *each, void *context)
{
	const char *arguments[LOG_ARGUMENTS + 2 + IDS_AT_ONCE + 2] = {
		[LOG_ARGUMENTS] = "--no-walk=unsorted", "--ignore-missing"};
	size_t known = 0;

	for (size_t i = 0; i < count; i++) {
		if (sp_commit_is_id(ids[i]))
			arguments[LOG_ARGUMENTS + 2 + known++] = ids[i];
		if (!known || (i + 1 < count && known < IDS_AT_ONCE))
			continue;
		read_log(arguments, 2 + known, each, context);
		known = 0;
	}
}
