/* What the rows are made of: ids that are hashes, and members of JSON objects. Shared by the files that write rows. */
#ifndef SP_PROFILES_FLEET_PUT_H
#define SP_PROFILES_FLEET_PUT_H

#include <jansson.h>
#include <sha2.h>
#include <stdint.h>

#include "profiles/base/buffer.h"

#define SP_FLEET_ID 37

/* As a UUID, with its NUL. */
void sp_fleet_put_id(char id[static SP_FLEET_ID], const uint8_t bytes[static 16]);

/* With its length: no two contents are the same bytes. */
void sp_fleet_hash_text(SHA2_CTX *hash, const char *text);

/* Of anybody's text: what is no UTF-8 or not to be seen is escaped. */
json_t *sp_fleet_text(const char *text);

/* A comma, the name and the value, which it takes. */
void sp_fleet_put_member(struct sp_buffer *out, const char *name, json_t *value);

#endif
