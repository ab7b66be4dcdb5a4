/* Labels of figures. */
#include "profiles/base/exposition.h"

#include "profiles/base/json.h"

/* Backslash, quote and line end are escaped (OpenMetrics 1.0, 5.1). */
void sp_exposition_label(struct sp_buffer *out, const char *name, const char *value)
{
	json_t *text = sp_json_text(value);
	const char *clean = json_string_value(text);

	sp_buffer_printf(out, "%s=\"", name);
	for (const char *at = clean ? clean : ""; *at; at++)
		if (*at == '\\' || *at == '"')
			sp_buffer_printf(out, "\\%c", *at);
		else if (*at == '\n')
			sp_buffer_puts(out, "\\n");
		else
			sp_buffer_add(out, at, 1);
	sp_buffer_puts(out, "\"");
	json_decref(text);
}
