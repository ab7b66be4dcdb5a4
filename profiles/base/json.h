/* Making JSON of what profiles hold. */
#ifndef SP_PROFILES_JSON_H
#define SP_PROFILES_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiles/base/buffer.h"

/* Makes jansson use allocations that cannot fail (symbolize/base/memory.h). Call this before any other function of
 * jansson. */
void sp_json_init(void);

/* A string, or null for NULL. Names from profiles need not be UTF-8 once unescaped: broken bytes show as \xNN. */
json_t *sp_json_text(const char *text);

/* A real number, or null when it is none. */
json_t *sp_json_number(double value);
json_t *sp_json_count(uint64_t value);

/* Sets a key of any bytes, as sp_json_text shows them, to the value, which it takes. */
void sp_json_set(json_t *object, const char *key, json_t *value);

/* Appends the value, which it takes, as one line. In `inert` text no character starts markup, so that it may stand in
 * a <script> element. */
void sp_json_put(struct sp_buffer *out, json_t *value, bool inert);

#endif
