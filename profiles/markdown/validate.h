/* Does a text follow schema 1 of the Markdown profile (docs/PROFILE.md)? */
#ifndef SP_PROFILES_VALIDATE_H
#define SP_PROFILES_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>

#include "symbolize/base/memory.h"
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
	size_t function_count, frame_count; /* rows of All functions, of All frames */
	size_t cpu_stack_count, slice_count;
	bool foreign;   /* of another schema, or of none: nothing else was checked */
	bool cpu, heap; /* what was profiled */
};

/* Checks a text, which is untrusted and NUL-terminated, in time and memory linear in its length.
 * Text that follows the schema is also readable by sp_markdown_read. Free the result in any case. */
void sp_validate(struct sp_validation *v, const char *text, size_t length);
void sp_validation_free(struct sp_validation *v);

/* Why what is absent may be; NULL when it may not. */
const char *sp_schema_absence(const struct sp_validation *v, enum sp_when when, const char *absent);

#endif
