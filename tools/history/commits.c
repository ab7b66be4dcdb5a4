/* git log, read. */
#include "tools/history/commits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sp_commit_is_id(const char *text)
{
	size_t length = strspn(text, "0123456789abcdef");

	return length >= 7 && length <= 64 && !text[length];
}

/* A line: id, author, subject, with tabs between. */
static bool parse(struct sp_commit *commit, char *line)
{
	char *author = strchr(line, '\t'), *subject = author ? strchr(author + 1, '\t') : NULL;

	if (!subject)
		return false;
	*author++ = *subject++ = '\0';
	subject[strcspn(subject, "\n")] = '\0';
	snprintf(commit->id, sizeof(commit->id), "%s", line);
	snprintf(commit->author, sizeof(commit->author), "%s", author);
	snprintf(commit->subject, sizeof(commit->subject), "%s", subject);
	return true;
}

bool sp_commits_between(const char *before, const char *after, struct sp_commit commits[static SP_COMMITS_MOST],
	size_t *count)
{
	char *command = NULL, *line = NULL;
	size_t room = 0;
	FILE *git;

	*count = 0;
	if (!sp_commit_is_id(before) || !sp_commit_is_id(after) ||
		asprintf(&command,
			"git log --no-color --no-decorate --format='%%H%%x09%%an%%x09%%s' %s..%s -- 2>/dev/null",
			before, after) < 0)
		return false;
	git = popen(command, "re");
	free(command);
	if (!git)
		return false;
	while (getline(&line, &room, git) > 0) {
		struct sp_commit commit;

		if (parse(&commit, line)) {
			if (*count < SP_COMMITS_MOST)
				commits[*count] = commit;
			++*count;
		}
	}
	free(line);
	return pclose(git) == 0;
}
