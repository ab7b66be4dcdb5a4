/* Finding separate debug files: see debugfile.h. The places are those gdb's manual gives under
 * "Debugging Information in Separate Files", and in each debug directory also those of a file that was put there by itself
 * and of a package that was unpacked there. */
#include "symbolize/elf/debugfile.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/context.h"
#include "symbolize/elf/debuginfod.h"

#define UNPACKED_PACKAGE "/usr/lib/debug"
#define UNPACKED_LIMIT_BYTES (64u << 20)
#define LZMA_MEMORY_BYTES (128u << 20)
#define BUILD_ID_LIMIT_BYTES 64u

/* The next of the debug directories, which are separated by colons; NULL after the last one. */
static const char *next_directory(const char **rest, size_t *bytes)
{
	const char *directory = *rest + strspn(*rest, ":");

	*bytes = strcspn(directory, ":");
	*rest = directory + *bytes;
	return *bytes ? directory : NULL;
}

static int open_noted(struct sp_object *found, const char *path, struct sp_deps *deps)
{
	int rc = sp_object_open(found, path);

	if (rc)
		sp_deps_failed(deps, rc);
	else
		deps->unusable |= found->image.partial;
	return rc;
}

static int open_in_directory(struct sp_object *found, const uint8_t *id, size_t id_bytes, const char *hex,
	const char *directory, size_t directory_bytes, const char *below, struct sp_deps *deps)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%.*s%s/.build-id/%.2s/%s.debug", (int)directory_bytes, directory, below, hex,
		    hex + 2) >= (int)sizeof(path))
		return -ENOENT;
	sp_deps_add(deps, path);
	if (open_noted(found, path, deps))
		return -ENOENT;
	if (sp_object_has_build_id(found, id, id_bytes))
		return 0;
	sp_object_close(found);
	return -ENOENT;
}

static int open_by_build_id(struct sp_object *found, const uint8_t *id, size_t bytes,
	const struct sp_symbol_context *context, struct sp_deps *deps)
{
	const char *rest = context->options.debug_dirs, *directory;
	char hex[BUILD_ID_LIMIT_BYTES * 2 + 1];
	size_t length;

	if (bytes < 2 || bytes > BUILD_ID_LIMIT_BYTES)
		return -ENOENT;
	for (size_t i = 0; i < bytes; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	while ((directory = next_directory(&rest, &length)))
		if (!open_in_directory(found, id, bytes, hex, directory, length, "", deps) ||
			!open_in_directory(found, id, bytes, hex, directory, length, UNPACKED_PACKAGE, deps))
			return 0;
	return -ENOENT;
}

static bool crc_matches(const struct sp_object *object, uint32_t wanted)
{
	uint32_t crc;

	return sp_object_crc(object, &crc) && crc == wanted;
}

static int open_linked(struct sp_object *found, const struct sp_object *object, const char *path, uint32_t crc,
	struct sp_deps *deps)
{
	bool ours;

	sp_deps_add(deps, path);
	if (open_noted(found, path, deps))
		return -ENOENT;
	if (sp_object_is_file(found, object->file.device, object->file.inode))
		ours = false;
	else if (found->build_id_bytes && object->build_id_bytes)
		ours = sp_object_has_build_id(found, object->build_id, object->build_id_bytes);
	else
		ours = crc_matches(found, crc);
	if (ours)
		return 0;
	sp_object_close(found);
	return -ENOENT;
}

/* What .gnu_debuglink says, relative to where the module stands. */
struct link {
	const char *name;
	GElf_Word crc;
	const char *module_directory;
	int module_directory_bytes;
};

/* Tries DIRECTORY + the module's directory + below/NAME. */
static int open_link_in(struct sp_object *found, const struct sp_object *object, const struct link *link,
	const char *directory, size_t directory_bytes, const char *below, struct sp_deps *deps)
{
	char path[PATH_MAX];
	int bytes = snprintf(path, sizeof(path), "%.*s%.*s%s/%s", (int)directory_bytes, directory,
		link->module_directory_bytes, link->module_directory, below, link->name);

	return bytes < (int)sizeof(path) ? open_linked(found, object, path, link->crc, deps) : -ENOENT;
}

static int open_by_link(struct sp_object *found, const struct sp_object *object,
	const struct sp_symbol_context *context, struct sp_deps *deps)
{
	struct link link = {0};
	const char *rest = context->options.debug_dirs, *directory;
	size_t length;

	link.name = dwelf_elf_gnu_debuglink(object->elf, &link.crc);
	if (!link.name || !*link.name || strchr(link.name, '/') || !object->path)
		return -ENOENT;
	link.module_directory = object->path;
	link.module_directory_bytes = (int)(strrchr(object->path, '/') - object->path);
	if (!open_link_in(found, object, &link, "", 0, "", deps) ||
		!open_link_in(found, object, &link, "", 0, "/.debug", deps))
		return 0;
	while ((directory = next_directory(&rest, &length)))
		if (!open_link_in(found, object, &link, directory, length, "", deps))
			return 0;
	return -ENOENT;
}

/* DIRECTORY/NAME + suffix; both have a build-id, or nothing tells that it is the one. */
static int open_alone(struct sp_object *found, const struct sp_object *object, const char *directory,
	size_t directory_bytes, const char *name, const char *suffix, struct sp_deps *deps)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%.*s/%s%s", (int)directory_bytes, directory, name, suffix) >= PATH_MAX ||
		open_linked(found, object, path, 0, deps))
		return -ENOENT;
	if (found->build_id_bytes && object->build_id_bytes)
		return 0;
	sp_object_close(found);
	return -ENOENT;
}

