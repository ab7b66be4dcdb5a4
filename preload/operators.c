/* operator new and delete. With libstdc++'s own, which call malloc, there is nothing to count; an
 * allocator library's are counted like its malloc. In a C program that loads C++ modules the next
 * definition is not in the global lookup order: then that of the loaded libstdc++ serves, and where
 * the module has linked its own statically, plain malloc and free. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "preload/export.h"
#include "preload/real.h"
#include "sampler/heap.h"

/* One row a form: X(C name, mangled name, further parameters, further arguments). */
#define NEW_FORMS(X) \
	X(new_one, "_Znwm", (size_t size), (size)) \
	X(new_array, "_Znam", (size_t size), (size)) \
	X(new_one_nothrow, "_ZnwmRKSt9nothrow_t", (size_t size, const void *tag), (size, tag)) \
	X(new_array_nothrow, "_ZnamRKSt9nothrow_t", (size_t size, const void *tag), (size, tag)) \
	X(new_one_aligned, "_ZnwmSt11align_val_t", (size_t size, size_t align), (size, align)) \
	X(new_array_aligned, "_ZnamSt11align_val_t", (size_t size, size_t align), (size, align)) \
	X(new_one_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t", (size_t size, size_t align, const void *tag), \
		(size, align, tag)) \
	X(new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t", \
		(size_t size, size_t align, const void *tag), (size, align, tag))

#define DELETE_FORMS(X) \
	X(delete_one, "_ZdlPv", (void *p), (p)) \
	X(delete_array, "_ZdaPv", (void *p), (p)) \
	X(delete_one_sized, "_ZdlPvm", (void *p, size_t size), (p, size)) \
	X(delete_array_sized, "_ZdaPvm", (void *p, size_t size), (p, size)) \
	X(delete_one_nothrow, "_ZdlPvRKSt9nothrow_t", (void *p, const void *tag), (p, tag)) \
	X(delete_array_nothrow, "_ZdaPvRKSt9nothrow_t", (void *p, const void *tag), (p, tag)) \
	X(delete_one_aligned, "_ZdlPvSt11align_val_t", (void *p, size_t align), (p, align)) \
	X(delete_array_aligned, "_ZdaPvSt11align_val_t", (void *p, size_t align), (p, align)) \
	X(delete_one_sized_aligned, "_ZdlPvmSt11align_val_t", (void *p, size_t size, size_t align), (p, size, align)) \
	X(delete_array_sized_aligned, "_ZdaPvmSt11align_val_t", (void *p, size_t size, size_t align), \
		(p, size, align)) \
	X(delete_one_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t", (void *p, size_t align, const void *tag), \
		(p, align, tag)) \
	X(delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t", \
		(void *p, size_t align, const void *tag), (p, align, tag))

static struct {
#define X(name, mangled, params, args) void *(*name)params;
	NEW_FORMS(X)
#undef X
#define X(name, mangled, params, args) void(*name) params;
	DELETE_FORMS(X)
#undef X
	bool tried;  /* looked up; where nothing was found, malloc and free serve from then on */
	bool counts; /* they are an allocator's own, and do not come by our malloc */
} next;

static void *find(const char *mangled)
{
	void *p = dlsym(RTLD_NEXT, mangled), *library;

	if (!p && (library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD)))
		p = dlsym(library, mangled); /* and the library stays */
	return p;
}

/* The definition inside the module that called: it knows how to throw its kind of bad_alloc. */
static void *find_callers_own(const char *mangled, void *caller)
{
	struct dl_find_object object;
	void *module, *p = NULL;

	if (_dl_find_object(caller, &object) == 0 &&
		(module = dlopen(object.dlfo_link_map->l_name, RTLD_LAZY | RTLD_NOLOAD))) {
		p = dlsym(module, mangled);
		dlclose(module); /* the caller keeps it */
	}
	return p;
}

/* Without a next definition: like the module's own, which calls malloc too. */
static void *allocate(size_t size, const char *mangled, size_t alignment)
{
	return strstr(mangled, "align_val_t") ? aligned_alloc(alignment, size) : malloc(size ? size : 1);
}

#define SECOND(a, b, ...) b
#define alignment_of(...) SECOND(__VA_ARGS__, 0, 0)

static void resolve(void)
{
	struct dl_find_object object;

#define X(name, mangled, params, args) next.name = (__typeof__(next.name))find(mangled);
	DELETE_FORMS(X)
	NEW_FORMS(X)
#undef X
	next.tried = true;
	next.counts = next.new_one && _dl_find_object((void *)next.new_one, &object) == 0 &&
		object.dlfo_map_start != sp_agent.own_start && !strstr(object.dlfo_link_map->l_name, "libstdc++") &&
		!strstr(object.dlfo_link_map->l_name, "libc++");
}

static void *count(void *p, size_t size)
{
	if (p && !sp_heap_count_quickly(size))
		sp_heap_hit(p, size);
	return p;
}

static void forget(void *p)
{
	sp_tls.heap.frees += p != NULL;
	if (p && !sp_live_surely_not(p))
		sp_heap_forget(p);
}

#define X(name, mangled, params, args) \
	SP_EXPORT void *sp_export_##name params __asm__(mangled); \
	void *sp_export_##name params \
	{ \
		if (sp_unlikely(!next.tried)) \
			resolve(); \
		if (sp_unlikely(!next.name)) { \
			void *p = allocate(size, mangled, (size_t)(alignment_of args)); \
			void *(*own)params = \
				p ? NULL : (__typeof__(own))find_callers_own(mangled, __builtin_return_address(0)); \
			return own ? own args : p; \
		} \
		if (sp_likely(!next.counts)) \
			return next.name args; \
		return count(next.name args, size); \
	}
NEW_FORMS(X)
#undef X

#define X(name, mangled, params, args) \
	SP_EXPORT void sp_export_##name params __asm__(mangled); \
	void sp_export_##name params \
	{ \
		if (sp_unlikely(!next.tried)) \
			resolve(); \
		if (sp_unlikely(next.counts)) \
			forget(p); \
		if (sp_likely(next.name)) \
			next.name args; \
		else \
			free(p); \
	}
DELETE_FORMS(X)
#undef X
