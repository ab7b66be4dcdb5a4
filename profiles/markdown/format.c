/* Pieces of lines that every section uses. */
#include "profiles/markdown/writer.h"

#include <string.h>

#include "profiles/model/heap.h"
#include "profiles/base/shorten.h"
#include "profiles/model/places.h"

void sp_put_location(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p, const char *file,
	unsigned line)
{
	struct sp_buffer clean = {0};

	sp_escape_name(out, how, sp_place_shown(&clean, p, file));
	if (line)
		sp_buffer_printf(out, ":%u", line);
	sp_buffer_free(&clean);
}

void sp_put_function_location(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p,
	const struct sp_function *f)
{
	const struct sp_module_info *m = f->module < p->module_count ? &p->modules[f->module] : NULL;
	const char *relative = m ? sp_place_below_cwd(p, m->path) : NULL;

	if (f->file)
		sp_put_location(out, how, p, f->file, f->line);
	else if (m)
		sp_escape_name(out, how, relative ? relative : m->name);
	if (m && (f->flags & SP_FUNCTION_UNNAMED) && sp_module_is_gone(m))
		sp_buffer_puts(out, " [gone]");
}

void sp_put_module(struct sp_buffer *out, enum sp_escape how, const struct sp_profile *p, uint32_t module)
{
	sp_escape_name(out, how, module < p->module_count ? p->modules[module].name : "");
}

void sp_put_rough(struct sp_buffer *out, uint64_t samples)
{
	sp_buffer_printf(out, "rough: %llu sample%s", (unsigned long long)samples, samples == 1 ? "" : "s");
}

void sp_put_heap_total(struct sp_buffer *out, const struct sp_profile *p, uint64_t bytes, double error)
{
	sp_put_size(out, bytes);
	if (error < 1 || error < (double)bytes / 100)
		return;
	if (sp_heap_is_rough(bytes, error, p->snapshot->header.heap.samples)) {
		sp_buffer_puts(out, bytes ? " (rough: at most " : " (at most ");
		sp_put_size(out, sp_whole((double)bytes + error));
		sp_buffer_puts(out, ")");
		return;
	}
	sp_buffer_puts(out, " ± ");
	sp_put_size(out, sp_whole(error));
}

/* "#" and eight hexadecimal digits, as sp_shorten_name ends what it shortens. */
static bool has_hash(const char *text)
{
	for (const char *at = text; (at = strchr(at, '#')); at++)
		if (strspn(at + 1, "0123456789abcdef") == 8)
			return true;
	return false;
}

void sp_put_hash_note(struct sp_buffer *out, size_t from)
{
	if (has_hash(out->data + from))
		sp_buffer_printf(out,
			"Names of more than %u characters are shortened; the hashes at their ends tell those apart, "
			"and All "
			"functions has them whole.\n\n",
			SP_NAME_CHARS);
}
