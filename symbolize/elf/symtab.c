/* Function names from ELF symbol tables: see symtab.h. */
#include "symbolize/elf/symtab.h"

#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "symbolize/base/strings.h"

#define SYMBOL_LIMIT (16u << 20)

/* A symbol before the extent of those without a size is known. */
struct candidate {
	const char *name;
	uint64_t low, high; /* high == low: no size given */
	uint64_t section_end;
	uint32_t rank;
	uint32_t file; /* of a local symbol: 1 + index into files; 0: none */
	bool ambiguous;
	bool several;   /* the first of a name: there are other functions of this name */
	uint64_t whole; /* address of the function that this is the cold part of; 0: it is none */
};

#define RANK_EXPORTED (1u << 11)
#define RANK_FUNCTION (1u << 10)
#define RANK_LENGTH 31u

struct loader {
	struct candidate *list;
	size_t count, capacity;
	struct sp_interval_map sections; /* executable ones of the file being read */
	const char **files;              /* names of STT_FILE symbols, as they come */
	size_t files_count, files_capacity;
	bool locals; /* there are local functions */
};

static void load_sections(struct loader *loader, const struct sp_object *object)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr header;

	sp_interval_map_free(&loader->sections);
	while ((scn = elf_nextscn(object->elf, scn))) {
		if (gelf_getshdr(scn, &header) && (header.sh_flags & SHF_EXECINSTR) && (header.sh_flags & SHF_ALLOC))
			sp_interval_map_add(&loader->sections, header.sh_addr, header.sh_addr + header.sh_size, 0, 0);
	}
	sp_interval_map_sort(&loader->sections);
}

/* Which of several names for one address people know best: exported before local, functions before
 * labels, `write` before `__write`, `free` before `cfree`. */
static uint32_t rank_of(const GElf_Sym *symbol, const char *name)
{
	size_t underscores = strspn(name, "_"), length = strlen(name);
	bool mangled = name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
	uint32_t rank = 0;

	rank |= GELF_ST_BIND(symbol->st_info) != STB_LOCAL ? RANK_EXPORTED : 0;
	rank |= GELF_ST_TYPE(symbol->st_info) != STT_NOTYPE ? RANK_FUNCTION : 0;
	rank |= (mangled ? 15u : 15u - (uint32_t)(underscores < 15 ? underscores : 15)) << 6;
	rank |= GELF_ST_BIND(symbol->st_info) == STB_GLOBAL ? 1u << 5 : 0;
	rank |= mangled ? 0 : RANK_LENGTH - (uint32_t)(length < RANK_LENGTH ? length : RANK_LENGTH);
	return rank;
}

static bool is_code_symbol(const GElf_Sym *symbol)
{
	unsigned char type = GELF_ST_TYPE(symbol->st_info);

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS || symbol->st_shndx == SHN_COMMON)
		return false;
	return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
}

static void add_candidate(struct loader *loader, const GElf_Sym *symbol, const char *name)
{
	const struct sp_interval *section = sp_interval_map_find(&loader->sections, symbol->st_value);
	uint64_t size = symbol->st_size;

	if (!section || !name || !*name)
		return;
	sp_grow(&loader->list, &loader->capacity, loader->count + 1, sizeof(*loader->list));
	if (GELF_ST_BIND(symbol->st_info) == STB_LOCAL && GELF_ST_TYPE(symbol->st_info) == STT_FUNC)
		loader->locals = true;
	if (size > section->high - symbol->st_value)
		size = section->high - symbol->st_value;
	loader->list[loader->count++] = (struct candidate){
		.name = name,
		.low = symbol->st_value,
		.high = symbol->st_value + size,
		.section_end = section->high,
		.rank = rank_of(symbol, name),
		.file = GELF_ST_BIND(symbol->st_info) == STB_LOCAL ? (uint32_t)loader->files_count : 0,
	};
}

/* The local symbols that follow are this source file's. */
static void add_file(struct loader *loader, const char *name)
{
	sp_grow(&loader->files, &loader->files_capacity, loader->files_count + 1, sizeof(*loader->files));
	loader->files[loader->files_count++] = name ? name : "";
}

/* A hash table of 1 + index into the list. */
struct name_table {
	const struct loader *loader;
	bool by_file;                                  /* the same name in two files is two */
	size_t (*cut)(const char *name, size_t bytes); /* to what counts as the name */
	uint32_t *slots;
	size_t mask;
};

