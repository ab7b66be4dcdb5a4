/* Interned strings: each distinct text is kept once, with its demangled form. Threads may share them. */
#ifndef SP_SYMBOLIZE_STRINGS_H
#define SP_SYMBOLIZE_STRINGS_H

#include <pthread.h>
#include <stddef.h>

struct sp_string;

/* All zero is valid and empty. */
struct sp_strings {
	pthread_mutex_t lock;
	struct sp_string **slots; /* hash table, open addressing */
	size_t capacity, used;
};

void sp_strings_free(struct sp_strings *strings);

/* The kept copy of the first `bytes` of text; lives until sp_strings_free. NULL when text is NULL or
 * memory is out. */
const char *sp_strings_keep(struct sp_strings *strings, const char *text, size_t bytes);

/* The name a person should see for a linkage name: versions (`@GLIBC_2.14`) and the mark of a cold
 * split (`.cold`) dropped, then demangled. Each name is demangled once. Lives until
 * sp_strings_free; NULL when name is NULL, empty, or memory is out. */
const char *sp_strings_function(struct sp_strings *strings, const char *name);

/* Length of a linkage name without its version and the mark of a cold split. */
size_t sp_strings_cut(const char *name, size_t bytes);

#endif
