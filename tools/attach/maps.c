/* What a process has mapped, and its memory. */
#include "tools/attach/attach.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_BYTES_MAX (64u << 20)

static enum sp_attach_kind kind_of(const char *path)
{
	static const char *const allocators[] = {"libjemalloc", "libtcmalloc", "libmimalloc", "libtbbmalloc",
		"libhoard", "libsnmalloc", "librpmalloc", "libasan", "libtsan", "liblsan", "libmsan"};
	const char *name = strrchr(path, '/');

	if (!name)
		return SP_MAP_NONE;
	name++;
	if (strncmp(name, "libsmartprof.so", 15) == 0)
		return SP_MAP_AGENT;
	if (strncmp(name, "libc.so.6", 9) == 0 || strncmp(name, "libc-2.", 7) == 0)
		return SP_MAP_LIBC;
	if (strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-2.", 5) == 0 || strncmp(name, "ld.so", 5) == 0)
		return SP_MAP_LOADER;
	for (size_t i = 0; i < sizeof(allocators) / sizeof(*allocators); i++)
		if (strncmp(name, allocators[i], strlen(allocators[i])) == 0)
			return SP_MAP_ALLOCATOR;
	return SP_MAP_OTHER;
}

static bool parse(char *line, struct sp_attach_map *map)
{
	unsigned long start, end, offset, inode;
	char access[5];
	int at = 0;

	if (sscanf(line, "%lx-%lx %4s %lx %*x:%*x %lu %n", &start, &end, access, &offset, &inode, &at) != 5)
		return false;
	*map = (struct sp_attach_map){
		.start = start, .end = end, .offset = offset, .inode = inode, .executable = access[2] == 'x'};
	line[strcspn(line, "\n")] = '\0';
	if (inode || line[at] == '[')
		snprintf(map->path, sizeof(map->path), "%s", line + at);
	map->kind = inode ? kind_of(map->path) : SP_MAP_NONE;
	return true;
}

int sp_attach_maps_read(struct sp_attach_maps *maps, int pid)
{
	char path[64], *line = NULL;
	size_t size = 0, room = 0;
	FILE *file;
	int err;

	*maps = (struct sp_attach_maps){0};
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (errno = 0, getline(&line, &size, file) > 0) {
		if (maps->count == room) {
			room = room ? 2 * room : 64;
			maps->list = realloc(maps->list, room * sizeof(*maps->list));
			if (!maps->list)
				abort();
		}
		maps->count += parse(line, &maps->list[maps->count]);
	}
	err = ferror(file) ? -errno : 0;
	free(line);
	fclose(file);
	return err;
}

void sp_attach_maps_free(struct sp_attach_maps *maps)
{
	free(maps->list);
	*maps = (struct sp_attach_maps){0};
}

const struct sp_attach_map *sp_attach_map_at(const struct sp_attach_maps *maps, uint64_t address)
{
	for (size_t i = 0; i < maps->count; i++)
		if (address >= maps->list[i].start && address < maps->list[i].end)
			return &maps->list[i];
	return NULL;
}

const struct sp_attach_map *sp_attach_map_of(const struct sp_attach_maps *maps, enum sp_attach_kind kind)
{
	for (size_t i = 0; i < maps->count; i++)
		if (maps->list[i].kind == kind)
			return &maps->list[i];
	return NULL;
}

/* By its path, if that still leads to it; else by the kernel's own link to what is mapped, which not everybody may use. */
bool sp_attach_map_open_path(char *path, int pid, const struct sp_attach_map *map)
{
	struct stat st;

	if (!map->inode)
		return false;
	if (snprintf(path, PATH_MAX, "/proc/%d/root%s", pid, map->path) < PATH_MAX && stat(path, &st) == 0 &&
		S_ISREG(st.st_mode) && st.st_ino == map->inode)
		return true;
	snprintf(path, PATH_MAX, "/proc/%d/map_files/%llx-%llx", pid, (unsigned long long)map->start,
		(unsigned long long)map->end);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool sp_attach_read(int pid, uint64_t address, void *to, size_t bytes)
{
	struct iovec local = {to, bytes}, remote = {(void *)(uintptr_t)address, bytes};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

bool sp_attach_write(int pid, uint64_t address, const void *from, size_t bytes)
{
	struct iovec local = {(void *)(uintptr_t)from, bytes}, remote = {(void *)(uintptr_t)address, bytes};

	return process_vm_writev(pid, &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

/* --- files */

uint8_t *sp_attach_file(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t *data = NULL;
	struct stat st;
	ssize_t got;

	if (fd < 0)
		return NULL;
	errno = EFBIG;
	*bytes = 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_BYTES_MAX)
		data = malloc((size_t)st.st_size);
	while (data && *bytes < (size_t)st.st_size) {
		got = pread(fd, data + *bytes, (size_t)st.st_size - *bytes, (off_t)*bytes);
		if (got <= 0)
			break;
		*bytes += (size_t)got;
	}
	close(fd);
	return data;
}

static bool holds(size_t size, uint64_t offset, uint64_t bytes)
{
	return offset <= size && bytes <= size - offset;
}

static uint64_t search(const uint8_t *file, size_t size, const Elf64_Shdr *symbols, const Elf64_Shdr *names,
	const char *name)
{
	size_t length = strlen(name) + 1;
	Elf64_Sym s;

	for (uint64_t at = 0; at + sizeof(s) <= symbols->sh_size && holds(size, symbols->sh_offset + at, sizeof(s));
		at += sizeof(s)) {
		memcpy(&s, file + symbols->sh_offset + at, sizeof(s));
		if (s.st_shndx != SHN_UNDEF && s.st_name < names->sh_size && names->sh_size - s.st_name >= length &&
			holds(size, names->sh_offset + s.st_name, length) &&
			memcmp(file + names->sh_offset + s.st_name, name, length) == 0)
			return s.st_value;
	}
	return 0;
}

uint64_t sp_attach_symbol(const uint8_t *file, size_t bytes, const char *name)
{
	Elf64_Shdr section, names;
	Elf64_Ehdr header;
	uint64_t value = 0;

	if (bytes < sizeof(header))
		return 0;
	memcpy(&header, file, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_shentsize != sizeof(section))
		return 0;
	for (unsigned i = 0; i < header.e_shnum && !value; i++) {
		uint64_t at = header.e_shoff + (uint64_t)i * sizeof(section);

		if (!holds(bytes, at, sizeof(section)))
			return 0;
		memcpy(&section, file + at, sizeof(section));
		at = header.e_shoff + (uint64_t)section.sh_link * sizeof(section);
		if (section.sh_type != SHT_DYNSYM || !holds(bytes, at, sizeof(names)))
			continue;
		memcpy(&names, file + at, sizeof(names));
		value = search(file, bytes, &section, &names, name);
	}
	return value;
}
