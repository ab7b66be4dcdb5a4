/* Files that put smartprof into a repository, a container or a machine: from templates with places to be filled in. */
#ifndef SP_TOOLS_INIT_H
#define SP_TOOLS_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "profiles/base/buffer.h"

/* How what is filled in is quoted. */
enum sp_init_syntax { SP_INIT_SHELL, SP_INIT_YAML, SP_INIT_DOCKER, SP_INIT_SYSTEMD, SP_INIT_CRON };

struct sp_init_file {
	const char *path; /* below the repository; of a hook its name */
	bool hook;
	enum sp_init_syntax syntax;
	const char *text;
	const char *unless; /* what to do by hand where there is such a file already; NULL: that is a failure */
};

struct sp_init_facts {
	const char *repository, *smartprof; /* from the root */
	const char *build;                  /* a line of shell */
	char **command;                     /* NULL-terminated */
};

/* Fills @NAME@ in: BUILD, COMMAND, HOOK, PROGRAM, REPOSITORY, SMARTPROF, USER. False after a complaint: something cannot be written
 * in that syntax. */
bool sp_init_fill(struct sp_buffer *out, const struct sp_init_file *file, const struct sp_init_facts *facts);

/* Writes the text to its place below the working directory, never over anything: a hook of somebody else's is kept beside ours,
 * which calls it first. False after a complaint. */
bool sp_init_write(const struct sp_init_file *file, const struct sp_buffer *text);

/* The files, in files.S. */
extern const char sp_init_github[], sp_init_gitlab[], sp_init_gitlab_ci[], sp_init_gate_hook[], sp_init_trailer_hook[],
	sp_init_note_hook[], sp_init_docker[], sp_init_guard_service[], sp_init_check_service[], sp_init_check_timer[],
	sp_init_cron[];

#endif
