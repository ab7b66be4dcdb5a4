/* Units out of DWARF packages: see dwp.h. */
#include "symbolize/dwarf/dwp.h"

#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/base/input.h"
#include "symbolize/base/memory.h"
#include "symbolize/dwarf/abbreviation.h"

#define UNITS_LIMIT (1u << 24)
#define SPLIT_UNITS_LIMIT 4096u
#define COLUMNS_LIMIT 16u
/* At least a third of an index is empty (DWARF 5, 7.3.5.3): (2/3)^256 of ids are further away. */
#define PROBES_LIMIT 256u
#define HANDLES_BYTES 8192u /* about what libdw and libelf hold for a unit */
/* Of tables in the program that do not tell where the unit's part ends. */
#define REST_LIMIT_BYTES (1u << 20)

/* Columns of the index that are of use here; the same in both versions, but for the last. */
enum column { INFO = 1, ABBREV = 3, LINE = 4, STR_OFFSETS = 6, RNGLISTS = 8 };

struct slice {
	const uint8_t *at; /* NULL: none */
	size_t bytes;
};

/* The index: a hash table of rows; a row tells where in the sections a unit's contributions are. */
struct index {
	const uint8_t *signatures, *rows, *columns, *offsets, *sizes;
	uint32_t version, column_count, unit_count, slot_count;
};

struct unit {
	Elf *elf;
	Dwarf *dwarf;
	uint8_t *info, *abbrev;
	size_t bytes; /* held */
};

struct sp_dwp {
	struct sp_object file;
	const struct sp_object *program;
	struct index index;
	bool split;         /* one source's: there is no index, and the sections are the units' */
	struct unit *units; /* made so far */
	size_t count, capacity;
};

/* The contents, unpacked where they are compressed. */
static struct slice section(const struct sp_object *object, const char *name)
{
	GElf_Shdr header;
	Elf_Scn *scn = sp_object_section(object, name, &header);
	bool packed = scn && (header.sh_flags & SHF_COMPRESSED);
	Elf_Data *data = scn && (!packed || elf_compress(scn, 0, 0) >= 0) ? elf_getdata(scn, NULL) : NULL;

	return data && data->d_buf ? (struct slice){data->d_buf, data->d_size} : (struct slice){0};
}

static struct slice part(struct slice whole, uint64_t offset, uint64_t bytes)
{
	if (!whole.at || offset > whole.bytes || bytes > whole.bytes - offset)
		return (struct slice){0};
	return (struct slice){whole.at + offset, bytes};
}

