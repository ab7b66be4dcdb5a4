/* Names that stay the same from one build to the next. */
#include "profiles/base/normal_name.h"

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

/* Rust's "::h0123456789abcdef" is of the crate's build. */
static size_t without_hash(const char *name, size_t length)
{
	const size_t hash = 16, all = hash + 3;

	if (length <= all || memcmp(name + length - all, "::h", 3) != 0)
		return length;
	for (size_t i = length - hash; i < length; i++)
		if (!isxdigit((unsigned char)name[i]))
			return length;
	return length - all;
}

/* Of Rust's "core[8f2ab3c4]::": the hash of the crate; nothing else has hexadecimal digits alone in brackets. */
static size_t crate_hash(const char *at)
{
	size_t n = 1;

	while (isxdigit((unsigned char)at[n]) && !isupper((unsigned char)at[n]))
		n++;
	return n > 8 && strncmp(at + n, "]::", 3) == 0 ? n + 1 : 0;
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
	*skip = *at == '[' && at > start ? crate_hash(at) : 0;
	if (*skip)
		return "";
	*skip = 1;
	if (*at == ' ' && at > start && (at[-1] == ',' || (at[-1] == '>' && at[1] == '>')))
		return "";
	return NULL;
}

void sp_normal_name(struct sp_buffer *out, const char *name)
{
	const char *clone = strstr(name, " [clone ");
	size_t length = clone ? (size_t)(clone - name) : strlen(name), before;

	do {
		before = length;
		length = without_hash(name, without_suffix(name, length));
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

/* Whether the digits at `at` are a compiler's count: {lambda()#2}, closure#1, 'lambda0', $_3, work._omp_fn.1, count.12,
 * camlList__map_34. */
static bool is_counted(const char *name, const char *at)
{
	size_t before = (size_t)(at - name), digits = strspn(at, "0123456789");

	if (before >= 1 && at[-1] == '#')
		return true;
	if (before >= 2 && at[-2] == '$' && at[-1] == '_')
		return true;
	if (before >= 7 && memcmp(at - 7, "'lambda", 7) == 0)
		return true;
	if (before >= 2 && at[-1] == '.')
		return !at[digits] || at[digits] == '.';
	return before >= 6 && at[-1] == '_' && !at[digits] && strncmp(name, "caml", 4) == 0;
}

bool sp_normal_family(struct sp_buffer *out, const char *name)
{
	bool any = false;

	for (const char *p = name; *p;) {
		size_t digits = strspn(p, "0123456789");

		if (!digits) {
			sp_buffer_add(out, p++, 1);
			continue;
		}
		if (is_counted(name, p))
			any = true;
		else
			sp_buffer_add(out, p, digits);
		p += digits;
	}
	/* clang's first lambda has no number */
	if (strstr(name, "'lambda'"))
		any = true;
	sp_buffer_puts(out, "");
	return any;
}

bool sp_name_is_unnamed(const char *name)
{
	const char *plus = strrchr(name, '+');

	return plus && strncmp(plus, "+0x", 3) == 0 && plus[3 + strspn(plus + 3, "0123456789abcdef")] == '\0';
}

/* Without "-1.2" or "1.2" at the end; "libz2" is another one than "libz". */
static size_t without_version(const char *name, size_t length)
{
	size_t end = length, dots = 0;

	while (end && (isdigit((unsigned char)name[end - 1]) || name[end - 1] == '.'))
		dots += name[--end] == '.';
	if (end < 2 || end == length)
		return length;
	if (name[end - 1] == '-')
		return end - 1;
	return dots ? end : length;
}

void sp_normal_module(struct sp_buffer *out, const char *path, const char *program)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *so = strstr(name, ".so");

	if (program && *name && strcmp(name, program) == 0) {
		sp_buffer_puts(out, "(program)");
		return;
	}
	if (!so || (so[3] && so[3] != '.')) { /* "libfoo.sourcery" has no such ending */
		sp_buffer_puts(out, name);
		return;
	}
	/* libfoo.so.1.2.3, libfoo-1.2.so: libfoo.so */
	sp_buffer_add(out, name, without_version(name, (size_t)(so - name)));
	sp_buffer_puts(out, ".so");
}
