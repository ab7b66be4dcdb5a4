/* Answers from DWARF: see dwarf.h. Raw libdw, not libdwfl: its callbacks would ask debuginfod. */
#include "symbolize/dwarf/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"
#include "symbolize/context.h"
#include "symbolize/dwarf/dwp.h"
#include "symbolize/dwarf/units.h"
#include "symbolize/elf/debugfile.h"

#define COST_BYTES 48u /* a unit of cost: see dwarf.h */

/* What is remembered of a function, by where its DIE is: it may be inlined in many places. */
#define MEMORIES 1024u

struct memory {
	const void *entry; /* NULL: free */
	const char *name, *decl_file;
	unsigned decl_line;
	bool linkage;
};

struct sp_dwarf {
	struct sp_dwarf_file file;
	const struct sp_object *object;
	struct sp_object reopened; /* what object is, where this reader has a handle of its own */
	struct sp_symbol_context *context;
	struct sp_strings *strings;
	size_t cost_limit;
	struct sp_object alt_object;
	Dwarf *alt, *main;
	Elf_Data *line_section;
	struct sp_file_texts texts;
	struct sp_unit *current; /* being asked */
	struct sp_units units;
	struct sp_wanted wanted;
	struct sp_unit *temporary; /* was read for what is wanted */
	size_t cost_before;        /* of that */
	struct sp_dwp *dwp;        /* NULL: none, or not looked for yet */
	bool dwp_tried;
	struct sp_dwp **splits; /* files of single sources */
	size_t splits_count, splits_capacity;
	size_t cost;
	struct memory memories[MEMORIES];
};

static void unload(struct sp_dwarf *dwarf)
{
	sp_units_free(&dwarf->units);
	sp_dwp_close(dwarf->dwp);
	for (size_t i = 0; i < dwarf->splits_count; i++)
		sp_dwp_close(dwarf->splits[i]);
	free(dwarf->splits);
	dwarf->splits = NULL;
	dwarf->splits_count = dwarf->splits_capacity = 0;
	dwarf->dwp = NULL;
	dwarf->dwp_tried = false;
	dwarf_end(dwarf->main);
	dwarf_end(dwarf->alt);
	dwarf->main = dwarf->alt = NULL;
	dwarf->temporary = NULL;
	dwarf->cost = 0;
	memset(dwarf->memories, 0, sizeof(dwarf->memories));
}

static void find_line_sections(struct sp_dwarf *dwarf)
{
	Elf *elf = dwarf->object->elf;
	Elf_Data *line_str = sp_elf_debug_section(elf, ".debug_line_str");
	Elf_Data *str = sp_elf_debug_section(elf, ".debug_str");

	dwarf->line_section = sp_elf_debug_section(elf, ".debug_line");
	dwarf->texts = (struct sp_file_texts){0};
	if (line_str) {
		dwarf->texts.line_str = line_str->d_buf;
		dwarf->texts.line_str_bytes = line_str->d_size;
	}
	if (str) {
		dwarf->texts.str = str->d_buf;
		dwarf->texts.str_bytes = str->d_size;
	}
}

static void note(struct sp_dwarf *dwarf, const char *path)
{
	pthread_mutex_lock(&dwarf->context->lock);
	sp_deps_add(dwarf->file.deps, path);
	pthread_mutex_unlock(&dwarf->context->lock);
}

static void note_failure(struct sp_dwarf *dwarf, int error)
{
	if (!error)
		return;
	pthread_mutex_lock(&dwarf->context->lock);
	sp_deps_failed(dwarf->file.deps, error);
	pthread_mutex_unlock(&dwarf->context->lock);
}

static int open_alt(struct sp_dwarf *dwarf)
{
	int rc;

	pthread_mutex_lock(&dwarf->context->lock);
	rc = sp_debugfile_open_alt(&dwarf->alt_object, dwarf->main, dwarf->object, dwarf->context, dwarf->file.deps);
	pthread_mutex_unlock(&dwarf->context->lock);
	return rc;
}