static uint64_t number_at(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static int read_index(struct index *index, struct slice from)
{
	struct sp_input in = {.at = from.at, .end = from.at + from.bytes};
	uint64_t wanted;

	index->version = (uint32_t)sp_take(&in, 4) & 0xffffu; /* 16 bits of padding since version 5 */
	index->column_count = (uint32_t)sp_take(&in, 4);
	index->unit_count = (uint32_t)sp_take(&in, 4);
	index->slot_count = (uint32_t)sp_take(&in, 4);
	if (in.bad || (index->version != 2 && index->version != 5) || index->column_count > COLUMNS_LIMIT ||
		index->unit_count > UNITS_LIMIT || index->slot_count > 2 * UNITS_LIMIT || !index->slot_count ||
		(index->slot_count & (index->slot_count - 1)))
		return -EINVAL;
	index->signatures = in.at;
	wanted = (uint64_t)index->slot_count * 12 + (1 + 2 * (uint64_t)index->unit_count) * index->column_count * 4;
	sp_skip(&in, wanted);
	index->rows = index->signatures + (size_t)index->slot_count * 8;
	index->columns = index->rows + (size_t)index->slot_count * 4;
	index->offsets = index->columns + (size_t)index->column_count * 4;
	index->sizes = index->offsets + (size_t)index->unit_count * index->column_count * 4;
	return in.bad ? -EINVAL : 0;
}

static struct sp_dwp *open_file(const char *path, const struct sp_object *object, int *error)
{
	struct sp_dwp *dwp = sp_alloc(1, sizeof(*dwp));

	*error = sp_object_open(&dwp->file, path);
	if (*error) {
		free(dwp);
		return NULL;
	}
	if (dwp->file.image.partial)
		*error = -ENOMEM;
	dwp->program = object;
	return dwp;
}

struct sp_dwp *sp_dwp_open(const char *path, const struct sp_object *object, int *error)
{
	struct sp_dwp *dwp = open_file(path, object, error);
	struct slice index;

	if (dwp && sp_object_can_unpack(&dwp->file)) {
		index = section(&dwp->file, ".debug_cu_index");
		if (index.at && !read_index(&dwp->index, index))
			return dwp;
	}
	sp_dwp_close(dwp);
	return NULL;
}

struct sp_dwp *sp_dwp_open_dwo(const char *path, const struct sp_object *object, int *error)
{
	struct sp_dwp *dwp = open_file(path, object, error);

	if (dwp)
		dwp->split = true;
	if (dwp && sp_object_can_unpack(&dwp->file) && section(&dwp->file, ".debug_info.dwo").at)
		return dwp;
	sp_dwp_close(dwp);
	return NULL;
}

static void free_unit(struct unit *unit)
{
	dwarf_end(unit->dwarf);
	elf_end(unit->elf);
	free(unit->info);
	free(unit->abbrev);
}

void sp_dwp_close(struct sp_dwp *dwp)
{
	if (!dwp)
		return;
	for (size_t i = 0; i < dwp->count; i++)
		free_unit(&dwp->units[i]);
	free(dwp->units);
	sp_object_close(&dwp->file);
	free(dwp);
}

/* The row of a unit, counted from 1; 0: none. */
static uint32_t find_row(const struct index *index, uint64_t id)
{
	uint32_t mask = index->slot_count - 1, at = (uint32_t)id & mask, step = ((uint32_t)(id >> 32) & mask) | 1;

	for (uint32_t probes = 0; probes <= mask && probes < PROBES_LIMIT; probes++, at = (at + step) & mask) {
		uint32_t row = (uint32_t)number_at(index->rows + (size_t)at * 4, 4);

		if (!row)
			return 0;
		if (number_at(index->signatures + (size_t)at * 8, 8) == id)
			return row <= index->unit_count ? row : 0;
	}
	return 0;
}

/* Unit number `row`, counted from 1, of a file without an index. */
static struct slice split_unit(const struct sp_dwp *dwp, uint32_t row)
{
	struct slice info = section(&dwp->file, ".debug_info.dwo"), unit = {0};

	for (uint32_t i = 0; i < row; i++) {
		uint64_t length = info.bytes > 4 ? number_at(info.at, 4) : 0;

		unit = length ? part(info, 0, length + 4) : (struct slice){0};
		if (!unit.at)
			return unit;
		info = part(info, unit.bytes, info.bytes - unit.bytes);
	}
	return unit;
}

/* What a unit has of the section in this column. */
static struct slice contribution(const struct sp_dwp *dwp, uint32_t row, enum column column, const char *name)
{
	const struct index *index = &dwp->index;

	if (dwp->split)
		return column == INFO ? split_unit(dwp, row) : section(&dwp->file, name);
	for (uint32_t i = 0; i < index->column_count; i++) {
		size_t cell = ((size_t)(row - 1) * index->column_count + i) * 4;

		if (number_at(index->columns + (size_t)i * 4, 4) == column)
			return part(section(&dwp->file, name), number_at(index->offsets + cell, 4),
				number_at(index->sizes + cell, 4));
	}
	return (struct slice){0};
}

/* --- making a split unit a plain one ---------------------------------------------------------- */

/* The abbreviation of the unit's own DIE, in a table of abbreviations. */
struct abbreviation {
	size_t attributes; /* where its list of them begins */
	bool found;
};

static struct abbreviation find_abbreviation(struct slice table, uint64_t code)
{
	struct sp_input in = {.at = table.at, .end = table.at + table.bytes};
	uint64_t here, tag, name, form;
	bool children;

	while (sp_abbreviation_take(&in, &here, &tag, &children)) {
		if (here == code)
			return (struct abbreviation){(size_t)(in.at - table.at), true};
		while (sp_attribute_take(&in, &name, &form))
			;
	}
	return (struct abbreviation){0};
}

/* Where the unit's code starts, which addresses in its lists of ranges are relative to. */
static uint64_t base_address(Dwarf_Die *skeleton)
{
	Dwarf_Addr low;

	return dwarf_lowpc(skeleton, &low) ? 0 : low;
}

/* DWARF 5: without the id in its header, which a plain unit has not, there is room before the unit's DIE for
 * one more attribute of 8 bytes; its code moves to the front. */
static int make_plain_5(struct unit *unit, struct slice info, struct slice abbrev, uint64_t base)
{
	static const uint8_t low_pc[] = {DW_AT_low_pc, DW_FORM_addr};
	const size_t plain_header = 12, split_header = 20;
	struct sp_input in = {.at = info.at + split_header, .end = info.at + info.bytes};
	struct abbreviation entry;
	size_t code_bytes;

	if (info.bytes <= split_header || info.at[6] != DW_UT_split_compile || info.at[7] != 8)
		return -ENOENT;
	entry = find_abbreviation(abbrev, sp_take_leb(&in, false));
	code_bytes = (size_t)(in.at - (info.at + split_header));
	if (in.bad || !entry.found)
		return -ENOENT;
	unit->abbrev = sp_alloc_bytes(abbrev.bytes + sizeof(low_pc));
	memcpy(unit->abbrev, abbrev.at, entry.attributes);
	memcpy(unit->abbrev + entry.attributes, low_pc, sizeof(low_pc));
	memcpy(unit->abbrev + entry.attributes + sizeof(low_pc), abbrev.at + entry.attributes,
		abbrev.bytes - entry.attributes);
	unit->info[6] = DW_UT_compile;
	memmove(unit->info + plain_header, unit->info + split_header, code_bytes);
	memcpy(unit->info + plain_header + code_bytes, &base, sizeof(base));
	return (int)sizeof(low_pc);
}

/* Before DWARF 5 the id is an attribute of 8 bytes. */
struct id_place {
	size_t attribute, value; /* where it stands in the abbreviations, and in the unit */
	bool found;
};

static struct id_place find_id_4(struct slice info, struct slice abbrev)
{
	static const struct sp_unit_format format = {.version = 4, .address_bytes = 8, .offset_bytes = 4};
	const size_t header = 11;
	struct sp_input in = {.at = info.at + header, .end = info.at + info.bytes}, list;
	struct abbreviation entry;

	if (info.bytes <= header || info.at[10] != 8)
		return (struct id_place){0};
	entry = find_abbreviation(abbrev, sp_take_leb(&in, false));
	list = (struct sp_input){.at = abbrev.at + entry.attributes, .end = abbrev.at + abbrev.bytes};
	while (entry.found && !in.bad && !list.bad) {
		size_t at = (size_t)(list.at - abbrev.at);
		uint64_t name, form;

		if (!sp_attribute_take(&list, &name, &form))
			break;
		if (name == DW_AT_GNU_dwo_id && form == DW_FORM_data8 && in.end - in.at >= 8)
			return (struct id_place){at, (size_t)(in.at - info.at), true};
		sp_form_skip(&format, &in, form > UINT16_MAX ? UINT16_MAX : (unsigned)form);
	}
	return (struct id_place){0};
}

/* The id becomes the address of the code. */
static int make_plain_4(struct unit *unit, struct slice info, struct slice abbrev, uint64_t base)
{
	struct id_place id = find_id_4(info, abbrev);

	if (!id.found)
		return -ENOENT;
	unit->abbrev = sp_alloc_bytes(abbrev.bytes);
	memcpy(unit->abbrev, abbrev.at, abbrev.bytes);
	unit->abbrev[id.attribute] = DW_AT_low_pc | 0x80; /* the name's two bytes of LEB128 */
	unit->abbrev[id.attribute + 1] = 0;
	unit->abbrev[id.attribute + 2] = DW_FORM_addr;
	memcpy(unit->info + id.value, &base, sizeof(base));
	return 0;
}

/* --- an ELF object of them -------------------------------------------------------------------- */

static int add_section(Elf *elf, struct slice names, const char *name, struct slice contents)
{
	Elf_Scn *scn = contents.at ? elf_newscn(elf) : NULL;
	Elf64_Shdr *header = scn ? elf64_getshdr(scn) : NULL;
	Elf_Data *data = header ? elf_newdata(scn) : NULL;
	const char *found = memmem(names.at, names.bytes, name, strlen(name) + 1);

	if (!contents.at)
		return 0;
	if (!data || !found)
		return -ENOMEM;
	header->sh_name = (Elf64_Word)(found - (const char *)names.at);
	header->sh_type = *name == '.' && name[1] == 'd' ? SHT_PROGBITS : SHT_STRTAB;
	header->sh_size = contents.bytes;
	*data = (Elf_Data){.d_buf = (void *)contents.at,
		.d_type = ELF_T_BYTE,
		.d_version = EV_CURRENT,
		.d_size = contents.bytes,
		.d_align = 1};
	return 0;
}

/* A table in the program: from the unit's base on. */
static struct slice from_base(const struct sp_dwp *dwp, const char *name, Dwarf_Die *skeleton, unsigned base,
	unsigned other_base)
{
	struct slice whole = section(dwp->program, name);
	Dwarf_Attribute attribute;
	Dwarf_Word offset = 0;

	if ((dwarf_attr(skeleton, base, &attribute) || dwarf_attr(skeleton, other_base, &attribute)) &&
		dwarf_formudata(&attribute, &offset))
		return (struct slice){0};
	if (!whole.at || offset >= whole.bytes)
		return (struct slice){0};
	whole = part(whole, offset, whole.bytes - offset);
	return part(whole, 0, whole.bytes < REST_LIMIT_BYTES ? whole.bytes : REST_LIMIT_BYTES);
}

static const char section_names[] = "\0.debug_info\0.debug_abbrev\0.debug_str\0.debug_str_offsets\0.debug_rnglists"
				    "\0.debug_addr\0.debug_ranges\0.shstrtab";

static Elf *begin_elf(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* nothing is ever written */
	Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_WRITE, NULL);
	Elf64_Ehdr *header = elf ? elf64_newehdr(elf) : NULL;

	if (elf)
		elf_cntl(elf, ELF_C_FDDONE);
	if (fd >= 0)
		close(fd);
	if (!header) {
		elf_end(elf);
		return NULL;
	}
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_type = ET_EXEC;
	header->e_machine = EM_X86_64;
	header->e_version = EV_CURRENT;
	return elf;
}

