/* Headers and notes of a mapped object. */
#include "sampler/object.h"

#include <elf.h>
#include <string.h>

const ElfW(Ehdr) * sp_object_header(const struct dl_find_object *object)
{
	const ElfW(Ehdr) *ehdr = object->dlfo_map_start;

	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 || ehdr->e_phentsize != sizeof(ElfW(Phdr)) ||
		ehdr->e_phoff > 4096 || ehdr->e_phoff + (uint64_t)ehdr->e_phnum * sizeof(ElfW(Phdr)) > 4096)
		return NULL;
	return ehdr;
}

/* The build-id's note among those from `at` to `end`. */
static uint32_t find_build_id(const char *at, const char *end, uint8_t id[SP_BUILD_ID_MAX])
{
	while (end - at >= (long)sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)at;
		const char *name = at + sizeof *note, *desc = name + ((note->n_namesz + 3u) & ~3u);

		if (desc > end || note->n_descsz > (size_t)(end - desc))
			break;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(name, "GNU", 4) &&
			note->n_descsz <= SP_BUILD_ID_MAX) {
			memcpy(id, desc, note->n_descsz);
			return note->n_descsz;
		}
		at = desc + ((note->n_descsz + 3u) & ~3u);
	}
	return 0;
}

uint32_t sp_object_build_id(const struct dl_find_object *object, uint8_t id[SP_BUILD_ID_MAX])
{
	const ElfW(Ehdr) *ehdr = sp_object_header(object);
	uint64_t bias = object->dlfo_link_map->l_addr;
	uint32_t bytes = 0;
	int i;

	for (i = 0; ehdr && i < ehdr->e_phnum && !bytes; i++) {
		const ElfW(Phdr) *ph = (const ElfW(Phdr) *)((const char *)ehdr + ehdr->e_phoff) + i;
		const char *at = (const char *)(bias + ph->p_vaddr), *end = at + ph->p_memsz;

		if (ph->p_type == PT_NOTE && at >= (char *)object->dlfo_map_start &&
			end <= (char *)object->dlfo_map_end)
			bytes = find_build_id(at, end, id);
	}
	return bytes;
}

uint64_t sp_object_hash(uint64_t hash, const void *bytes, size_t count)
{
	const uint8_t *p = bytes;
	uint64_t word = 0;

	for (; count >= sizeof word; count -= sizeof word, p += sizeof word) {
		memcpy(&word, p, sizeof word);
		hash = (hash ^ word) * 0xff51afd7ed558ccdull, hash ^= hash >> 32;
	}
	for (; count; count--)
		hash = (hash ^ *p++) * 0xff51afd7ed558ccdull;
	return hash ^ hash >> 32;
}

uint64_t sp_object_identity(const struct dl_find_object *object)
{
	const ElfW(Ehdr) *ehdr = sp_object_header(object);
	uint8_t id[SP_BUILD_ID_MAX];
	uint32_t bytes = sp_object_build_id(object, id);

	if (!bytes)
		return 0;
	return sp_object_hash(sp_object_hash(1, id, bytes), ehdr, ehdr->e_phoff + ehdr->e_phnum * sizeof(ElfW(Phdr)));
}
