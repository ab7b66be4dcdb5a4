/* Opening ELF objects that may be missing, truncated, or no ELF at all. */
#include "symbolize/elf/object.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "symbolize/base/memory.h"
#include "symbolize/disk/patience.h"

/* Compressed debug sections are unpacked into memory; beyond this a module makes do with its ELF symbols. */
#define UNPACKED_LIMIT_BYTES (1024ull << 20)
#define VDSO_LIMIT_BYTES (1u << 20)
#define TRIES 3
#define RETRY_US 20000u

static int adopt(struct sp_object *object)
{
	Elf *elf = elf_memory((char *)object->image.bytes, object->image.size);
	const void *build_id;
	ssize_t bytes;

	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		return -ENOEXEC;
	}
	object->elf = elf;
	bytes = dwelf_elf_gnu_build_id(elf, &build_id);
	if (bytes > 0) {
		object->build_id = build_id;
		object->build_id_bytes = (size_t)bytes;
	}
	return 0;
}

struct sp_symbol_file sp_symbol_file_of(const struct stat *status)
{
	return (struct sp_symbol_file){.device = status->st_dev,
		.inode = status->st_ino,
		.bytes = (uint64_t)status->st_size,
		.modified_ns = status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec,
		.changed_ns = status->st_ctim.tv_sec * 1000000000 + status->st_ctim.tv_nsec};
}

struct reading {
	char path[PATH_MAX];
	struct sp_image image;
	struct sp_symbol_file file;
	char *real_path;
};

/* A file that is being written is looked at again in a moment. */
static int read_image(void *arg)
{
	struct reading *reading = arg;
	const char *path = reading->path;
	struct sp_disk_file file;
	int rc = -EAGAIN;

	for (int tries = 0; tries < TRIES && rc == -EAGAIN; tries++) {
		if (tries)
			usleep(RETRY_US);
		rc = sp_disk_open(&file, path);
		if (rc)
			return rc;
		rc = sp_image_read(&reading->image, &file);
		reading->file = sp_symbol_file_of(&file.status);
		sp_disk_close(&file);
	}
	if (!rc)
		reading->real_path = realpath(path, NULL);
	return rc;
}

int sp_object_open(struct sp_object *object, const char *path)
{
	struct reading *reading = sp_alloc(1, sizeof(*reading));
	int rc = strlen(path) < PATH_MAX ? 0 : -ENAMETOOLONG;

	*object = (struct sp_object){0};
	if (!rc) {
		strcpy(reading->path, path);
		rc = sp_patiently(read_image, reading, path);
	}
	if (rc == -ETIMEDOUT)
		return rc; /* what it works on stays */
	if (!rc) {
		*object =
			(struct sp_object){.image = reading->image, .file = reading->file, .path = reading->real_path};
		rc = adopt(object);
	}
	free(reading);
	if (rc)
		sp_object_close(object);
	return rc;
}

int sp_object_open_memory(struct sp_object *object, const void *bytes, size_t count)
{
	void *at = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int rc;

	*object = (struct sp_object){0};
	if (at == MAP_FAILED)
		return -errno;
	memcpy(at, bytes, count);
	object->image = (struct sp_image){.bytes = at, .size = count};
	rc = adopt(object);
	if (rc)
		sp_object_close(object);
	return rc;
}

int sp_object_reopen(struct sp_object *another, const struct sp_object *object)
{
	*another = (struct sp_object){.image = object->image, .shared = true, .file = object->file};
	another->path = object->path ? sp_copy_text(object->path) : NULL;
	return adopt(another);
}

struct sum {
	const char *path;
	uint32_t crc;
};

static int add_up(void *arg)
{
	struct sum *sum = arg;
	struct sp_disk_file file;
	uint64_t left, at = 0;
	uint8_t piece[65536];
	int rc = sp_disk_open(&file, sum->path);

	if (rc)
		return rc;
	sum->crc = (uint32_t)crc32(0, NULL, 0);
	for (left = (uint64_t)file.status.st_size; left && !rc;) {
		size_t bytes = left < sizeof(piece) ? (size_t)left : sizeof(piece);

		rc = sp_disk_read(&file, piece, bytes, at);
		sum->crc = (uint32_t)crc32(sum->crc, piece, (uInt)bytes);
		left -= bytes;
		at += bytes;
	}
	sp_disk_close(&file);
	return rc;
}

bool sp_object_crc(const struct sp_object *object, uint32_t *crc)
{
	struct sum sum = {.path = object->path};
	int rc = object->path ? sp_patiently(add_up, &sum, object->path) : -ENOENT;

	*crc = sum.crc;
	return !rc;
}