static int make_elf(struct unit *unit, const struct sp_dwp *dwp, uint32_t row, Dwarf_Die *skeleton, struct slice info,
	struct slice abbrev)
{
	struct slice rnglists = {0}, ranges = {0}, names = {(const uint8_t *)section_names, sizeof(section_names)};
	Elf64_Half index = 0;
	int rc = 0;

	if (number_at(info.at + 4, 2) == 5)
		rnglists = contribution(dwp, row, RNGLISTS, ".debug_rnglists.dwo");
	else
		ranges = from_base(dwp, ".debug_ranges", skeleton, DW_AT_GNU_ranges_base, 0);
	const struct {
		const char *name;
		struct slice contents;
	} sections[] = {
		{".debug_info", info},
		{".debug_abbrev", abbrev},
		{".debug_str", section(&dwp->file, ".debug_str.dwo")},
		{".debug_str_offsets", contribution(dwp, row, STR_OFFSETS, ".debug_str_offsets.dwo")},
		{".debug_rnglists", rnglists},
		{".debug_addr", from_base(dwp, ".debug_addr", skeleton, DW_AT_addr_base, DW_AT_GNU_addr_base)},
		{".debug_ranges", ranges},
		{".shstrtab", names},
	};
	unit->elf = begin_elf();
	if (!unit->elf)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]) && !rc; i++) {
		rc = add_section(unit->elf, names, sections[i].name, sections[i].contents);
		index += sections[i].contents.at != NULL;
	}
	elf64_getehdr(unit->elf)->e_shstrndx = index;
	return rc;
}

