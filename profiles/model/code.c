/* Hashes of machine code, by which a comparison knows functions that did not change. */
#include <stdlib.h>
#include <string.h>

#include "profiles/model/build.h"

/* What a package installed is as its build-id says; its files are large, and nobody changes a function of theirs. */
static bool is_installed(const char *path)
{
	return sp_is_system_path(path) || strncmp(path, "/bin/", 5) == 0 || strncmp(path, "/sbin/", 6) == 0 ||
		(strncmp(path, "/usr/", 5) == 0 && strncmp(path, "/usr/local/", 11) != 0) || path[0] != '/';
}

void sp_code_load(struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	bool *tried = sp_alloc(profile->function_count + 1, sizeof(*tried));

	for (size_t i = 0; symbolizer && i < profile->frame_count; i++) {
		const struct sp_profile_frame *frame = &profile->frames[i];
		struct sp_function *f = &profile->functions[frame->function];
		const struct sp_module_info *m = &profile->modules[f->module];

		if (frame->inlined || !frame->address || tried[frame->function] || m->handle < 0 ||
			(f->flags & (SP_FUNCTION_PSEUDO | SP_FUNCTION_FOLDED | SP_FUNCTION_UNNAMED)) ||
			is_installed(m->path))
			continue;
		tried[frame->function] = true;
		f->code = sp_symbolize_code(symbolizer, m->handle, frame->address + m->bias);
	}
	free(tried);
}
