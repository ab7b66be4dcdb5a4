/* Does a text follow schema 1 of the Markdown profile (docs/PROFILE.md)? */
#ifndef SP_PROFILES_VALIDATE_H
#define SP_PROFILES_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/memory.h"
#include "profiles/markdown/schema.h"

struct sp_violation {
	size_t line;
	const char *what; /* inert: escaped as SP_ESCAPE_PLAIN */
};

#define SP_VIOLATIONS_MAX 200u /* kept; all are counted */

struct sp_validation {
	struct sp_pool pool;
	struct sp_violation violations[SP_VIOLATIONS_MAX];
	size_t count;                            /* all of them */
	size_t key_line[SP_SCHEMA_KEYS];         /* 0: absent */
	size_t section_line[SP_SCHEMA_SECTIONS]; /* 0: absent */
	struct sp_violation *unknown_keys;       /* no violations: later versions add some */
	struct sp_violation *unknown_sections;
	size_t unknown_key_count, unknown_key_capacity, unknown_section_count, unknown_section_capacity;
	size_t frame_count; /* rows of All frames */
	bool foreign;       /* of another schema, or of none: nothing else was checked */
	bool cpu, heap;     /* what was profiled */
};

/* Checks a text, which is untrusted and NUL-terminated, in time and memory linear in its length.
 * Text that follows the schema is also readable by sp_markdown_read. Free the result in any case. */
void sp_validate(struct sp_validation *v, const char *text, size_t length);
void sp_validation_free(struct sp_validation *v);

/* Why what is absent may be; NULL when it may not. */
const char *sp_schema_absence(const struct sp_validation *v, enum sp_when when, const char *absent);

/* Appends a violation, a printf; for validate*.c. */
void sp_violation_add(struct sp_validation *v, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One line of the text being checked. */
struct sp_line {
	const char *at, *end; /* the rest of the text */
	const char *text;     /* this line, without its newline */
	size_t length, number;
};

bool sp_line_next(struct sp_line *line); /* false at the end */
bool sp_line_is(const struct sp_line *line, const char *text);
bool sp_line_starts(const struct sp_line *line, const char *text);
void sp_validate_characters(struct sp_validation *v, const struct sp_line *line, bool tabs);

/* Checks the complete part: the lines from the one behind `<details>`. cpu_ns: the sum of the self
 * columns is at least this. */
void sp_validate_complete(struct sp_validation *v, struct sp_line *line, double cpu_ns);

/* Notes a heading of the readable or the complete part. Returns its index, or SP_SCHEMA_SECTIONS. */
size_t sp_validate_heading(struct sp_validation *v, const struct sp_line *line);

#endif
