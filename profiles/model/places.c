/* How source files are named to people. */
#include "profiles/model/places.h"

#include <stdlib.h>
#include <string.h>

/* Takes "./" and "a/.." out of a path, as it is written: what is shown need not exist here. */
static void put_clean(struct sp_buffer *out, const char *path)
{
	size_t base = out->length;

	if (*path == '/')
		sp_buffer_puts(out, "/");
	while (*path) {
		size_t n = strcspn(path, "/"), from = out->length;

		while (from > base && out->data[from - 1] == '/')
			from--;
		while (from > base && out->data[from - 1] != '/')
			from--;
		if (n == 2 && strncmp(path, "..", 2) == 0 && out->length > base && out->data[out->length - 1] == '/' &&
			out->length > from + 1 && strncmp(out->data + from, "../", 3) != 0) {
			out->length = from;
			out->data[from] = '\0';
		} else if (n && !(n == 1 && *path == '.')) {
			sp_buffer_add(out, path, n + (path[n] == '/'));
		}
		path += n + (path[n] == '/');
	}
}

const char *sp_place_below_cwd(const struct sp_profile *p, const char *path)
{
	const char *cwd = p->snapshot ? sp_snapshot_text(p->snapshot, p->snapshot->header.text.cwd) : "";
	size_t length = strlen(cwd);

	if (length > 1 && strncmp(path, cwd, length) == 0 && path[length] == '/' && path[length + 1])
		return path + length + 1;
	return NULL;
}

/* A module's sources, but the headers of the system: what begins their paths is a part of `root`, to a slash. */
struct root {
	char *text; /* NULL: no path yet */
	size_t length;
};

static void add_path(struct sp_profile *p, struct root *root, const char *path)
{
	struct sp_buffer clean = {0};
	size_t n = 0, slash = 0;

	put_clean(&clean, path);
	if (clean.length && clean.data[0] == '/' && strncmp(clean.data, "/usr/", 5) != 0 &&
		!sp_place_below_cwd(p, clean.data)) {
		if (!root->text) {
			root->text = sp_pool_copy(&p->pool, clean.data, clean.length);
			root->length = clean.length;
		}
		for (; n < root->length && n < clean.length && root->text[n] == clean.data[n]; n++)
			if (root->text[n] == '/')
				slash = n + 1;
		root->length = slash;
	}
	sp_buffer_free(&clean);
}

void sp_places_find(struct sp_profile *p)
{
	struct root *roots = sp_alloc(p->module_count, sizeof(*roots));
	const char *last = NULL;

	for (size_t i = 0; i < p->function_count; i++)
		if (p->functions[i].file)
			add_path(p, &roots[p->functions[i].module], p->functions[i].file);
	for (size_t i = 0; i < p->frame_count; i++) {
		if (p->frames[i].file && p->frames[i].file != last)
			add_path(p, &roots[p->functions[p->frames[i].function].module], p->frames[i].file);
		last = p->frames[i].file;
	}
	for (size_t i = 0; i < p->module_count; i++) {
		if (roots[i].text)
			roots[i].text[roots[i].length] = '\0';
		p->modules[i].source_root = roots[i].length > 1 ? roots[i].text : NULL;
	}
	free(roots);
}

const char *sp_place_shown(struct sp_buffer *clean, const struct sp_profile *p, const char *path)
{
	const char *shown;
	size_t least = 0;

	sp_buffer_puts(clean, "");
	put_clean(clean, path);
	shown = sp_place_below_cwd(p, clean->data);
	for (size_t i = 0; !shown && i < p->module_count; i++) {
		size_t length = p->modules[i].source_root ? strlen(p->modules[i].source_root) : 0;

		if (length && (!least || length < least) && clean->length > length &&
			memcmp(clean->data, p->modules[i].source_root, length) == 0)
			least = length;
	}
	return shown ? shown : clean->data + least;
}
