/* Whether a function's machine code is the same in two builds. */
#ifndef SP_SYMBOLIZE_ELF_CODE_HASH_H
#define SP_SYMBOLIZE_ELF_CODE_HASH_H

#include "symbolize/elf/object.h"

#define SP_CODE_HASH_BYTES_MAX (4u << 20) /* of a function; larger ones have no hash */

/* Hashes instructions. What only tells where other code and data lie counts as nothing: displacements relative to the
 * instruction, unless they stay within the code, and numbers within [image_low, image_high), the addresses of an object that is
 * loaded where it was linked for (both 0: of another). 0: some of it is no instruction. */
uint64_t sp_code_hash(const uint8_t *code, size_t bytes, uint64_t address, uint64_t image_low, uint64_t image_high);

/* The same for aarch64's, of objects that may be loaded anywhere. 0: it does not end with an instruction. */
uint64_t sp_code_hash_aarch64(const uint8_t *code, size_t bytes, uint64_t address);

#define SP_CODE_HASH_START 0xcbf29ce484222325ull /* FNV-1a */
static inline uint64_t sp_code_hash_add(uint64_t state, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		state = (state ^ bytes[i]) * 0x100000001b3ull;
	return state;
}

/* Of the code at ELF virtual addresses [low, high), as it stands in the object's file, which must still be as it was when it
 * was opened. 0: it is not to be had. */
uint64_t sp_object_code_hash(const struct sp_object *object, uint64_t low, uint64_t high);

/* What stands at ELF virtual addresses [low, high) in the object's file, which must still be as it was when it was opened; malloc'ed.
 * NULL: it is not to be had. */
uint8_t *sp_object_bytes(const struct sp_object *object, uint64_t low, uint64_t high);

/* The addresses of one that is loaded where it was linked for; both 0: of another. */
void sp_object_image(const struct sp_object *object, uint64_t *low, uint64_t *high);

#endif
