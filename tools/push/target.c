/* Reading a target. */
#include <stdio.h>
#include <string.h>

#include "tools/push/engine.h"
#include "tools/tools.h"

static const struct sp_push_engine *find(const char *name, size_t length)
{
	const struct sp_push_engine *engine;

	for (size_t i = 0; (engine = sp_push_engine(i)); i++)
		if (strlen(engine->name) == length && memcmp(engine->name, name, length) == 0)
			return engine;
	return NULL;
}

static bool take_directory(struct sp_push_target *target, const char *path, const char **why)
{
	char absolute[PATH_MAX];

	*why = "there is no directory behind the colon";
	if (!*path)
		return false;
	*why = "the path is too long";
	return sp_absolute(absolute, path) &&
		snprintf(target->base, sizeof(target->base), "%s", absolute) < (int)sizeof(target->base);
}

/* The user goes out of the address, which is shown and kept. */
static bool take_address(struct sp_push_target *target, const char *url, const char **why)
{
	const char *host = strstr(url, "://"), *at;
	size_t length;

	*why = sp_http_objection(url);
	if (*why)
		return false;
	*why = "a query or a fragment is not for a target";
	if (strpbrk(url, "?#"))
		return false;
	host += 3;
	at = memchr(host, '@', strcspn(host, "/"));
	*why = "the user's name is too long";
	if (at && (size_t)(at - host) >= sizeof(target->user))
		return false;
	if (at)
		snprintf(target->user, sizeof(target->user), "%.*s", (int)(at - host), host);
	*why = "the address is too long";
	if (snprintf(target->base, sizeof(target->base), "%.*s%s", (int)(host - url), url, at ? at + 1 : host) >=
		(int)sizeof(target->base))
		return false;
	for (length = strlen(target->base); length && target->base[length - 1] == '/';)
		target->base[--length] = '\0';
	return true;
}

bool sp_push_target_parse(struct sp_push_target *target, const char *text, const char **why)
{
	size_t length = strcspn(text, "+:");

	*target = (struct sp_push_target){.engine = find(text, length)};
	*why = "it begins with none of the kinds that smartprof push --help lists";
	if (!target->engine || !text[length])
		return false;
	*why = target->engine->is_directory ? "it is written KIND:DIRECTORY"
					    : "it is written KIND+http://HOST or KIND+https://HOST";
	if (text[length] != (target->engine->is_directory ? ':' : '+'))
		return false;
	if (!(target->engine->is_directory ? take_directory : take_address)(target, text + length + 1, why))
		return false;
	*why = "it is too long";
	return snprintf(target->text, sizeof(target->text), "%s%c%s", target->engine->name, text[length],
		       target->engine->is_directory ? target->base : text + length + 1) < (int)sizeof(target->text);
}
