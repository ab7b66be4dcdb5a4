/* Names that stay the same from one build to the next. */
#include "profiles/compare.h"

#include <ctype.h>
#include <string.h>

/* The length without the last compiler's suffix, or the same length. */
static size_t without_suffix(const char *name, size_t length)
{
	static const char *const suffixes[] = {"cold", "part", "isra", "constprop", "llvm", "lto_priv"};
	size_t end = length, dot;

	while (end && isdigit((unsigned char)name[end - 1]))
		end--;
	if (end == length || !end || name[end - 1] != '.')
		end = length;
	else
		end--;
	for (dot = end; dot && name[dot - 1] != '.'; dot--)
		;
	if (dot < 2)
		return length;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (strlen(suffixes[i]) == end - dot && memcmp(name + dot, suffixes[i], end - dot) == 0)
			return dot - 1;
	return length;
}

/* What is written in place of the text at `at`: *skip of it is consumed. */
static const char *respell(const char *at, const char *start, size_t *skip)
{
	static const char *const inner[] = {"std::__cxx11::", "std::__1::"};

	for (size_t i = 0; i < 2; i++) {
		*skip = strlen(inner[i]);
		if (strncmp(at, inner[i], *skip) == 0)
			return "std::";
	}
	*skip = 1;
	if (*at == ' ' && at > start && (at[-1] == ',' || (at[-1] == '>' && at[1] == '>')))
		return "";
	return NULL;
}

void sp_compare_name(struct sp_buffer *out, const char *name)
{
	const char *clone = strstr(name, " [clone ");
	size_t length = clone ? (size_t)(clone - name) : strlen(name), before;

	do {
		before = length;
		length = without_suffix(name, length);
	} while (length != before);
	for (size_t i = 0, skip; i < length; i += skip) {
		const char *other = respell(name + i, name, &skip);

		if (other)
			sp_buffer_puts(out, other);
		else
			sp_buffer_add(out, name + i, 1);
	}
	sp_buffer_puts(out, "");
}

bool sp_compare_is_unnamed(const char *name)
{
	const char *plus = strrchr(name, '+');

	return plus && strncmp(plus, "+0x", 3) == 0 && plus[3 + strspn(plus + 3, "0123456789abcdef")] == '\0';
}

void sp_compare_module(struct sp_buffer *out, const char *path, const char *program)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *so = strstr(name, ".so");

	if (program && *name && strcmp(name, program) == 0) {
		sp_buffer_puts(out, "(program)");
		return;
	}
	/* libfoo.so.1.2.3; libfoo.sourcery is something else */
	sp_buffer_add(out, name, so && so[3] == '.' ? (size_t)(so + 3 - name) : strlen(name));
	sp_buffer_puts(out, "");
}
