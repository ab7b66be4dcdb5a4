/* Checking the values of the front matter. */
#include "profiles/markdown/checks.h"

#include <ctype.h>
#include <string.h>

#include "profiles/model/facts.h"

static bool is_one_of(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(value, *words) == 0)
			return true;
	return false;
}

static bool is_count(const char *value)
{
	size_t digits = strspn(value, "0123456789");

	return digits && digits <= 20 && !value[digits];
}

static bool is_decimal(const char *value)
{
	size_t whole = strspn(value, "0123456789"), part = 0;
	bool point = value[whole] == '.';
	const char *rest = value + whole + point;

	if (point)
		part = strspn(rest, "0123456789");
	rest += part;
	return whole && (!point || part) && !*rest;
}

static bool has_shape(const char *value, const char *shape, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool sign = shape[i] == '+' && value[i] == '-';

		if (shape[i] == '0' ? !isdigit((unsigned char)value[i]) : value[i] != shape[i] && !sign)
			return false;
	}
	return true;
}

/* "2024-05-06T07:08:09.123+02:00"; of older profiles without the part of a second. */
static bool is_time(const char *value)
{
	static const char shape[] = "0000-00-00T00:00:00", zone[] = "+00:00";
	const char *rest = value + sizeof(shape) - 1;

	if (!has_shape(value, shape, sizeof(shape) - 1))
		return false;
	if (*rest == '.')
		rest += 1 + (rest[1] ? strspn(rest + 1, "0123456789") : 0);
	return has_shape(rest, zone, sizeof(zone)) && rest[-1] != '.';
}

static bool is_exit(const char *value)
{
	static const char *const words[] = {"running", "exec", "unknown", NULL};

	return is_one_of(value, words) || is_count(value + (strncmp(value, "signal ", 7) == 0 ? 7 : 0)) ||
		(*value == '-' && is_count(value + 1));
}

/* What is wrong with a value, or NULL. */
const char *sp_value_fault(enum sp_key_type type, const char *value)
{
	static const char *const clocks[] = {"event", "timer", "process", "off", "unknown", NULL};
	static const char *const roles[] = {"root", "member", NULL};

	switch (type) {
	case SP_KEY_TEXT:
		return *value ? NULL : "is empty";
	case SP_KEY_COUNT:
		return is_count(value) ? NULL : "is not a whole number";
	case SP_KEY_SIGNED:
		return is_count(value + (*value == '-')) ? NULL : "is not a whole number";
	case SP_KEY_DECIMAL:
		return is_decimal(value) ? NULL : "is not a number";
	case SP_KEY_EXIT:
		return is_exit(value) ? NULL : "is not an exit code, `signal N`, running, exec or unknown";
	case SP_KEY_TIME:
		return is_time(value) ? NULL : "is not a time as RFC 3339 writes it";
	case SP_KEY_CLOCK:
		return is_one_of(value, clocks) ? NULL : "is not event, timer, process, off or unknown";
	case SP_KEY_ROLE:
		return is_one_of(value, roles) ? NULL : "is not root or member";
	case SP_KEY_HEX:
		return *value && !value[strspn(value, "0123456789abcdef")] ? NULL : "is not hexadecimal";
	case SP_KEY_SCHEMA:
		return strcmp(value, SP_PROFILE_SCHEMA) == 0 ? NULL : "is not " SP_PROFILE_SCHEMA;
	}
	return NULL;
}
