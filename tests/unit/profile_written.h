/* A profile written of a composed spool, for the tests of what stands in it. */
#ifndef SP_TESTS_UNIT_PROFILE_WRITTEN_H
#define SP_TESTS_UNIT_PROFILE_WRITTEN_H

#include <stdbool.h>

#include "profiles/base/buffer.h"
#include "profiles/model/model.h"
#include "profiles/spool/read.h"
#include "tests/unit/profile_spool.h"

#define STACK(...) ((const int[]){__VA_ARGS__, -1})

struct written {
	struct spool spool;
	struct sp_snapshot snapshot;
	struct sp_profile *profile;
	struct sp_buffer text;
};

extern struct written written;

/* For each test, before and after. */
int written_set_up(void **state);
int written_tear_down(void **state);

/* Two stacks, one with names that need escapes, and a heap site. */
void written_fill(void);

/* Renders the spool; again, after a change of it. */
void written_render(bool full);
void written_render_again(void);

void assert_written_says(const char *what);

#endif
