/* Ids and members of the rows. */
#include "profiles/fleet/put.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "profiles/base/json.h"

void sp_fleet_put_id(char id[static SP_FLEET_ID], const uint8_t bytes[static 16])
{
	char *to = id;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		to += snprintf(to, 3, "%02x", bytes[i]);
	}
}

void sp_fleet_hash_text(SHA2_CTX *hash, const char *text)
{
	uint32_t length = (uint32_t)strlen(text);

	SHA256Update(hash, (const uint8_t *)&length, sizeof(length));
	SHA256Update(hash, (const uint8_t *)text, length);
}

json_t *sp_fleet_text(const char *text)
{
	struct sp_buffer plain = {0};
	json_t *value;

	sp_escape(&plain, SP_ESCAPE_PLAIN, text, strlen(text));
	value = sp_json_text(plain.length ? plain.data : "");
	sp_buffer_free(&plain);
	return value;
}

void sp_fleet_put_member(struct sp_buffer *out, const char *name, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	sp_buffer_printf(out, ",\"%s\":", name);
	sp_buffer_puts(out, text);
	free(text);
	json_decref(value);
}