/* The slot of a name: empty, or that of the first such symbol. file: as in a candidate. */
static uint32_t *name_slot(const struct name_table *table, const char *name, uint32_t file)
{
	size_t bytes = table->cut(name, strlen(name));
	size_t at = (sp_strings_hash(name, bytes) + (table->by_file ? file * 0x9e3779b9u : 0)) & table->mask;

	for (; table->slots[at]; at = (at + 1) & table->mask) {
		const struct candidate *other = &table->loader->list[table->slots[at] - 1];

		if ((!table->by_file || other->file == file) && !strncmp(other->name, name, bytes) &&
			table->cut(other->name, strlen(other->name)) == bytes)
			break;
	}
	return &table->slots[at];
}

static void make_table(struct name_table *table, const struct loader *loader, bool by_file,
	size_t (*cut)(const char *name, size_t bytes))
{
	size_t capacity = 64;

	while (capacity < loader->count * 2)
		capacity *= 2;
	*table = (struct name_table){.loader = loader,
		.by_file = by_file,
		.cut = cut,
		.slots = sp_alloc(capacity, sizeof(*table->slots)),
		.mask = capacity - 1};
}

/* Marks local symbols whose name local symbols of other files have too, once clones have their origins' names. Cold
 * parts have their functions'. */
static void mark_ambiguous(struct loader *loader)
{
	struct name_table table;

	make_table(&table, loader, false, sp_strings_cut_origin);
	for (size_t i = 0; i < loader->count; i++) {
		const struct candidate *c = &loader->list[i];
		uint32_t *slot = c->file && !c->whole ? name_slot(&table, c->name, c->file) : NULL;

		if (slot && !*slot)
			*slot = (uint32_t)i + 1;
		else if (slot && loader->list[*slot - 1].file != c->file)
			loader->list[*slot - 1].ambiguous = true;
	}
	for (size_t i = 0; i < loader->count; i++) {
		struct candidate *c = &loader->list[i];

		if (c->file && !c->whole)
			c->ambiguous = loader->list[*name_slot(&table, c->name, c->file) - 1].ambiguous;
	}
	free(table.slots);
}

static bool is_cold(const char *name)
{
	const char *mark = strstr(name, ".cold");

	return mark && !strchr(mark, '@') && sp_strings_cut(name, strlen(name)) < strlen(name);
}

/* Functions by name and file, and by name alone. */
struct whole_tables {
	struct name_table in_file, anywhere;
};

static void add_whole(struct loader *loader, const struct whole_tables *tables, size_t i)
{
	const struct candidate *c = &loader->list[i];
	uint32_t *slot = name_slot(&tables->in_file, c->name, c->file);

	if (!*slot)
		*slot = (uint32_t)i + 1;
	slot = name_slot(&tables->anywhere, c->name, c->file);
	if (!*slot)
		*slot = (uint32_t)i + 1;
	else if (loader->list[*slot - 1].low != c->low)
		loader->list[*slot - 1].several = true;
}

/* 1 + index of the function that a cold part is of: one in its own file, else an exported one, else the only one of
 * the name, as linkers put functions that they make local behind all files. 0: none. */
static uint32_t whole_of(const struct loader *loader, const struct whole_tables *tables, const struct candidate *cold)
{
	uint32_t found = *name_slot(&tables->in_file, cold->name, cold->file);

	if (!found)
		found = *name_slot(&tables->in_file, cold->name, 0);
	if (found)
		return found;
	found = *name_slot(&tables->anywhere, cold->name, 0);
	return found && !loader->list[found - 1].several ? found : 0;
}

static void find_whole(struct loader *loader)
{
	struct whole_tables tables = {0};
	size_t cold = 0;

	while (cold < loader->count && !is_cold(loader->list[cold].name))
		cold++;
	if (cold == loader->count)
		return;
	make_table(&tables.in_file, loader, true, sp_strings_cut);
	make_table(&tables.anywhere, loader, false, sp_strings_cut);
	for (size_t i = 0; i < loader->count; i++)
		if (!is_cold(loader->list[i].name))
			add_whole(loader, &tables, i);
	for (size_t i = 0; i < loader->count; i++) {
		struct candidate *c = &loader->list[i];
		uint32_t whole = is_cold(c->name) ? whole_of(loader, &tables, c) : 0;

		c->whole = whole ? loader->list[whole - 1].low : 0;
	}
	free(tables.in_file.slots);
	free(tables.anywhere.slots);
}