static size_t vdso_bytes(uintptr_t start)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512];
	size_t bytes = 0;

	if (!maps)
		return 0;
	while (!bytes && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from == start && to > from)
			bytes = to - from;
	}
	fclose(maps);
	return bytes > VDSO_LIMIT_BYTES ? 0 : bytes;
}

int sp_object_open_vdso(struct sp_object *object)
{
	uintptr_t start = getauxval(AT_SYSINFO_EHDR);
	size_t bytes = start ? vdso_bytes(start) : 0;

	*object = (struct sp_object){0};
	return bytes ? sp_object_open_memory(object, (const void *)start, bytes) : -ENOENT;
}

void sp_object_close(struct sp_object *object)
{
	elf_end(object->elf);
	if (!object->shared)
		sp_image_free(&object->image);
	free(object->path);
	*object = (struct sp_object){0};
}

bool sp_object_is_file(const struct sp_object *object, uint64_t device, uint64_t inode)
{
	return object->file.device == device && object->file.inode == inode;
}

bool sp_object_has_build_id(const struct sp_object *object, const uint8_t *build_id, size_t bytes)
{
	return object->build_id_bytes == bytes && bytes && !memcmp(object->build_id, build_id, bytes);
}

const char *sp_elf_section_name(Elf *elf, const GElf_Shdr *header)
{
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return "";
	const char *name = elf_strptr(elf, names, header->sh_name);
	return name ? name : "";
}

static Elf_Scn *find_section(Elf *elf, const char *name, GElf_Shdr *header)
{
	GElf_Shdr local;
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &local) || local.sh_type == SHT_NOBITS)
			continue;
		if (strcmp(sp_elf_section_name(elf, &local), name))
			continue;
		if (header)
			*header = local;
		return scn;
	}
	return NULL;
}

Elf_Scn *sp_object_section(const struct sp_object *object, const char *name, GElf_Shdr *header)
{
	return find_section(object->elf, name, header);
}

Elf_Data *sp_elf_debug_section(Elf *elf, const char *name)
{
	Elf_Scn *scn = find_section(elf, name, NULL);
	char old_name[64];
	Elf_Data *data;

	snprintf(old_name, sizeof(old_name), ".z%s", name + 1);
	if (!scn)
		scn = find_section(elf, old_name, NULL);
	data = scn ? elf_getdata(scn, NULL) : NULL;
	return data && data->d_buf ? data : NULL;
}

static bool is_old_compressed(const char *name)
{
	return !strncmp(name, ".zdebug", 7);
}

/* Adds what a section takes when it is unpacked. */
static void add_unpacked(Elf_Scn *scn, const GElf_Shdr *header, const char *name, uint64_t *bytes)
{
	GElf_Chdr compressed;
	ssize_t old;

	if ((header->sh_flags & SHF_COMPRESSED) && gelf_getchdr(scn, &compressed)) {
		*bytes += compressed.ch_size < UNPACKED_LIMIT_BYTES ? compressed.ch_size : UNPACKED_LIMIT_BYTES;
	} else if (is_old_compressed(name)) {
		old = dwelf_scn_gnu_compressed_size(scn);
		*bytes += old < 0 ? 0 : (uint64_t)old;
	}
}

bool sp_object_can_unpack(const struct sp_object *object)
{
	uint64_t unpacked = 0;
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	while ((scn = elf_nextscn(object->elf, scn)))
		if (gelf_getshdr(scn, &header) && header.sh_type != SHT_NOBITS)
			add_unpacked(scn, &header, sp_elf_section_name(object->elf, &header), &unpacked);
	return unpacked < UNPACKED_LIMIT_BYTES;
}

bool sp_object_has_dwarf(const struct sp_object *object)
{
	return (sp_object_section(object, ".debug_info", NULL) || sp_object_section(object, ".zdebug_info", NULL)) &&
		sp_object_can_unpack(object);
}

bool sp_object_is_compressed(const struct sp_object *object)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	while ((scn = elf_nextscn(object->elf, scn))) {
		if (gelf_getshdr(scn, &header) &&
			((header.sh_flags & SHF_COMPRESSED) ||
				is_old_compressed(sp_elf_section_name(object->elf, &header))))
			return true;
	}
	return false;
}

void sp_object_code(const struct sp_object *object, struct sp_interval_map *code)
{
	size_t count = 0;

	if (elf_getphdrnum(object->elf, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(object->elf, (int)i, &segment))
			break;
		if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X))
			sp_interval_map_add(code, segment.p_vaddr, segment.p_vaddr + segment.p_memsz, 0, 0);
	}
	sp_interval_map_sort(code);
}