/* The unit's version, 4 or 5; 0: none of them. */
static uint64_t version_of(struct slice info)
{
	uint64_t version = info.bytes > 12 && number_at(info.at, 4) < 0xfffffff0u ? number_at(info.at + 4, 2) : 0;

	return version == 4 || version == 5 ? version : 0;
}

/* Where in its header a unit tells where its abbreviations are. */
static size_t abbreviations_at(uint64_t version)
{
	return version == 5 ? 8 : 6;
}

/* The unit's abbreviations, from the first one on. */
static struct slice abbreviations(const struct sp_dwp *dwp, uint32_t row, struct slice info)
{
	struct slice all = contribution(dwp, row, ABBREV, ".debug_abbrev.dwo");
	uint64_t offset = version_of(info) ? number_at(info.at + abbreviations_at(version_of(info)), 4) : 0;

	return offset <= all.bytes ? part(all, offset, all.bytes - offset) : (struct slice){0};
}

static int make_unit(struct unit *unit, const struct sp_dwp *dwp, uint32_t row, Dwarf_Die *skeleton, Dwarf_Die *body)
{
	struct slice info = contribution(dwp, row, INFO, ".debug_info.dwo");
	struct slice abbrev = abbreviations(dwp, row, info);
	uint64_t version = version_of(info), base = base_address(skeleton);
	Dwarf_CU *cu = NULL;
	int more;

	if (!info.at || !abbrev.at || !version)
		return -ENOENT;
	unit->info = sp_alloc_bytes(info.bytes);
	memcpy(unit->info, info.at, info.bytes);
	memset(unit->info + abbreviations_at(version), 0, 4);
	more = version == 5 ? make_plain_5(unit, info, abbrev, base) : make_plain_4(unit, info, abbrev, base);
	if (more < 0)
		return more;
	more = make_elf(unit, dwp, row, skeleton, (struct slice){unit->info, info.bytes},
		(struct slice){unit->abbrev, abbrev.bytes + (size_t)more});
	if (more)
		return more;
	unit->bytes = info.bytes + abbrev.bytes + HANDLES_BYTES;
	unit->dwarf = dwarf_begin_elf(unit->elf, DWARF_C_READ, NULL);
	return unit->dwarf && !dwarf_get_units(unit->dwarf, NULL, &cu, NULL, NULL, body, NULL) ? 0 : -ENOENT;
}

