/* What the parts of the validator share. Private to profiles/markdown. */
#ifndef SP_PROFILES_CHECKS_H
#define SP_PROFILES_CHECKS_H

#include "profiles/markdown/schema.h"
#include "profiles/markdown/validate.h"

/* Appends a violation, a printf. */
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

/* What is wrong with a value of that type, a phrase; NULL: nothing. */
const char *sp_value_fault(enum sp_key_type type, const char *value);

#endif