static int load(struct sp_dwarf *dwarf)
{
	int rc = 0;

	dwarf->main = dwarf_begin_elf(dwarf->object->elf, DWARF_C_READ, NULL);
	if (!dwarf->main)
		return -ENOEXEC;
	find_line_sections(dwarf);
	if (!dwarf->alt_object.elf)
		rc = open_alt(dwarf);
	/* Without its shared part a dwz file has hardly any names, and libdw would look for that part itself and
	 * take any file. */
	if (rc < 0)
		return rc;
	if (dwarf->alt_object.elf) {
		dwarf->alt = dwarf_begin_elf(dwarf->alt_object.elf, DWARF_C_READ, NULL);
		if (!dwarf->alt)
			return -ENOEXEC;
		dwarf_setalt(dwarf->main, dwarf->alt);
	}
	sp_units_load(&dwarf->units, dwarf->main, dwarf->file.code);
	return 0;
}

struct sp_dwarf *sp_dwarf_open(const struct sp_dwarf_file *file, struct sp_symbol_context *context, size_t cost_limit,
	bool reopen)
{
	struct sp_dwarf *dwarf = sp_alloc(1, sizeof(*dwarf));
	int rc = 0;

	dwarf->file = *file;
	dwarf->context = context;
	dwarf->strings = &context->strings;
	dwarf->cost_limit = cost_limit;
	dwarf->object = reopen ? &dwarf->reopened : file->object;
	if (reopen)
		rc = sp_object_reopen(&dwarf->reopened, file->object);
	if (!rc)
		rc = load(dwarf);
	if (!rc && dwarf->units.count)
		return dwarf;
	note_failure(dwarf, rc);
	sp_dwarf_close(dwarf);
	return NULL;
}

void sp_dwarf_close(struct sp_dwarf *dwarf)
{
	if (!dwarf)
		return;
	unload(dwarf);
	sp_object_close(&dwarf->alt_object);
	sp_object_close(&dwarf->reopened);
	free(dwarf);
}

/* A path as the symbolizer hands it out: made absolute where the unit tells its directory. */
static const char *keep_path(struct sp_dwarf *dwarf, Dwarf_Die *unit, const char *path)
{
	Dwarf_Attribute attribute;
	const char *directory, *kept;
	char *joined;

	if (!path || !*path || !strcmp(path, "???"))
		return NULL;
	directory = *path == '/' ? NULL : dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
	if (!directory)
		return sp_strings_keep(dwarf->strings, path, strlen(path));
	joined = sp_text("%s/%s", directory, path);
	kept = sp_strings_keep(dwarf->strings, joined, strlen(joined));
	free(joined);
	return kept;
}

/* A file of one of the unit's own tables. */
static const char *own_file(struct sp_dwarf *dwarf, struct sp_unit *unit, struct sp_file_table *files, Dwarf_Word index)
{
	struct sp_file_entry *file = index < files->count ? &files->list[index] : NULL;
	char path[PATH_MAX];

	if (!file || !file->name)
		return NULL;
	if (!file->kept && (*file->name == '/' || !file->directory || !*file->directory))
		file->kept = keep_path(dwarf, &unit->die, file->name);
	else if (!file->kept && snprintf(path, sizeof(path), "%s/%s", file->directory, file->name) < (int)sizeof(path))
		file->kept = keep_path(dwarf, &unit->die, path);
	return file->kept;
}

static const char *file_of(struct sp_dwarf *dwarf, Dwarf_CU *cu, Dwarf_Word index)
{
	struct sp_unit *current = dwarf->current;
	Dwarf_Files *files;
	size_t count;
	Dwarf_Die unit;

	if (current->in_dwp && cu == current->body.cu)
		return own_file(dwarf, current, current->body_files.count ? &current->body_files : &current->files,
			index);
	if (cu == current->die.cu && current->files.count)
		return own_file(dwarf, current, &current->files, index);

	if (dwarf_cu_info(cu, NULL, NULL, &unit, NULL, NULL, NULL, NULL) || dwarf_getsrcfiles(&unit, &files, &count))
		return NULL;
	return index < count ? keep_path(dwarf, &unit, dwarf_filesrc(files, index, NULL, NULL)) : NULL;
}

