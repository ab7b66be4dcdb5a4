/* Takes secrets out of text that other people's programs were started with, before it is written anywhere. */
#ifndef SP_PROFILES_REDACT_H
#define SP_PROFILES_REDACT_H

#include <stddef.h>

#include "profiles/base/buffer.h"

#define SP_REDACTED "[redacted]"

/* Appends the arguments (each NUL-terminated, and a NUL behind the last one's, `size` bytes in all), joined by spaces,
 * an empty one as '', with what looks like a secret replaced by [redacted]: the value of a secret-named flag, variable or key (behind = or
 * : the rest of the argument, else the next argument), passwords inside URLs and behind user names, what follows the
 * flags that mean a password to well-known programs, and tokens of well-known shapes or of much randomness. Guesses on
 * the side of hiding; tests/fixtures/secrets.txt has what is hidden and what stays. Takes time linear in `size`. Not
 * escaped. */
void sp_redact_command(struct sp_buffer *out, const char *args, size_t size);

/* The same for one piece of text: a program's or thread's name, a branch, a message with a path in it. */
void sp_redact_text(struct sp_buffer *out, const char *text, size_t length);

#endif
