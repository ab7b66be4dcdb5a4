/* What redact.c asks about the pieces of a command line: names, values, shapes. Pure functions, each at most linear in
 * what it is given. */
#ifndef SP_PROFILES_REDACT_PARTS_H
#define SP_PROFILES_REDACT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/base/buffer.h"

enum sp_secrecy {
	SP_OPEN,   /* not the name of a secret */
	SP_ABOUT,  /* about a secret, or a switch (--token-limit, --ask-pass): hidden when the value looks like one */
	SP_WEAK,   /* may be something else (--key, --pass): numbers and paths stay */
	SP_SECRET, /* hidden whatever it is */
};

/* A flag's, variable's or key's name: "--db-password", "API_KEY", "dbPassword". */
enum sp_secrecy sp_redact_name(const char *name, size_t length);

/* A word that says that the next one is a secret: "Bearer" in a header's value; "requirepass" by itself. */
bool sp_redact_is_scheme(const char *word, size_t length);
bool sp_redact_is_bare_name(const char *word, size_t length);

/* Whether the value is hidden behind a name of that secrecy. */
bool sp_redact_hides(enum sp_secrecy secrecy, const char *value, size_t length);

/* Letters and digits mixed, or such signs among letters as passwords have, and no number with a unit, file, or
 * version. */
bool sp_redact_looks_secret(const char *text, size_t length);

/* Appends the text with tokens of well-known shapes (a JWT, AKIA..., ghp_...) and of 40 and more random characters
 * hidden. */
void sp_redact_put(struct sp_buffer *out, const char *text, const char *end);

/* What single-letter flags mean to a program, by its name without directory; NULL: not known. */
struct sp_redact_program {
	const char *name;
	const char *secret; /* letters of flags that a secret follows, attached or as the next argument */
	const char *user;   /* of those that "user:secret" follows */
	const char *open;   /* of those that no secret follows, though it might look like one */
};
const struct sp_redact_program *sp_redact_program(const char *name, size_t length);

/* Programs with secrets among their operands, by the same names. */
struct sp_redact_operands {
	const char *name;
	const char *after;  /* the secret follows this word; NULL: */
	size_t from;        /* operands of this number, counted from 1, and above are hidden */
	const char *counts; /* letters of flags that stand for an operand */
};
const struct sp_redact_operands *sp_redact_operands(const char *name, size_t length);

#endif