/* dwarf_decl_file() would do, but aborts on units whose line table cannot be read. */
static void read_declaration(struct sp_dwarf *dwarf, Dwarf_Die *die, struct memory *out)
{
	Dwarf_Attribute attribute;
	Dwarf_Word file;
	int line;

	if (!dwarf_attr_integrate(die, DW_AT_decl_file, &attribute) || dwarf_formudata(&attribute, &file))
		return;
	out->decl_file = file_of(dwarf, attribute.cu, file);
	if (out->decl_file && !dwarf_decl_line(die, &line) && line > 0)
		out->decl_line = (unsigned)line;
}

static void read_function(struct sp_dwarf *dwarf, Dwarf_Die *die, struct memory *out)
{
	Dwarf_Attribute attribute;
	const char *name;

	*out = (struct memory){.entry = die->addr};
	name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
	if (!name)
		name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute));
	out->linkage = name;
	if (!name)
		name = dwarf_diename(die);
	out->name = sp_strings_origin(dwarf->strings, name); /* link-time optimization marks clones here too */
	read_declaration(dwarf, die, out);
}

/* Returns whether the function has a linkage name. */
static bool describe_function(struct sp_dwarf *dwarf, Dwarf_Die *die, struct sp_symbol *out)
{
	Dwarf_Attribute attribute;
	struct memory *known;
	Dwarf_Die origin;

	if (dwarf_tag(die) == DW_TAG_inlined_subroutine &&
		dwarf_formref_die(dwarf_attr(die, DW_AT_abstract_origin, &attribute), &origin))
		die = &origin;
	known = &dwarf->memories[((uintptr_t)die->addr * 0x9e3779b97f4a7c15u >> 40) % MEMORIES];
	if (known->entry != die->addr)
		read_function(dwarf, die, known);
	out->function = known->name;
	out->decl_file = known->decl_file;
	out->decl_line = known->decl_line;
	return known->linkage;
}

static void describe_line(struct sp_dwarf *dwarf, struct sp_unit *unit, uint64_t address, struct sp_symbol *out)
{
	struct sp_line_row row;

	if (!sp_line_table_find(&unit->lines, address, &row) || !row.line)
		return;
	out->file = file_of(dwarf, unit->die.cu, row.file);
	out->line = out->file ? row.line : 0;
}

static bool get_number(Dwarf_Die *die, unsigned name, Dwarf_Word *value)
{
	Dwarf_Attribute attribute;

	return dwarf_attr(die, name, &attribute) && !dwarf_formudata(&attribute, value);
}

/* Where an inlined call stands, which is the line its caller is at. */
static void describe_call(struct sp_dwarf *dwarf, Dwarf_Die *call, struct sp_symbol *caller)
{
	Dwarf_Word file, line;

	if (!get_number(call, DW_AT_call_file, &file) || !get_number(call, DW_AT_call_line, &line))
		return;
	caller->file = file_of(dwarf, call->cu, file);
	caller->line = caller->file && line < UINT32_MAX ? (unsigned)line : 0;
}

static uint64_t entry_of(struct sp_subprogram *function, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;

	if (!function->entry_read && dwarf_entrypc(die, &low) && dwarf_ranges(die, 0, &base, &low, &high) <= 0)
		low = 0;
	if (!function->entry_read)
		function->entry = low;
	function->entry_read = true;
	return function->entry;
}

/* Frames of the inlined calls around the address, innermost first; out[0] has its line already and
 * each call gives the next frame its own. Leaves room for the function itself. */
static size_t inlined_frames(struct sp_dwarf *dwarf, struct sp_subprogram *function, uint64_t address,
	struct sp_symbol *out, size_t max)
{
	/* of a unit that stays in memory all lines are kept, as others will be asked for later */
	const struct sp_wanted *wanted = dwarf->current == dwarf->temporary ? &dwarf->wanted : &(struct sp_wanted){0};
	const struct sp_inlines *inlines = sp_subprogram_inlines(dwarf->current, function, wanted, &dwarf->cost);
	const struct sp_interval *interval = inlines ? sp_interval_map_find(&inlines->intervals, address) : NULL;
	uint32_t at = interval ? interval->index : SP_INLINE_NONE;
	size_t count = 0;

