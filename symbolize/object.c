/* Opening ELF objects that may be missing, truncated, or no ELF at all. */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolize/object.h"

/* Compressed debug sections are unpacked into memory; beyond this a module makes do with its ELF symbols. */
#define UNPACKED_LIMIT_BYTES (1024ull << 20)
#define VDSO_LIMIT_BYTES (1u << 20)

static int adopt(struct sp_object *object, Elf *elf)
{
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

static struct sp_symbol_file file_of(const struct stat *status)
{
	return (struct sp_symbol_file){.device = status->st_dev,
		.inode = status->st_ino,
		.bytes = (uint64_t)status->st_size,
		.modified_ns = status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec,
		.changed_ns = status->st_ctim.tv_sec * 1000000000 + status->st_ctim.tv_nsec};
}

int sp_object_open(struct sp_object *object, const char *path)
{
	struct stat status;
	Elf *elf = NULL;
	int rc, fd;

	*object = (struct sp_object){0};
	/* A path from a module table may name anything: a FIFO must not make us wait. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	rc = -ENOENT;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		goto out;
	/* Mapped, not read: the pages of a huge debug file then stay the page cache's and can be reclaimed. */
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf)
		elf_cntl(elf, ELF_C_FDREAD);
	rc = adopt(object, elf);
	if (rc)
		goto out;
	object->file = file_of(&status);
	object->path = realpath(path, NULL);
out:
	close(fd);
	return rc;
}

int sp_object_open_image(struct sp_object *object, void *image, size_t bytes)
{
	int rc;

	*object = (struct sp_object){.image = image};
	rc = adopt(object, elf_memory(image, bytes));
	if (rc)
		sp_object_close(object);
	return rc;
}

int sp_object_reopen(struct sp_object *another, const struct sp_object *object)
{
	int rc = object->path ? sp_object_open(another, object->path) : -ESTALE;

	if (rc || !memcmp(&another->file, &object->file, sizeof(object->file)))
		return rc;
	sp_object_close(another);
	return -ESTALE;
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
	void *copy;

	*object = (struct sp_object){0};
	if (!bytes)
		return -ENOENT;
	copy = malloc(bytes);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, (const void *)start, bytes);
	return sp_object_open_image(object, copy, bytes);
}

void sp_object_close(struct sp_object *object)
{
	elf_end(object->elf);
	free(object->image);
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

static const char *section_name(Elf *elf, const GElf_Shdr *header)
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
		if (strcmp(section_name(elf, &local), name))
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
			add_unpacked(scn, &header, section_name(object->elf, &header), &unpacked);
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
			((header.sh_flags & SHF_COMPRESSED) || is_old_compressed(section_name(object->elf, &header))))
			return true;
	}
	return false;
}

int sp_object_code(const struct sp_object *object, struct sp_spans *code)
{
	size_t count = 0;
	int rc = 0;

	if (elf_getphdrnum(object->elf, &count))
		return 0;
	for (size_t i = 0; i < count && !rc; i++) {
		GElf_Phdr segment;

		if (!gelf_getphdr(object->elf, (int)i, &segment))
			break;
		if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X))
			rc = sp_spans_add(code, segment.p_vaddr, segment.p_vaddr + segment.p_memsz, 0, 0);
	}
	sp_spans_sort(code);
	return rc;
}
