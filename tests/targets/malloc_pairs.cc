/* N times one kind of allocation, nothing else: what a hook costs is told by counting instructions.
 * Usage: malloc_pairs malloc|malloc_free|calloc_free|realloc|new_delete N */
#include <cstdlib>
#include <cstring>

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;
	static void *volatile p;

	if (!strcmp(kind, "malloc"))
		for (long i = 0; i < n; i++)
			p = malloc(64);
	else if (!strcmp(kind, "malloc_free"))
		for (long i = 0; i < n; i++)
			free(p = malloc(64));
	else if (!strcmp(kind, "calloc_free"))
		for (long i = 0; i < n; i++)
			free(p = calloc(1, 64));
	else if (!strcmp(kind, "realloc"))
		for (long i = 0; i < n; i++)
			p = realloc(p, 64 + (i & 1) * 64);
	else if (!strcmp(kind, "new_delete"))
		for (long i = 0; i < n; i++)
			::operator delete(p = ::operator new(64));
	else
		return 2;
	return 0;
}
