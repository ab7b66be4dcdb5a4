/* Which function of a stack is its allocation site: what stands between it and malloc says how, not who. */
#include "profiles/model/heap.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Functions that allocate for somebody else; `*` at the end matches any rest. Matched against the
 * demangled name from sp_name_start on, without its parameters. */
static const char *const allocator_names[] = {"malloc", "calloc", "realloc", "reallocarray", "memalign",
	"aligned_alloc", "posix_memalign", "valloc", "pvalloc", "operator new*", "strdup", "strndup", "__strdup",
	"__strndup", "asprintf", "vasprintf", "wcsdup", "xmalloc*", "xcalloc*", "xrealloc*", "xstrdup*", "xstrndup*",
	"xmemdup*", "xnmalloc", "xzalloc", "x2realloc", "x2nrealloc", "zmalloc*", "zcalloc*", "zrealloc*",
	"ztrymalloc*", "ztrycalloc*", "g_malloc*", "g_realloc*", "g_try_malloc*", "g_slice_alloc*", "g_strdup",
	"g_strndup", "g_memdup*", "PyMem_*", "_PyMem_*", "PyObject_Malloc", "PyObject_Calloc", "PyObject_Realloc",
	"_PyObject_Malloc", "_PyObject_Calloc", "_PyObject_Realloc", "std::allocator*", "std::__new_allocator*",
	"__gnu_cxx::new_allocator*", "__gnu_cxx::__alloc_traits*", "std::allocator_traits*", "je_*", "tc_*", "mi_*",
	"__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_memalign", "_int_malloc", "_int_realloc",
	"sysmalloc", "tcmalloc::*", "rust_alloc*", "__rust_alloc*", "__rdl_alloc*", "__rg_alloc*", "alloc::alloc::*",
	"sqlite3MemMalloc", "sqlite3MemRealloc", "sqlite3Malloc", "sqlite3_malloc*", "sqlite3Realloc",
	"sqlite3_realloc*", "sqlite3MallocZero", "sqlite3DbMallocRaw*", "sqlite3DbMallocZero", "sqlite3DbRealloc*",
	"sqlite3DbStrDup", "sqlite3DbStrNDup", "mallocx", "rallocx", "mallocWithAlarm", "ggc_internal_alloc*",
	"ggc_internal_cleared_alloc*", "ggc_realloc*", "ggc_alloc*", "ggc_cleared_alloc*", "do_xmalloc", "do_xcalloc",
	"CRYPTO_malloc", "CRYPTO_zalloc", "CRYPTO_realloc", "CRYPTO_clear_realloc", "CRYPTO_strdup", "CRYPTO_strndup",
	"CRYPTO_memdup", "uv__malloc", "uv__calloc", "uv__realloc*", "uv__strdup", "node::UncheckedMalloc*",
	"node::UncheckedCalloc*", "node::UncheckedRealloc*", "node::Malloc*", "node::Realloc*", "v8::base::Malloc",
	"v8::base::Calloc", "v8::base::Realloc", "v8::base::AllocateAtLeast*", "v8::internal::AllocWithRetry*",
	"v8::internal::AllocAtLeastWithRetry*", "v8::internal::AlignedAllocWithRetry*",
	"v8::internal::Malloced::operator new*", "v8::internal::AccountingAllocator::AllocateSegment*",
	"v8::internal::Zone::Expand*", "v8::internal::Zone::New*", "v8::internal::Zone::Allocate*", "Perl_safesys*",
	"luaM_*", "l_alloc", "ngx_alloc", "ngx_calloc", "ngx_memalign", "ngx_palloc*", "ngx_pnalloc", "ngx_pcalloc",
	"ngx_pmemalign", "apr_palloc*", "apr_pcalloc*", "palloc*", "repalloc*", "pstrdup", "pnstrdup",
	"MemoryContextAlloc*", "MemoryContextStrdup", "AllocSet*", "ruby_xmalloc*", "ruby_xcalloc*", "ruby_xrealloc*",
	"rb_xmalloc*", "_emalloc*", "_ecalloc*", "_erealloc*", "lzma_alloc*"};

/* What a language's own library is made of: containers, strings, iterators; and what starts a program or a thread, so
 * that a stack of nothing else has its innermost function for a site. Mangled names are of functions too long to demangle. */
static const char *const layer_names[] = {"std::*", "__gnu_cxx::*", "__cxxabiv1::*", "core::*", "alloc::*",
	"hashbrown::*", "<std::*", "<core::*", "<alloc::*", "<hashbrown::*", "_ZNSt*", "_ZNKSt*", "_ZSt*", "_ZNS*",
	"_ZNKS*", "_ZN9__gnu_cxx*", "_ZNK9__gnu_cxx*", "start_thread", "clone", "clone3", "__clone3",
	"__libc_start_main*", "__libc_start_call_main", "_start", "call_init*", "_dl_*", "allocate_dtv*", "Builtins_*"};

static const char *const layer_modules[] = {"libstdc++.so", "libc++.so", "libc++abi.so"};

