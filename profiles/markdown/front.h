/* Reading the stacks of the complete part. They are front-coded: a row tells how many frames it shares with the row before,
 * from the root, and then only the others. */
#ifndef SP_PROFILES_FRONT_H
#define SP_PROFILES_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/model/samples.h"

/* The stack of the row before, root first. All-zero to begin with. */
struct sp_front {
	uint32_t *ids;
	size_t depth, capacity;
};

#define SP_FRONT_DEPTH_MAX 20000u /* frames of a stack, inlined ones included */

/* Takes a row's two fields, whose text need not end with a NUL; ids are below `frames`. Returns NULL, or a
 * phrase about what is wrong with them. */
const char *sp_front_next(struct sp_front *front, const char *shared, size_t shared_bytes, const char *rest,
	size_t rest_bytes, size_t frames);
void sp_front_free(struct sp_front *front);

/* Text of runs, "12 7*30" for a sample of stack 12 and thirty of stack 7: takes the one at *at. Returns NULL, or a phrase
 * about what is wrong with it. */
const char *sp_sample_run_parse(const char **at, const char *end, struct sp_sample_run *run);

/* A hexadecimal number of up to 16 lower-case digits. */
bool sp_hex_parse(const char *text, size_t length, uint64_t *number);

#endif
