/* Whether the constants of a program are in another build of it, too. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "symbolize/elf/code_hash.h"

#define SECTION_BYTES_MAX (16u << 20)
#define TABLE_BYTES_MAX 65536u /* of distances to code, as compilers make them of a switch */

/* Hashes of what stands between zeros. */
struct constants {
	uint64_t *hashes;
	size_t count, capacity;
};

/* Where things lie in an object. */
struct places {
	uint64_t image_low, image_high, code_low, code_high;
};

static struct places find_places(const struct sp_object *object)
{
	struct places p = {.code_low = UINT64_MAX};
	Elf_Scn *scn = NULL;
	GElf_Shdr h;

	sp_object_image(object, &p.image_low, &p.image_high);
	while ((scn = elf_nextscn(object->elf, scn)))
		if (gelf_getshdr(scn, &h) && (h.sh_flags & SHF_EXECINSTR)) {
			p.code_low = h.sh_addr < p.code_low ? h.sh_addr : p.code_low;
			p.code_high = h.sh_addr + h.sh_size > p.code_high ? h.sh_addr + h.sh_size : p.code_high;
		}
	return p;
}

/* Whether a number tells how far code is from the beginning of a table, which is not far before the number. */
static bool is_distance(const struct places *p, uint64_t section, uint64_t address, int32_t number)
{
	uint64_t first = address - section < TABLE_BYTES_MAX ? section : address - TABLE_BYTES_MAX;
	uint64_t far = (uint64_t)(int64_t)number;

	return number && (int64_t)(address + far) >= (int64_t)p->code_low &&
		(int64_t)(first + far) < (int64_t)p->code_high;
}

/* Zeroes what tells where code and data lie. */
static void mask(const struct places *p, uint8_t *bytes, size_t count, uint64_t section)
{
	for (size_t at = (4 - section % 4) % 4; at + 4 <= count; at += 4) {
		uint64_t address = section + at, wide = 0;
		int32_t number;

		memcpy(&number, bytes + at, sizeof(number));
		if (address % 8 == 0 && at + 8 <= count)
			memcpy(&wide, bytes + at, sizeof(wide));
		if (wide && wide >= p->image_low && wide < p->image_high)
			memset(bytes + at, 0, 8);
		else if (is_distance(p, section, address, number))
			memset(bytes + at, 0, 4);
	}
}

/* What the loader writes addresses over. */
static void mask_relocated(const struct sp_object *object, uint8_t *bytes, size_t count, uint64_t section)
{
	GElf_Shdr h;
	Elf_Scn *scn = sp_object_section(object, ".rela.dyn", &h);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	size_t relocations = data ? data->d_size / sizeof(Elf64_Rela) : 0;
	GElf_Rela r;

	for (size_t i = 0; i < relocations && gelf_getrela(data, (int)i, &r); i++)
		if (r.r_offset >= section && count >= 8 && r.r_offset - section <= count - 8)
			memset(bytes + (r.r_offset - section), 0, 8);
}

static void add_all(struct constants *c, const uint8_t *bytes, size_t count)
{
	for (size_t at = 0, end; at < count; at = end + 1) {
		for (end = at; end < count && bytes[end]; end++)
			;
		if (end == at)
			continue;
		sp_grow(&c->hashes, &c->capacity, c->count + 1, sizeof(*c->hashes));
		c->hashes[c->count++] = sp_code_hash_add(SP_CODE_HASH_START, bytes + at, end - at);
	}
}

static bool has_constants(const char *name)
{
	static const char *const names[] = {".rodata", ".data", ".data.rel.ro"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int by_hash(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int read_constants(struct constants *c, const char *path)
{
	struct sp_object object = {0};
	struct places places;
	Elf_Scn *scn = NULL;
	GElf_Shdr h;
	int rc = sp_object_open(&object, path);

	if (rc)
		return rc;
	places = find_places(&object);
	/* Not by sp_object_section: of an image, sections of code and constants have no contents, and are read by address. */
	while (!rc && (scn = elf_nextscn(object.elf, scn))) {
		uint8_t *bytes = NULL;

		if (!gelf_getshdr(scn, &h) || !has_constants(sp_elf_section_name(object.elf, &h)) || !h.sh_size)
			continue;
		if (h.sh_size <= SECTION_BYTES_MAX)
			bytes = sp_object_bytes(&object, h.sh_addr, h.sh_addr + h.sh_size);
		rc = bytes ? 0 : -ENODATA;
		if (bytes) {
			mask_relocated(&object, bytes, h.sh_size, h.sh_addr);
			mask(&places, bytes, h.sh_size, h.sh_addr);
			add_all(c, bytes, h.sh_size);
		}
		free(bytes);
	}
	sp_object_close(&object);
	if (c->count)
		qsort(c->hashes, c->count, sizeof(*c->hashes), by_hash);
	return rc;
}

/* Both in order: as often as in the first, at the least, in the second. */
static bool are_all_in(const struct constants *first, const struct constants *second)
{
	size_t at = 0;

	for (size_t i = 0; i < first->count; i++, at++) {
		while (at < second->count && second->hashes[at] < first->hashes[i])
			at++;
		if (at == second->count || second->hashes[at] != first->hashes[i])
			return false;
	}
	return true;
}

int sp_symbolize_constants_kept(const char *before, const char *now)
{
	struct constants first = {0}, second = {0};
	int rc = read_constants(&first, before);

	if (!rc)
		rc = read_constants(&second, now);
	if (!rc)
		rc = are_all_in(&first, &second);
	free(first.hashes);
	free(second.hashes);
	return rc;
}
