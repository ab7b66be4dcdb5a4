/* What tells processes of the same program apart. Private to profiles/markdown. */
#ifndef SP_PROFILES_MARKDOWN_WHAT_H
#define SP_PROFILES_MARKDOWN_WHAT_H

#include "profiles/model/model.h"

struct sp_what {
	struct sp_pool pool;
	const char **of; /* by process: a word of its command line, most often the file it worked on; "" for none */
};

void sp_what_tell(struct sp_what *what, const struct sp_profile *profile);
void sp_what_free(struct sp_what *what);

#endif