/* In a debug directory itself, by the name of the link, or like the program with or without .debug. */
static int open_by_name(struct sp_object *found, const struct sp_object *object,
	const struct sp_symbol_context *context, struct sp_deps *deps)
{
	const char *rest = context->options.debug_dirs, *directory, *name, *link;
	GElf_Word crc;
	size_t length;

	if (!object->path || !object->elf)
		return -ENOENT;
	name = strrchr(object->path, '/') + 1;
	link = dwelf_elf_gnu_debuglink(object->elf, &crc);
	while ((directory = next_directory(&rest, &length)))
		if ((link && *link && !strchr(link, '/') &&
			    !open_alone(found, object, directory, length, link, "", deps)) ||
			!open_alone(found, object, directory, length, name, ".debug", deps) ||
			!open_alone(found, object, directory, length, name, "", deps))
			return 0;
	return -ENOENT;
}

int sp_debugfile_open(struct sp_object *found, const struct sp_object *object, struct sp_symbol_context *context,
	struct sp_deps *deps)
{
	if (!open_by_build_id(found, object->build_id, object->build_id_bytes, context, deps) ||
		!open_by_link(found, object, context, deps) || !open_by_name(found, object, context, deps))
		return 0;
	if (!context->options.debuginfod_seconds)
		return -ENOENT;
	if (!sp_debuginfod_open(found, object, context))
		return 0;
	deps->unusable = true; /* not noted as missing: the server may have it tomorrow */
	return -ENOENT;
}

int sp_debugfile_open_alt(struct sp_object *found, Dwarf *dwarf, const struct sp_object *object,
	const struct sp_symbol_context *context, struct sp_deps *deps)
{
	const char *name = NULL;
	const void *id = NULL;
	ssize_t bytes = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id);
	char path[PATH_MAX];
	int length;

	if (!bytes)
		return 1;
	if (bytes < 0 || !name)
		return -ENOENT;
	if (name[0] == '/')
		length = snprintf(path, sizeof(path), "%s", name);
	else if (object->path)
		length = snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(object->path, '/') - object->path),
			object->path, name);
	else
		return open_by_build_id(found, id, (size_t)bytes, context, deps);
	if (length >= (int)sizeof(path))
		*path = '\0';
	if (*path) {
		sp_deps_add(deps, path);
		if (!open_noted(found, path, deps)) {
			if (sp_object_has_build_id(found, id, (size_t)bytes))
				return 0;
			sp_object_close(found);
		}
	}
	if (!open_by_build_id(found, id, (size_t)bytes, context, deps))
		return 0;
	if (*path)
		sp_deps_miss(deps, path);
	return -ENOENT;
}

