/* Debug files from a server: see debuginfod.h. The library is loaded only when asked for: it brings
 * libcurl, and a good part of the network stack, with it. */
#include "symbolize/elf/debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "symbolize/context.h"

/* As in elfutils/debuginfod.h, which a machine without the package's headers does not have. */
typedef struct debuginfod_client client;
typedef int progress_fn(client *c, long done, long total);

struct library {
	client *(*begin)(void);
	void (*end)(client *c);
	int (*find)(client *c, const unsigned char *build_id, int bytes, char **path);
	void (*on_progress)(client *c, progress_fn *fn);
};

static __thread uint64_t deadline_ns;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Called several times a second while a request is under way; anything but 0 ends it. */
static int is_late(client *c, long done, long total)
{
	(void)c;
	(void)done;
	(void)total;
	return now_ns() >= deadline_ns;
}

static bool load(struct library *library)
{
	void *handle = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL); /* stays for the process's life */

	*library = (struct library){0};
	if (!handle)
		return false;
	*library = (struct library){
		.begin = (client * (*)(void)) dlsym(handle, "debuginfod_begin"),
		.end = (void (*)(client *))dlsym(handle, "debuginfod_end"),
		.find = (int (*)(client *, const unsigned char *, int, char **))dlsym(handle,
			"debuginfod_find_debuginfo"),
		.on_progress = (void (*)(client *, progress_fn *))dlsym(handle, "debuginfod_set_progressfn"),
	};
	return library->begin && library->end && library->find && library->on_progress;
}

static uint64_t deadline_of(struct sp_symbol_context *context)
{
	pthread_mutex_lock(&context->lock);
	if (!context->debuginfod_until_ns)
		context->debuginfod_until_ns = now_ns() + context->options.debuginfod_seconds * 1000000000ull;
	pthread_mutex_unlock(&context->lock);
	return context->debuginfod_until_ns;
}

int sp_debuginfod_open(struct sp_object *found, const struct sp_object *object, struct sp_symbol_context *context)
{
	struct library library;
	char *path = NULL;
	client *c;
	int fd;

	deadline_ns = deadline_of(context);
	if (!object->build_id_bytes || is_late(NULL, 0, 0) || !load(&library))
		return -ENOENT;
	c = library.begin();
	if (!c)
		return -ENOENT;
	library.on_progress(c, is_late);
	fd = library.find(c, object->build_id, (int)object->build_id_bytes, &path);
	library.end(c);
	if (fd < 0)
		return -ENOENT;
	close(fd);
	if (sp_object_open(found, path)) {
		free(path);
		return -ENOENT;
	}
	free(path);
	if (sp_object_has_build_id(found, object->build_id, object->build_id_bytes))
		return 0;
	sp_object_close(found);
	return -ENOENT;
}