/* Reads one table of the object. Returns the number of symbols taken. */
static size_t load_table(struct loader *loader, const struct sp_object *object, const char *section, bool want_unsized)
{
	size_t before = loader->count;
	GElf_Shdr header;
	Elf_Scn *scn = sp_object_section(object, section, &header);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	size_t entry = gelf_fsize(object->elf, ELF_T_SYM, 1, EV_CURRENT);
	size_t count = data && entry ? data->d_size / entry : 0;

	if (count)
		load_sections(loader, object);
	for (size_t i = 0; i < count && i < SYMBOL_LIMIT; i++) {
		GElf_Sym symbol;

		if (!gelf_getsym(data, (int)i, &symbol))
			break;
		if (GELF_ST_TYPE(symbol.st_info) == STT_FILE)
			add_file(loader, elf_strptr(object->elf, header.sh_link, symbol.st_name));
		else if (is_code_symbol(&symbol) && (symbol.st_size || want_unsized))
			add_candidate(loader, &symbol, elf_strptr(object->elf, header.sh_link, symbol.st_name));
	}
	return loader->count - before;
}

static int compare_low(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	return a->low < b->low ? -1 : a->low > b->low;
}

static void add_sized(struct sp_symtab *table, const struct loader *loader)
{
	for (size_t i = 0; i < loader->count; i++) {
		const struct candidate *c = &loader->list[i];

		table->symbols[i] = (struct sp_elf_symbol){
			.name = c->name,
			.address = c->low,
			.file = c->ambiguous ? loader->files[c->file - 1] : NULL,
			.whole = c->whole,
			.exported = c->rank & RANK_EXPORTED,
			.sized = c->high > c->low,
		};
		sp_interval_map_add(&table->sized, c->low, c->high, c->rank, (uint32_t)i);
	}
	sp_interval_map_sort(&table->sized);
}

/* A label inside a function that tells its size names nothing: neither its rest nor the padding behind it. */
static void add_unsized(struct sp_symtab *table, const struct loader *loader)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = loader->count; i-- > 0;) {
		const struct candidate *c = &loader->list[i];

		if (i + 1 < loader->count && loader->list[i + 1].low > c->low)
			next = loader->list[i + 1].low;
		if (c->high == c->low && !sp_interval_map_find(&table->sized, c->low))
			sp_interval_map_add(&table->unsized, c->low, next < c->section_end ? next : c->section_end,
				c->rank, (uint32_t)i);
	}
	sp_interval_map_sort(&table->unsized);
}

static void build_intervals(struct sp_symtab *table, struct loader *loader)
{
	table->symbols = sp_alloc(loader->count, sizeof(*table->symbols));
	table->count = loader->count;
	find_whole(loader);
	mark_ambiguous(loader);
	if (loader->count)
		qsort(loader->list, loader->count, sizeof(*loader->list), compare_low);
	add_sized(table, loader);
	add_unsized(table, loader);
}

bool sp_symtab_is_full(const struct sp_object *object)
{
	return sp_object_section(object, ".symtab", NULL);
}

void sp_symtab_load(struct sp_symtab *table, const struct sp_object *main, const struct sp_object *debug,
	const struct sp_object *mini)
{
	struct loader loader = {0};
	size_t got = load_table(&loader, main, ".symtab", true);

	if (!got && debug)
		got = load_table(&loader, debug, ".symtab", true);
	table->full = got > 0 && loader.locals;
	table->source = got > 0 ? SP_SYMBOLS_ELF : SP_SYMBOLS_NONE;
	if (!got) {
		size_t more = mini ? load_table(&loader, mini, ".symtab", false) : 0;

		/* Functions that are not exported are missing here, so no symbol may stretch up to its neighbour. */
		got = load_table(&loader, main, ".dynsym", false);
		if (got + more > 0)
			table->source = more > 0 ? SP_SYMBOLS_ELF : SP_SYMBOLS_DYNAMIC;
	}
	build_intervals(table, &loader);
	free(loader.list);
	free(loader.files);
	sp_interval_map_free(&loader.sections);
}

void sp_symtab_free(struct sp_symtab *table)
{
	free(table->symbols);
	sp_interval_map_free(&table->sized);
	sp_interval_map_free(&table->unsized);
	*table = (struct sp_symtab){0};
}

struct sp_elf_symbol *sp_symtab_find(const struct sp_symtab *table, uint64_t address)
{
	const struct sp_interval *interval = sp_interval_map_find(&table->sized, address), *whole;

	if (!interval)
		interval = sp_interval_map_find(&table->unsized, address);
	if (!interval)
		return NULL;
	whole = table->symbols[interval->index].whole
		? sp_interval_map_find(&table->sized, table->symbols[interval->index].whole)
		: NULL;
	return &table->symbols[whole ? whole->index : interval->index];
}