static void read_files(const struct sp_dwp *dwp, uint32_t row, struct sp_file_table *files)
{
	struct slice line = contribution(dwp, row, LINE, ".debug_line.dwo");
	struct slice str = section(&dwp->file, ".debug_str.dwo");
	struct sp_file_texts texts = {.str = (const char *)str.at, .str_bytes = str.bytes};
	struct sp_line_table lines = {0};
	struct sp_interval_map no_code = {0};

	if (!line.at)
		return;
	sp_line_table_read(&lines, line.at, line.bytes, 0, &no_code);
	sp_file_table_read(files, &lines.tables, &texts);
	sp_line_table_free(&lines);
}

static bool has_id(const struct sp_dwp *dwp, uint32_t row, struct slice info, uint64_t id)
{
	struct id_place place;

	if (version_of(info) == 5)
		return info.bytes > 20 && info.at[6] == DW_UT_split_compile && number_at(info.at + 12, 8) == id;
	if (version_of(info) != 4)
		return false;
	place = find_id_4(info, abbreviations(dwp, row, info));
	return place.found && number_at(info.at + place.value, 8) == id;
}

static uint32_t find_split(const struct sp_dwp *dwp, uint64_t id)
{
	struct slice info;

	for (uint32_t row = 1; row < SPLIT_UNITS_LIMIT && (info = split_unit(dwp, row)).at; row++)
		if (has_id(dwp, row, info, id))
			return row;
	return 0;
}

/* The row of a skeleton unit's split part; 0: none. */
static uint32_t find_unit(const struct sp_dwp *dwp, Dwarf_Die *skeleton)
{
	uint8_t type;
	uint64_t id;

	if (dwarf_cu_info(skeleton->cu, NULL, &type, NULL, NULL, &id, NULL, NULL) || type != DW_UT_skeleton)
		return 0;
	return dwp->split ? find_split(dwp, id) : find_row(&dwp->index, id);
}

bool sp_dwp_has(const struct sp_dwp *dwp, Dwarf_Die *skeleton)
{
	return find_unit(dwp, skeleton);
}

int sp_dwp_find(struct sp_dwp *dwp, Dwarf_Die *skeleton, Dwarf_Die *body, struct sp_file_table *files, size_t *bytes)
{
	uint32_t row = find_unit(dwp, skeleton);
	struct unit unit = {0};
	int rc;

	if (!row)
		return -ENOENT;
	sp_grow(&dwp->units, &dwp->capacity, dwp->count + 1, sizeof(unit));
	rc = make_unit(&unit, dwp, row, skeleton, body);
	if (rc) {
		free_unit(&unit);
		return rc;
	}
	read_files(dwp, row, files);
	dwp->units[dwp->count++] = unit;
	*bytes = unit.bytes + files->count * sizeof(*files->list);
	return 0;
}
