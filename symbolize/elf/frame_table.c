/* Tables of frames: see frame_table.h. */
#include "symbolize/elf/frame_table.h"

#include <elfutils/libdw.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "symbolize/base/memory.h"

#define UNPACKED_LIMIT_BYTES (256u << 20)
#define ENTRIES_LIMIT (1u << 22)
#define SECTIONS SP_FRAME_SECTIONS

/* Pointer encodings (LSB 5, 10.5). */
#define FORM_MASK 0x0f
#define BASE_MASK 0x70
#define PCREL 0x10

static const unsigned char identity[EI_NIDENT] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB};

/* --- sections ----------------------------------------------------------------------------------- */

static void unpack(struct sp_frame_section *section, const uint8_t *packed, size_t packed_bytes, uint64_t bytes)
{
	uLongf size = bytes;

	if (!bytes || bytes > UNPACKED_LIMIT_BYTES)
		return;
	section->unpacked = malloc(bytes);
	if (!section->unpacked || uncompress(section->unpacked, &size, packed, packed_bytes) != Z_OK) {
		free(section->unpacked);
		section->unpacked = NULL;
		return;
	}
	section->bytes = section->unpacked;
	section->size = size;
}

/* libdw unpacks sections in place, in its own handle. A section that it has not come to yet is unpacked here,
 * because it may never come to it. */
static void take(struct sp_frame_section *section, const struct sp_object *object, const char *name, bool debug)
{
	static const char old_magic[] = {'Z', 'L', 'I', 'B'};
	GElf_Shdr header;
	Elf_Scn *scn = sp_object_section(object, name, &header);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
	const uint8_t *bytes = data ? data->d_buf : NULL;
	const Elf64_Chdr *packed = (const void *)bytes;
	uint64_t size;

	section->debug = debug;
	if (!bytes)
		return;
	section->address = header.sh_addr;
	if (header.sh_flags & SHF_COMPRESSED) {
		if (data->d_size > sizeof(*packed) && packed->ch_type == ELFCOMPRESS_ZLIB)
			unpack(section, bytes + sizeof(*packed), data->d_size - sizeof(*packed), packed->ch_size);
	} else if (data->d_size > 12 && !memcmp(bytes, old_magic, sizeof(old_magic))) {
		memcpy(&size, bytes + 4, sizeof(size));
		unpack(section, bytes + 12, data->d_size - 12, __builtin_bswap64(size));
	} else {
		section->bytes = bytes;
		section->size = data->d_size;
	}
}

static void take_debug(struct sp_frame_section *section, const struct sp_object *object)
{
	take(section, object, ".debug_frame", true);
	if (!section->bytes)
		take(section, object, ".zdebug_frame", true);
}

/* --- entries ------------------------------------------------------------------------------------ */

static int next_entry(const struct sp_frame_section *section, uint64_t offset, uint64_t *next, Dwarf_CFI_Entry *entry)
{
	Elf_Data data = {.d_buf = (void *)(uintptr_t)section->bytes, .d_type = ELF_T_BYTE, .d_size = section->size};

	*next = UINT64_MAX;
	return dwarf_next_cfi(identity, &data, !section->debug, offset, next, entry);
}

static int bytes_of(uint8_t encoding)
{
	static const int8_t bytes[] = {8, -1, 2, 4, 8, -1, -1, -1, 8, -1, 2, 4, 8, -1, -1, -1};

	return bytes[encoding & FORM_MASK];
}

/* Reads a pointer that is not indirect and moves on; false: it is none, or of a kind that code's addresses never are. */
static bool read_pointer(const struct sp_frame_section *section, uint8_t encoding, bool relative, const uint8_t **at,
	const uint8_t *end, uint64_t *value)
{
	int bytes = bytes_of(encoding);
	unsigned shift;

	if (bytes < 0 || end - *at < bytes || (encoding & ~(FORM_MASK | PCREL)))
		return false;
	*value = 0;
	memcpy(value, *at, (size_t)bytes);
	shift = 64 - 8 * (unsigned)bytes;
	if (encoding & 8)
		*value = (uint64_t)((int64_t)(*value << shift) >> shift);
	if (relative && (encoding & BASE_MASK) == PCREL)
		*value += section->address + (uint64_t)(*at - section->bytes);
	*at += bytes;
	return true;
}

/* What an entry's CIE says of it. */
struct cie {
	uint64_t offset;
	bool good, sized, signal;
	uint8_t encoding; /* of addresses */
	Dwarf_CIE cie;
};

