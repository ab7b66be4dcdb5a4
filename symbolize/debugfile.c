/* Finding separate debug files: see debugfile.h. The places are those gdb's manual gives under
 * "Debugging Information in Separate Files". */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/debugfile.h"

#define UNPACKED_LIMIT_BYTES (64u << 20)
#define LZMA_MEMORY_BYTES (128u << 20)
#define BUILD_ID_LIMIT_BYTES 64u

static int open_by_build_id(struct sp_object *found, const uint8_t *id, size_t bytes, const char *root)
{
	char hex[BUILD_ID_LIMIT_BYTES * 2 + 1], path[PATH_MAX];
	int rc;

	if (bytes < 2 || bytes > BUILD_ID_LIMIT_BYTES)
		return -ENOENT;
	for (size_t i = 0; i < bytes; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	if (snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", root, hex, hex + 2) >= (int)sizeof(path))
		return -ENOENT;
	rc = sp_object_open(found, path);
	if (!rc && !sp_object_has_build_id(found, id, bytes)) {
		sp_object_close(found);
		rc = -ENOENT;
	}
	return rc ? -ENOENT : 0;
}

/* CRC-32 as in zlib, over the whole file. */
static bool crc_matches(const struct sp_object *object, uint32_t wanted)
{
	uint32_t table[256], crc = 0xffffffffu;
	size_t bytes = 0;
	const unsigned char *raw = (const unsigned char *)elf_rawfile(object->elf, &bytes);

	if (!raw)
		return false;
	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xedb88320u : table[i] >> 1;
	}
	for (size_t i = 0; i < bytes; i++)
		crc = table[(crc ^ raw[i]) & 0xff] ^ crc >> 8;
	return ~crc == wanted;
}

static int open_linked(struct sp_object *found, const struct sp_object *object, const char *path, uint32_t crc)
{
	bool ours;

	if (sp_object_open(found, path))
		return -ENOENT;
	if (found->device == object->device && found->inode == object->inode)
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

static int open_by_link(struct sp_object *found, const struct sp_object *object, const char *root)
{
	/* What goes before and after the module's directory. */
	const char *const places[][2] = {{"", ""}, {"", "/.debug"}, {root, ""}};
	GElf_Word crc = 0;
	const char *name = dwelf_elf_gnu_debuglink(object->elf, &crc);
	int directory_bytes;

	if (!name || !*name || strchr(name, '/') || !object->path)
		return -ENOENT;
	directory_bytes = (int)(strrchr(object->path, '/') - object->path);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[PATH_MAX];
		int bytes = snprintf(path, sizeof(path), "%s%.*s%s/%s", places[i][0], directory_bytes, object->path,
			places[i][1], name);

		if (bytes < (int)sizeof(path) && !open_linked(found, object, path, crc))
			return 0;
	}
	return -ENOENT;
}

int sp_debugfile_open(struct sp_object *found, const struct sp_object *object, const char *root)
{
	if (!open_by_build_id(found, object->build_id, object->build_id_bytes, root))
		return 0;
	return open_by_link(found, object, root);
}

int sp_debugfile_open_alt(struct sp_object *found, Dwarf *dwarf, const struct sp_object *object, const char *root)
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
		return open_by_build_id(found, id, (size_t)bytes, root);
	if (length < (int)sizeof(path) && !sp_object_open(found, path)) {
		if (sp_object_has_build_id(found, id, (size_t)bytes))
			return 0;
		sp_object_close(found);
	}
	return open_by_build_id(found, id, (size_t)bytes, root);
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

	if (!image)
		return -ENOENT;
	return sp_object_open_image(found, image, bytes) ? -ENOENT : 0;
}