/* Characters of the operator's name at `at` that brackets may be part of ("operator<<", "operator()"), or 0. */
static size_t operator_length(const char *name, const char *at)
{
	static const char word[] = "operator";
	const size_t n = sizeof(word) - 1;

	if (strncmp(at, word, n) != 0 || (at > name && !strchr(": *&", at[-1])))
		return 0;
	if (strncmp(at + n, "()", 2) == 0 || strncmp(at + n, "[]", 2) == 0)
		return n + 2;
	return n + strspn(at + n, "<>=-!+*/%^&|~,");
}

#define ANONYMOUS "(anonymous namespace)"

static bool is_anonymous(const char *at)
{
	return strncmp(at, ANONYMOUS, sizeof(ANONYMOUS) - 1) == 0;
}

/* A name has two ends: where its parameters begin, and where what it returns ends. */
static size_t name_bounds(const char *name, const char **start)
{
	const char *at = name;
	unsigned depth = 0;
	size_t n;

	for (*start = name; *at; at++) {
		if (!depth && (n = operator_length(name, at)) > 0)
			return (size_t)(at - *start) + n + strcspn(at + n, "(@");
		if (is_anonymous(at))
			at += sizeof(ANONYMOUS) - 2;
		else if (!depth && (*at == '@' || (*at == '(' && (at - name < 8 || strncmp(at - 8, "decltype", 8)))))
			break;
		else if (strchr("<([{", *at))
			depth++;
		else if (strchr(">)]}", *at) && at > name && at[-1] != '-')
			depth -= depth > 0;
		else if (!depth && *at == ' ' && (at[1] != '(' || is_anonymous(at + 1)))
			*start = at + 1;
	}
	return (size_t)(at - *start);
}

static bool is_any_of(const char *const *patterns, size_t count, const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(patterns[i]);

		if (patterns[i][n - 1] == '*' ? length >= n - 1 && strncmp(name, patterns[i], n - 1) == 0
					      : length == n && strncmp(name, patterns[i], n) == 0)
			return true;
	}
	return false;
}

bool sp_is_allocator_name(const char *function)
{
	const char *start;
	size_t length = name_bounds(function, &start);

	return is_any_of(allocator_names, sizeof(allocator_names) / sizeof(allocator_names[0]), start, length);
}

bool sp_is_layer(const char *function, const char *module)
{
	const char *start;
	size_t length;

	for (size_t i = 0; i < sizeof(layer_modules) / sizeof(layer_modules[0]); i++)
		if (strncmp(module, layer_modules[i], strlen(layer_modules[i])) == 0)
			return true;
	length = name_bounds(function, &start);
	return is_any_of(layer_names, sizeof(layer_names) / sizeof(layer_names[0]), start, length);
}

static bool matches_any(const char *globs, const char *name)
{
	char glob[256];
	size_t bytes;

	for (; *globs && *globs != '\t' && *globs != '\n'; globs += bytes + (globs[bytes] == ',')) {
		globs += strspn(globs, " ");
		bytes = strcspn(globs, ",\t\n");
		if (!bytes || bytes >= sizeof(glob))
			continue;
		memcpy(glob, globs, bytes);
		glob[bytes] = '\0';
		if (fnmatch(glob, name, 0) == 0)
			return true;
	}
	return false;
}

bool sp_is_wrapper_name(const char *globs, const char *function)
{
	const char *start;
	bool matches;
	char *name;

	if (!globs || !*globs || strchr("\t\n", *globs))
		return false;
	name = sp_alloc(strlen(function) + 1, 1);
	memcpy(name, function, strlen(function));
	name[name_bounds(name, &start) + (size_t)(start - name)] = '\0';
	matches = matches_any(globs, start) || (start > name && matches_any(globs, name));
	free(name);
	return matches;
}

uint32_t sp_path_site(const struct sp_profile *p, const struct sp_path *path)
{
	uint32_t otherwise = UINT32_MAX;

	for (uint32_t i = 0; i < path->depth; i++) {
		const struct sp_profile_frame *frame = &p->frames[p->frame_ids[path->first + i]];

		if (frame->function == SP_PSEUDO_REST)
			return i; /* the site is among the frames that were cut */
		if (frame->allocator || (p->functions[frame->function].flags & SP_FUNCTION_PSEUDO))
			continue;
		if (!frame->layer)
			return i;
		otherwise = i < otherwise ? i : otherwise;
	}
	return otherwise < path->depth ? otherwise : path->depth - 1;
}

void sp_frames_mark(struct sp_profile *p)
{
	for (size_t i = 0; i < p->frame_count; i++) {
		struct sp_profile_frame *frame = &p->frames[i];
		const struct sp_function *f = &p->functions[frame->function];
		const struct sp_module_info *m = &p->modules[f->module];

		frame->allocator =
			m->allocator || sp_is_allocator_name(f->name) || sp_is_wrapper_name(p->heap_wrappers, f->name);
		frame->layer = sp_is_layer(f->name, m->name);
	}
}
