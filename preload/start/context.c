/* Thread contexts: those of others are looked for, and our own is made. */
#include "preload/start/context.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

#include "preload/libc.h"
#include "preload/notes.h"
#include "preload/process.h"
#include "preload/start/api.h"
#include "sampler/spans/context.h"
#include "sampler/spans/trace.h"
#include "sampler/sys.h"

#define FILE_NAME "libsmartprof-context.so"
#define IS_NOT "the span that a thread is in is not published (SMARTPROF_SPAN_CONTEXT): "

static const struct link_map *own; /* that library; NULL: it is not there */

/* Where a field of struct link_map is that only the C library knows, as it tells debuggers (libthread_db): bits, elements and
 * offset; 0 unknown. */
static uint32_t loader_field(const char *name)
{
	const uint32_t *field = sp_libc_symbol(name);

	return field && field[0] == 64 && field[1] == 1 ? field[2] : 0;
}

void sp_context_configure_traces(void)
{
	struct sp_trace_loader loader = {sp_libc_objects(), own, loader_field("_thread_db_link_map_l_tls_modid"),
		loader_field("_thread_db_link_map_l_tls_offset")};

	if (!loader.first || !loader.place_offset)
		loader.module_offset = 0;
	sp_trace_init(&loader);
}

/* The path of the library beside ours; false: there is none. */
static bool find_library(char *path, size_t size)
{
	const char *slash = strrchr(sp_process.library, '/');
	size_t length = slash ? (size_t)(slash + 1 - sp_process.library) : 0;

	if (!length || length + sizeof FILE_NAME > size)
		return false;
	memcpy(path, sp_process.library, length);
	memcpy(path + length, FILE_NAME, sizeof FILE_NAME);
	return sp_sys(SYS_faccessat, AT_FDCWD, path, 4 /* R_OK */) == 0;
}

/* For nobody but its readers: what the program loads later is not bound to it. */
static void open_library(const char *path)
{
	struct dl_find_object object;
	void *handle, *function;

	sp_tls.guard = 1; /* what the loader allocates is not the program's */
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	function = handle ? dlsym(handle, "smartprof_thread_context") : NULL;
	sp_tls.guard = 0;
	if (function && _dl_find_object(function, &object) == 0)
		own = object.dlfo_link_map;
}

void sp_context_load(void)
{
	char path[SP_PATH_MAX];
	uint64_t place;

	if (sp_is_under_valgrind())
		return;
	sp_context_configure_traces();
	if (sp_trace_is_others()) {
		sp_note(IS_NOT "another library has otel_thread_ctx_v1");
		return;
	}
	if (!find_library(path, sizeof path)) {
		sp_note(IS_NOT FILE_NAME " is not beside libsmartprof.so");
		return;
	}
	open_library(path);
	sp_context_configure_traces();
	place = sp_trace_own_place();
	if (!place)
		sp_note(IS_NOT "the loader has no room for its pointer in every thread");
	sp_context_place(place);
}

static void start_main(void *result)
{
	*(enum sp_context_start *)result = sp_context_start();
}

void sp_context_tell(void)
{
	enum sp_context_start result = SP_CONTEXT_OFF;

	if (!own || !sp_api_on_own_stack(start_main, &result))
		return;
	if (result == SP_CONTEXT_TAKEN)
		sp_note(IS_NOT "another library publishes a process context");
	else if (result == SP_CONTEXT_FAILED)
		sp_note(IS_NOT "there is no memory for it");
}
