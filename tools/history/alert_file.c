/* [alert] of smartprof.toml, in the working directory: what the flags say unless they are given. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/gate/config.h"
#include "profiles/gate/toml.h"
#include "tools/history/alert.h"
#include "tools/tools.h"

static bool set_key(const char *key, const json_t *value, const struct sp_alert_settings *settings)
{
	if (strcmp(key, "threshold") == 0 && json_is_number(value) && json_number_value(value) >= 1 &&
		json_number_value(value) <= 1000)
		*settings->threshold = json_number_value(value) / 100;
	else if (strcmp(key, "quiet_time") == 0 && json_is_string(value) &&
		settings->set_quiet(settings->context, json_string_value(value)) == 0)
		return true;
	else if (strcmp(key, "file") == 0 && json_is_string(value))
		settings->ways->file = json_string_value(value);
	else if (strcmp(key, "command") == 0 && json_is_string(value))
		settings->ways->command = json_string_value(value);
	else
		return false;
	return true;
}

static json_t *parse(const struct sp_buffer *text)
{
	const char *why;
	size_t line;
	json_t *root = sp_toml_parse(text->data ? text->data : "", text->length, &why, &line);

	if (!root)
		sp_complain("history alert: " SP_GATE_FILE ": line %zu: %s", line, why);
	return root;
}

bool sp_alert_settings_read(const struct sp_alert_settings *settings, json_t **root)
{
	struct sp_buffer text = {0};
	int error = sp_input_read(SP_GATE_FILE, &text);
	bool good = true;
	const char *key;
	json_t *value;

	*root = NULL;
	if (error == 0) {
		*root = parse(&text);
		good = *root != NULL;
	} else if (error != -ENOENT) {
		sp_complain("history alert: " SP_GATE_FILE ": it cannot be read");
		good = false;
	}
	sp_buffer_free(&text);
	json_object_foreach(json_object_get(*root, "alert"), key, value)
	{
		if (good && !set_key(key, value, settings)) {
			sp_complain("history alert: " SP_GATE_FILE
				    ": [alert]: '%s' is not understood; there are threshold "
				    "(1 to 1000), quiet_time (\"24h\"), file and command",
				key);
			good = false;
		}
	}
	return good;
}
