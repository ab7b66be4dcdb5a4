/* JSON by jansson, with text of any bytes. */
#include "profiles/base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/base/escape.h"
#include "symbolize/base/memory.h"

void sp_json_init(void)
{
	json_set_alloc_funcs(sp_alloc_bytes, free);
}

json_t *sp_json_text(const char *text)
{
	json_t *value = text ? json_string(text) : json_null();
	struct sp_buffer plain = {0};

	if (value)
		return value;
	sp_escape(&plain, SP_ESCAPE_PLAIN, text, strlen(text));
	value = json_string(plain.data);
	sp_buffer_free(&plain);
	return value;
}

json_t *sp_json_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_t *sp_json_count(uint64_t value)
{
	return value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
}

void sp_json_set(json_t *object, const char *key, json_t *value)
{
	json_t *text = sp_json_text(key);

	json_object_set_new_nocheck(object, json_string_value(text), value);
	json_decref(text);
}

/* These stand in strings only. */
static void put_inert(struct sp_buffer *out, const char *text)
{
	for (;;) {
		size_t n = strcspn(text, "<>&");

		sp_buffer_add(out, text, n);
		if (!text[n])
			return;
		sp_buffer_puts(out, text[n] == '<' ? "\\u003c" : text[n] == '>' ? "\\u003e" : "\\u0026");
		text += n + 1;
	}
}

void sp_json_put(struct sp_buffer *out, json_t *value, bool inert)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9) | (inert ? JSON_ENSURE_ASCII : 0));

	if (inert)
		put_inert(out, text);
	else
		sp_buffer_puts(out, text);
	free(text);
	json_decref(value);
}