	while (at != SP_INLINE_NONE) {
		const struct sp_inline *call = &inlines->list[at];
		Dwarf_Die die;

		if (!sp_die_for_libdw(&dwarf->current->dies, call->at, &die))
			break;
		if (count + 1 < max) {
			describe_function(dwarf, &die, &out[count]);
			out[count++].inlined = true;
			out[count] = (struct sp_symbol){0};
		}
		out[count].file = NULL;
		out[count].line = 0;
		describe_call(dwarf, &die, &out[count]);
		at = call->parent;
	}
	return count;
}

size_t sp_dwarf_unit(const struct sp_dwarf *dwarf, uint64_t address)
{
	const struct sp_interval *interval = sp_interval_map_find(&dwarf->units.intervals, address);

	return interval ? interval->index : SIZE_MAX;
}

static struct sp_unit *find_unit(struct sp_dwarf *dwarf, uint64_t address)
{
	size_t number = sp_dwarf_unit(dwarf, address);

	return number == SIZE_MAX ? NULL : &dwarf->units.list[number];
}

static void read_lines(struct sp_dwarf *dwarf, struct sp_unit *unit)
{
	Dwarf_Word offset;

	if (!dwarf->line_section || !get_number(&unit->die, DW_AT_stmt_list, &offset))
		return;
	sp_line_table_read(&unit->lines, dwarf->line_section->d_buf, dwarf->line_section->d_size, offset,
		dwarf->file.code);
	dwarf->cost += unit->lines.count;
	sp_file_table_read(&unit->files, &unit->lines.tables, &dwarf->texts);
}

static const char *unit_text(struct sp_unit *unit, unsigned name, unsigned old_name)
{
	Dwarf_Attribute attribute;
	const char *text = dwarf_formstring(dwarf_attr(&unit->die, name, &attribute));

	return text || !old_name ? text : dwarf_formstring(dwarf_attr(&unit->die, old_name, &attribute));
}

/* Place number i of the unit's split part: where the compiler put it, else beside the program. False: no more. */
static bool split_path(char path[PATH_MAX], size_t i, const struct sp_dwarf *dwarf, struct sp_unit *unit)
{
	const char *name = unit_text(unit, DW_AT_dwo_name, DW_AT_GNU_dwo_name);
	const char *directory = unit_text(unit, DW_AT_comp_dir, 0), *real = dwarf->file.program->path;
	int bytes = PATH_MAX;

	if (!name || !*name || i > 1)
		return false;
	if (*name == '/' || (!i && !directory))
		bytes = i ? PATH_MAX : snprintf(path, PATH_MAX, "%s", name);
	else if (!i)
		bytes = snprintf(path, PATH_MAX, "%s/%s", directory, name);
	else if (real)
		bytes = snprintf(path, PATH_MAX, "%.*s/%s", (int)(strrchr(real, '/') - real), real, name);
	if (bytes >= PATH_MAX)
		*path = '\0';
	return true;
}

/* The file with the unit's split part, kept open; NULL: there is none. */
static struct sp_dwp *open_split(struct sp_dwarf *dwarf, struct sp_unit *unit)
{
	char path[PATH_MAX];

	for (size_t i = 0; split_path(path, i, dwarf, unit); i++) {
		struct sp_dwp *found;
		int error;

		if (!*path)
			continue;
		note(dwarf, path);
		found = sp_dwp_open_dwo(path, dwarf->object, &error);
		note_failure(dwarf, error);
		if (found && sp_dwp_has(found, &unit->die)) {
			sp_grow(&dwarf->splits, &dwarf->splits_capacity, dwarf->splits_count + 1,
				sizeof(*dwarf->splits));
			return dwarf->splits[dwarf->splits_count++] = found;
		}
		sp_dwp_close(found);
	}
	return NULL;
}

/* Its debug information is missing: this is noted for the reader. */
static void note_missing(struct sp_dwarf *dwarf, struct sp_unit *unit)
{
	char path[PATH_MAX];

	if (!split_path(path, 0, dwarf, unit) || !*path)
		return;
	pthread_mutex_lock(&dwarf->context->lock);
	sp_deps_miss(dwarf->file.deps, path);
	pthread_mutex_unlock(&dwarf->context->lock);
}

