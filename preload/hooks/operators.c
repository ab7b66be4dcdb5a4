/* operator new and delete. With libstdc++'s own, which call malloc, there is nothing to count; another
 * library's are counted like malloc, unless they come by it. In a C program that loads C++ modules the next
 * definition is not in the global lookup order: then that of the loaded libstdc++ serves, and where
 * the module has linked its own statically, plain malloc and free. */
#include "preload/hooks/operators.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "preload/export.h"
#include "preload/hooks/counted.h"
#include "preload/real.h"
#include "sampler/heap/arena.h"

/* One row for each form: X(C name, mangled name, parameters, arguments, what to do without a next definition: as the
 * module's own would, which calls malloc too). */
#define NEW_FORMS(X) \
	X(new_one, "_Znwm", (size_t size), (size), malloc(size ? size : 1)) \
	X(new_array, "_Znam", (size_t size), (size), malloc(size ? size : 1)) \
	X(new_one_nothrow, "_ZnwmRKSt9nothrow_t", (size_t size, const void *tag), (size, tag), \
		malloc(size ? size : 1)) \
	X(new_array_nothrow, "_ZnamRKSt9nothrow_t", (size_t size, const void *tag), (size, tag), \
		malloc(size ? size : 1)) \
	X(new_one_aligned, "_ZnwmSt11align_val_t", (size_t size, size_t align), (size, align), \
		aligned_alloc(align, size)) \
	X(new_array_aligned, "_ZnamSt11align_val_t", (size_t size, size_t align), (size, align), \
		aligned_alloc(align, size)) \
	X(new_one_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t", (size_t size, size_t align, const void *tag), \
		(size, align, tag), aligned_alloc(align, size)) \
	X(new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t", \
		(size_t size, size_t align, const void *tag), (size, align, tag), aligned_alloc(align, size))

/* X(C name, mangled name, parameters, arguments) */
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

/* Where they lead, once that is known. */
enum mode {
	UNKNOWN,
	FORWARD, /* to libstdc++'s own, or libc++'s: every form is there */
	COUNT    /* to another library's, or for some forms to nothing */
};

static struct {
#define X(name, mangled, params, args, otherwise) void *(*name)params;
	NEW_FORMS(X)
#undef X
#define X(name, mangled, params, args) void(*name) params;
	DELETE_FORMS(X)
#undef X
	enum mode mode;
} next;

static void *find(const char *mangled)
{
	void *p = sp_real_find(mangled);

	return p ? p : sp_real_find_beside(mangled, NULL, "libstdc++.so.6");
}

static bool is_of_the_run_time(void *function)
{
	struct dl_find_object object;

	return _dl_find_object(function, &object) == 0 &&
		(strstr(object.dlfo_link_map->l_name, "libstdc++") || strstr(object.dlfo_link_map->l_name, "libc++"));
}

static void resolve(void)
{
	bool all = true;

#define X(name, mangled, params, args, ...) \
	next.name = (__typeof__(next.name))find(mangled); \
	all = all && next.name;
	DELETE_FORMS(X)
	NEW_FORMS(X)
#undef X
	__atomic_store_n(&next.mode, all && is_of_the_run_time((void *)next.new_one) ? FORWARD : COUNT,
		__ATOMIC_RELEASE);
}

extern char __cxa_throw[] __attribute__((weak));

void sp_operators_find_all(void)
{
	if (__cxa_throw && next.mode == UNKNOWN)
		resolve();
}

#define and_caller(...) (__VA_ARGS__, __builtin_return_address(0))
#define and_caller_parameter(...) (__VA_ARGS__, const void *caller)

#define X(name, mangled, params, args, otherwise) \
	static __attribute__((noinline)) void *name##_slow and_caller_parameter params \
	{ \
		void *(*own)params, *p; \
		uint64_t allocs; \
\
		if (!sp_heap_is_relocated()) \
			return sp_arena_alloc(size, 16); \
		if (next.mode == UNKNOWN) \
			resolve(); \
		allocs = sp_tls.heap.allocs; \
		if (next.name) \
			return sp_counted(next.name args, size, allocs); \
		p = otherwise; \
		own = p ? NULL : (__typeof__(own))sp_real_find_beside(mangled, caller, NULL); \
		return own ? own args : p; \
	} \
	SP_EXPORT void *sp_export_##name params __asm__(mangled); \
	void *sp_export_##name params \
	{ \
		if (sp_likely(next.mode == FORWARD)) \
			return next.name args; \
		return name##_slow and_caller args; \
	}
NEW_FORMS(X)
#undef X

#define X(name, mangled, params, args) \
	static __attribute__((noinline)) void name##_slow params \
	{ \
		uint64_t frees; \
\
		if (sp_arena_owns(p) || !sp_heap_is_relocated()) \
			return; \
		if (next.mode == UNKNOWN) \
			resolve(); \
		if (!next.name) { \
			free(p); \
			return; \
		} \
		frees = sp_counted_free(p); \
		next.name args; \
		sp_counted_freed(p, frees); \
	} \
	SP_EXPORT void sp_export_##name params __asm__(mangled); \
	void sp_export_##name params \
	{ \
		if (sp_likely(next.mode == FORWARD)) \
			next.name args; \
		else \
			name##_slow args; \
	}
DELETE_FORMS(X)
#undef X
