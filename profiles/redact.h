/* Takes secrets out of a command line before it is written anywhere. */
#ifndef SP_PROFILES_REDACT_H
#define SP_PROFILES_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "profiles/buffer.h"

#define SP_REDACTED "[redacted]"

/* True for a flag's or variable's name that says its value is secret: "--db-password", "API_KEY". */
bool sp_redact_is_secret_name(const char *name, size_t length);

/* Appends the arguments (each NUL-terminated, an empty one or the end of `size` ends the list),
 * joined by spaces, with secret-looking values replaced by [redacted]: the value of a secret-named
 * flag or variable (joined by = or :, or the next argument), credentials inside a URL, and bearer
 * tokens of well-known shapes. Guesses on the side of hiding. Not escaped. */
void sp_redact_command(struct sp_buffer *out, const char *args, size_t size);

#endif