/* Opens the .dwp file with the unit's split part, or, if there is none, one without it. */
static void open_dwp(struct sp_dwarf *dwarf, struct sp_unit *unit)
{
	const struct sp_dwarf_file *file = &dwarf->file;
	char path[PATH_MAX];

	dwarf->dwp_tried = true;
	for (size_t i = 0; sp_debugfile_dwp(path, i, dwarf->object, file->program, file->program_path, dwarf->context);
		i++) {
		struct sp_dwp *found;
		int error;

		if (!*path)
			continue;
		note(dwarf, path);
		found = sp_dwp_open(path, dwarf->object, &error);
		note_failure(dwarf, error);
		if (found && (!dwarf->dwp || sp_dwp_has(found, &unit->die))) {
			sp_dwp_close(dwarf->dwp);
			dwarf->dwp = found;
		} else {
			sp_dwp_close(found);
		}
		if (dwarf->dwp && sp_dwp_has(dwarf->dwp, &unit->die))
			return;
	}
}

static bool take_body(struct sp_dwarf *dwarf, struct sp_unit *unit, struct sp_dwp *dwp)
{
	size_t bytes;

	if (!dwp || sp_dwp_find(dwp, &unit->die, &unit->body, &unit->body_files, &bytes))
		return false;
	unit->in_dwp = true;
	dwarf->cost += bytes / COST_BYTES;
	return true;
}

/* The unit's functions, where they are in a file of their own, in an object file, or in a .dwp file. */
static void find_body(struct sp_dwarf *dwarf, struct sp_unit *unit)
{
	uint8_t type = 0;

	unit->body = unit->die;
	/* libdw is not asked for the split part: it maps files, and does not look into object files. */
	if (dwarf_cu_info(unit->die.cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) || type != DW_UT_skeleton ||
		take_body(dwarf, unit, open_split(dwarf, unit)))
		return;
	if (!dwarf->dwp_tried)
		open_dwp(dwarf, unit);
	if (take_body(dwarf, unit, dwarf->dwp))
		return;
	unit->body = unit->die;
	note_missing(dwarf, unit);
}

/* libdw never gives single units back, so the memory limit is kept by starting over. */
static struct sp_unit *ready_unit(struct sp_dwarf *dwarf, uint64_t address)
{
	struct sp_unit *unit = find_unit(dwarf, address);

	if (!unit || unit->depth != SP_UNIT_UNREAD)
		return unit;
	if (dwarf->cost > dwarf->cost_limit) {
		unload(dwarf);
		if (load(dwarf))
			return NULL;
		unit = find_unit(dwarf, address);
	}
	if (!unit)
		return NULL;
	if (!unit->body.addr)
		find_body(dwarf, unit);
	if (dwarf->wanted.count) {
		dwarf->temporary = unit;
		dwarf->cost_before = dwarf->cost;
	}
	read_lines(dwarf, unit);
	return unit;
}

void sp_dwarf_expect(struct sp_dwarf *dwarf, const uint64_t *addresses, size_t count)
{
	if (dwarf->temporary) {
		sp_unit_release(dwarf->temporary);
		dwarf->cost = dwarf->cost_before;
		dwarf->temporary = NULL;
	}
	dwarf->wanted = (struct sp_wanted){addresses, count};
}

size_t sp_dwarf_frames(struct sp_dwarf *dwarf, uint64_t address, struct sp_symbol *out, size_t max, bool *linkage)
{
	struct sp_unit *unit = ready_unit(dwarf, address);
	struct sp_subprogram *function;
	Dwarf_Die die;
	uint64_t entry;
	size_t count;

	*linkage = false;
	if (!unit)
		return 0;
	dwarf->current = unit;
	out[0] = (struct sp_symbol){0};
	describe_line(dwarf, unit, address, &out[0]);
	function = sp_unit_function(unit, address, dwarf->file.code, &dwarf->cost);
	if (!function || !sp_die_for_libdw(&unit->dies, function->at, &die))
		return 1;
	count = inlined_frames(dwarf, function, address, out, max);
	*linkage = describe_function(dwarf, &die, &out[count++]);
	entry = entry_of(function, &die);
	for (size_t i = 0; i < count; i++)
		out[i].function_address = entry;
	return count;
}
