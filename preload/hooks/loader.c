/* What concerns the loader. */
#include "preload/export.h"
#include "preload/real.h"

/* AddressSanitizer's run time ends a program in which another library stands before it. It wants to be first so that
 * its own functions are called. They are, because ours call the next in line. So it is shown the list without us. */
struct shown {
	int (*callback)(struct dl_phdr_info *, size_t, void *);
	void *data;
};

static int show_others(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct shown *shown = arg;
	struct dl_find_object own;

	if (_dl_find_object((void *)&sp_agent, &own) == 0 && info->dlpi_addr == own.dlfo_link_map->l_addr)
		return 0;
	return shown->callback(info, size, shown->data);
}

/* By hand: the string functions may be the sanitizer's own, which are not ready yet. */
static bool starts_with(const char *text, const char *prefix)
{
	while (*prefix && *text == *prefix)
		text++, prefix++;
	return !*prefix;
}

static bool is_sanitizer(const void *code)
{
	struct dl_find_object object;
	const char *name, *at;

	if (_dl_find_object((void *)(uintptr_t)code, &object) != 0)
		return false;
	for (name = at = object.dlfo_link_map->l_name; *at; at++)
		if (*at == '/')
			name = at + 1;
	return starts_with(name, "libasan.so") || starts_with(name, "libclang_rt.asan");
}

SP_EXPORT int dl_iterate_phdr(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
	if (sp_unlikely(is_sanitizer(__builtin_return_address(0)))) {
		struct shown shown = {callback, data};

		return SP_REAL(dl_iterate_phdr)(show_others, &shown);
	}
	return SP_REAL(dl_iterate_phdr)(callback, data);
}

SP_EXPORT int dlclose(void *handle)
{
	int result;

	/* What is known of the code that goes is forgotten twice: before another thread can load something else in
	 * its place, and afterwards, for what its destructors have added. */
	sp_add(&sp_agent.unload_gen, 1);
	result = SP_REAL(dlclose)(handle);
	sp_add(&sp_agent.unload_gen, 1);
	return result;
}