/* Of each debug directory there are two places: below it where the program is in the file system, and in itself. */
static bool package_in_directory(char path[PATH_MAX], size_t i, const char *program,
	const struct sp_symbol_context *context)
{
	const char *rest = context->options.debug_dirs, *directory;
	size_t length, at = 0;

	while ((directory = next_directory(&rest, &length)) && at < i / 2)
		at++;
	if (directory &&
		snprintf(path, PATH_MAX, "%.*s%s.dwp", (int)length, directory,
			i % 2 ? strrchr(program, '/') : program) >= PATH_MAX)
		*path = '\0';
	return directory;
}

bool sp_debugfile_dwp(char path[PATH_MAX], size_t i, const struct sp_object *with_dwarf,
	const struct sp_object *program, const char *program_path, const struct sp_symbol_context *context)
{
	const char *here = with_dwarf->path ? with_dwarf->path : "", *real = program->path ? program->path : here;
	const char *const beside[] = {here, real, program_path};
	const size_t places = sizeof(beside) / sizeof(beside[0]);
	size_t same = 0;

	if (i > places)
		return *real == '/' && package_in_directory(path, i - places - 1, real, context);
	*path = '\0';
	if (i == places) {
		/* beside the debug file, under the program's name */
		if (strcmp(here, real) && *here && *real == '/' &&
			snprintf(path, PATH_MAX, "%.*s%s.dwp", (int)(strrchr(here, '/') - here), here,
				strrchr(real, '/')) >= PATH_MAX)
			*path = '\0';
		return true;
	}
	while (same < i && strcmp(beside[same], beside[i]) != 0)
		same++;
	if (same == i && *beside[i] == '/' && snprintf(path, PATH_MAX, "%s.dwp", beside[i]) >= PATH_MAX)
		*path = '\0';
	return true;
}

/* Returns malloc'ed text of *bytes, or NULL. */
static void *unpack_xz(const void *packed, size_t packed_bytes, size_t *bytes)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	size_t capacity = packed_bytes * 4 + 65536;
	unsigned char *text = NULL;
	lzma_ret rc = lzma_stream_decoder(&stream, LZMA_MEMORY_BYTES, 0);

	stream.next_in = packed;
	stream.avail_in = packed_bytes;
	while (rc == LZMA_OK && stream.total_out < UNPACKED_LIMIT_BYTES) {
		unsigned char *bigger = realloc(text, capacity);

		if (!bigger)
			break;
		text = bigger;
		stream.next_out = text + stream.total_out;
		stream.avail_out = capacity - stream.total_out;
		rc = lzma_code(&stream, LZMA_FINISH);
		capacity *= 2;
	}
	*bytes = stream.total_out;
	lzma_end(&stream);
	if (rc == LZMA_STREAM_END)
		return text;
	free(text);
	return NULL;
}

int sp_debugfile_open_mini(struct sp_object *found, const struct sp_object *object)
{
	Elf_Scn *scn = sp_object_section(object, ".gnu_debugdata", NULL);
	Elf_Data *packed = scn ? elf_rawdata(scn, NULL) : NULL;
	size_t bytes = 0;
	void *image = packed && packed->d_buf ? unpack_xz(packed->d_buf, packed->d_size, &bytes) : NULL;

	int rc = image ? sp_object_open_memory(found, image, bytes) : -ENOENT;

	free(image);
	return rc ? -ENOENT : 0;
}