static bool read_augmentation(struct cie *c)
{
	const uint8_t *at = c->cie.augmentation_data, *end = at + c->cie.augmentation_data_size;
	const char *letter = c->cie.augmentation;
	int bytes;

	c->sized = *letter == 'z';
	for (letter += c->sized; *letter; letter++) {
		if (*letter == 'S' || *letter == 'B') {
			c->signal = c->signal || *letter == 'S';
			continue;
		}
		if (!c->sized || !at || at >= end || !strchr("RLP", *letter))
			return false;
		if (*letter == 'R')
			c->encoding = *at;
		bytes = *letter == 'P' ? bytes_of(*at) : 0;
		if (bytes < 0 || end - at <= bytes)
			return false;
		at += 1 + bytes;
	}
	return true;
}

static void read_cie(const struct sp_frame_section *section, uint64_t offset, struct cie *c)
{
	Dwarf_CFI_Entry entry;
	uint64_t next;

	*c = (struct cie){.offset = offset};
	if (next_entry(section, offset, &next, &entry) || !dwarf_cfi_cie_p(&entry))
		return;
	c->cie = entry.cie;
	c->good = read_augmentation(c);
}

static bool skip_sized(const uint8_t **at, const uint8_t *end)
{
	uint64_t bytes = 0;
	unsigned shift = 0;

	for (; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		bytes |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (bytes > (uint64_t)(end - *at))
			return false;
		*at += bytes;
		return true;
	}
	return false;
}

static bool read_fde(const struct sp_frame_section *section, const struct cie *c, const Dwarf_FDE *fde,
	struct sp_frame_rules *rules)
{
	const uint8_t *at = fde->start;
	uint64_t bytes;

	if (!c->good || !read_pointer(section, c->encoding, true, &at, fde->end, &rules->low) ||
		!read_pointer(section, c->encoding & (FORM_MASK & ~8), false, &at, fde->end, &bytes) ||
		(c->sized && !skip_sized(&at, fde->end)))
		return false;
	rules->high = rules->low + bytes;
	rules->then = at;
	rules->then_end = fde->end;
	rules->first = c->cie.initial_instructions;
	rules->first_end = c->cie.initial_instructions_end;
	rules->code_alignment = c->cie.code_alignment_factor;
	rules->data_alignment = c->cie.data_alignment_factor;
	rules->return_register = c->cie.return_address_register;
	rules->signal = c->signal;
	return rules->low && rules->high > rules->low && rules->first <= rules->first_end;
}

static void add(struct sp_frame_table *table, uint64_t low, uint64_t high, uint64_t offset, uint8_t section)
{
	sp_grow(&table->places, &table->capacity, table->count + 1, sizeof(*table->places));
	table->places[table->count] = (struct sp_frame_place){offset, section};
	sp_interval_map_add(&table->code, low, high, SECTIONS - section, (uint32_t)table->count++);
}

static void read_section(struct sp_frame_table *table, uint8_t index)
{
	const struct sp_frame_section *section = &table->sections[index];
	struct cie last = {.offset = UINT64_MAX};
	uint64_t offset = 0, next;

	while (offset < section->size && table->count < ENTRIES_LIMIT) {
		struct sp_frame_rules rules;
		Dwarf_CFI_Entry entry;
		int error = next_entry(section, offset, &next, &entry);

		if (error > 0 || next <= offset || next == UINT64_MAX)
			break;
		if (!error && !dwarf_cfi_cie_p(&entry)) {
			if (entry.fde.CIE_pointer != last.offset)
				read_cie(section, entry.fde.CIE_pointer, &last);
			if (read_fde(section, &last, &entry.fde, &rules))
				add(table, rules.low, rules.high, offset, index);
		}
		offset = next;
	}
}

void sp_frame_table_read(struct sp_frame_table *table, const struct sp_object *object, const struct sp_object *debug)
{
	take(&table->sections[0], object, ".eh_frame", false);
	take_debug(&table->sections[1], object);
	if (debug)
		take_debug(&table->sections[2], debug);
	for (uint8_t i = 0; i < SECTIONS; i++)
		read_section(table, i);
	sp_interval_map_sort(&table->code);
}

void sp_frame_table_free(struct sp_frame_table *table)
{
	for (size_t i = 0; i < SECTIONS; i++)
		free(table->sections[i].unpacked);
	free(table->places);
	sp_interval_map_free(&table->code);
	*table = (struct sp_frame_table){0};
}

bool sp_frame_table_find(const struct sp_frame_table *table, uint64_t address, struct sp_frame_rules *rules)
{
	const struct sp_interval *interval = sp_interval_map_find(&table->code, address);
	const struct sp_frame_section *section;
	const struct sp_frame_place *place;
	Dwarf_CFI_Entry entry;
	struct cie cie;
	uint64_t next;

	if (!interval)
		return false;
	place = &table->places[interval->index];
	section = &table->sections[place->section];
	if (next_entry(section, place->offset, &next, &entry) || dwarf_cfi_cie_p(&entry))
		return false;
	read_cie(section, entry.fde.CIE_pointer, &cie);
	return read_fde(section, &cie, &entry.fde, rules);
}
