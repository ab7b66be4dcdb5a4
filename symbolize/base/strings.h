/* Interned strings: each distinct text is kept once, with its demangled form. Threads may share them. */
#ifndef SP_SYMBOLIZE_BASE_STRINGS_H
#define SP_SYMBOLIZE_BASE_STRINGS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct sp_string;

/* So that threads seldom wait for each other. */
#define SP_STRINGS_PARTS 16u

/* All zero is valid and empty. */
struct sp_strings {
	struct sp_strings_part {
		pthread_mutex_t lock;
		struct sp_string **slots; /* hash table, open addressing */
		size_t capacity, used;
	} parts[SP_STRINGS_PARTS]; /* by hash */
};

void sp_strings_free(struct sp_strings *strings);

uint64_t sp_strings_hash(const char *text, size_t bytes);

/* The kept copy of the first `bytes` of text; lives until sp_strings_free. NULL when text is NULL. */
const char *sp_strings_keep(struct sp_strings *strings, const char *text, size_t bytes);

/* The name a person should see for a linkage name: versions (`@GLIBC_2.14`) and the mark of a cold
 * split (`.cold`) dropped, then demangled. Each name is demangled once. Lives until
 * sp_strings_free; NULL when name is NULL or empty. */
const char *sp_strings_function(struct sp_strings *strings, const char *name);

/* Length of a linkage name without its version and the mark of a cold split. */
size_t sp_strings_cut(const char *name, size_t bytes);

/* Length of a linkage name without what compilers add to those of clones (`foo.isra.0`, `foo.part.0.cold`) and of
 * functions inside functions (`foo.0`). */
size_t sp_strings_cut_origin(const char *name, size_t bytes);

/* As sp_strings_function, for what sp_strings_cut_origin leaves, as DWARF names clones. */
const char *sp_strings_origin(struct sp_strings *strings, const char *name);

#endif
