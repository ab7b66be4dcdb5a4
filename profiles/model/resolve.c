/* Addresses -> chains of named frames. */
#include "profiles/model/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles/model/again.h"
#include "profiles/model/heap.h"

#define INLINES_MAX 64u

static bool is_of_file(const struct sp_profile *p, uint32_t function)
{
	const struct sp_function *f = &p->functions[function];

	return !(f->flags & (SP_FUNCTION_PSEUDO | SP_FUNCTION_FOLDED)) && f->module < p->unknown_module;
}

uint32_t sp_resolver_frame(struct sp_resolver *r, const struct sp_profile_frame *frame)
{
	struct sp_profile *p = r->profile;
	/* Interned; without a line the address stands for what may be found there later. */
	uint64_t where = frame->line || !is_of_file(p, frame->function) ? (uintptr_t)frame->file : frame->address;
	uint64_t flags = (uint64_t)frame->layer << 2 | (uint64_t)frame->inlined << 1 | frame->allocator;
	int found;
	uint32_t *cell =
		sp_map_at(&r->frames, (uint64_t)frame->function << 32 | frame->line, where << 3 | flags, &found);

	if (found)
		return *cell;
	*cell = (uint32_t)p->frame_count;
	sp_grow(&p->frames, &p->frame_capacity, p->frame_count + 1, sizeof(*p->frames));
	p->frames[p->frame_count] = *frame;
	return (uint32_t)p->frame_count++;
}

/* Code nothing names: by the start of its function where that is known, else by the address; all
 * code outside of files is one. */
static uint32_t unnamed_function(struct sp_resolver *r, uint32_t module, uint64_t address, uint64_t function_address)
{
	const struct sp_module_info *m = &r->profile->modules[module];
	char name[320];
	uint32_t id;

	if (module == r->profile->unknown_module)
		snprintf(name, sizeof(name), "[unknown]");
	else
		snprintf(name, sizeof(name), "%.250s+0x%llx", m->name,
			(unsigned long long)(function_address ? function_address : address - m->bias));
	id = sp_profile_function(r->profile, r->profile->modules[module].canonical, name, &r->functions);
	r->profile->functions[id].flags |= SP_FUNCTION_UNNAMED;
	return id;
}

static uint32_t folded_function(struct sp_resolver *r, uint32_t module)
{
	const struct sp_module_info *m = &r->profile->modules[module];
	char name[270];
	uint32_t id;

	snprintf(name, sizeof(name), strcmp(m->path, "[vdso]") == 0 ? "%.255s" : "[%.255s]", m->name);
	id = sp_profile_function(r->profile, r->profile->modules[module].canonical, name, &r->functions);
	r->profile->functions[id].flags |= SP_FUNCTION_FOLDED;
	return id;
}

static uint32_t text_id(struct sp_resolver *r, const char *text)
{
	int found;
	uint32_t *cell = sp_map_at(&r->texts, (uintptr_t)text, 0, &found);

	if (!found)
		*cell = sp_names_id(&r->profile->names, text);
	return *cell;
}

static const char *keep_text(struct sp_resolver *r, const char *text)
{
	return sp_names_text(&r->profile->names, text_id(r, text));
}

/* A local function whose name local functions of other files have too is told apart by its file. */
static uint32_t full_name(struct sp_resolver *r, const struct sp_symbol *symbol)
{
	uint32_t id;
	char *name;

	if (!symbol->local_to)
		return text_id(r, symbol->function);
	name = sp_text("%s (%s)", symbol->function, symbol->local_to);
	id = sp_names_id(&r->profile->names, name);
	free(name);
	return id;
}

static bool is_allocator(const struct sp_profile *p, const char *function)
{
	return sp_is_allocator_name(function) || sp_is_wrapper_name(p->heap_wrappers, function);
}

static uint32_t named_function(struct sp_resolver *r, uint32_t module, const struct sp_symbol *symbol)
{
	struct sp_profile *p = r->profile;
	size_t before = p->function_count;
	uint32_t id = sp_profile_function_id(p, p->modules[module].canonical, full_name(r, symbol), &r->functions);
	struct sp_function *f = &p->functions[id];

	if (p->function_count > before) {
		f->allocator = is_allocator(p, symbol->function);
		f->layer = sp_is_layer(symbol->function, p->modules[module].name);
	}
	if (p->source_lines && !f->file && symbol->decl_file) {
		f->file = keep_text(r, symbol->decl_file);
		f->line = symbol->decl_line;
	}
	return id;
}

static void chain_push(struct sp_resolver *r, const struct sp_profile_frame *frame)
{
	sp_grow(&r->chain, &r->chain_capacity, r->chain_count + 1, sizeof(*r->chain));
	r->chain[r->chain_count++] = sp_resolver_frame(r, frame);
}

static void add_frame(struct sp_resolver *r, uint32_t module, uint64_t address, const struct sp_symbol *symbol)
{
	struct sp_profile *p = r->profile;
	const struct sp_module_info *m = &p->modules[module];
	struct sp_profile_frame frame = {
		.inlined = symbol->inlined, .allocator = m->allocator, .address = address - m->bias};

	if (m->system && !p->system_libraries) {
		frame.allocator = frame.allocator || (symbol->function && is_allocator(p, symbol->function));
		frame.layer = sp_is_layer(symbol->function ? symbol->function : "", m->name);
		frame.function = folded_function(r, module);
		frame.inlined = false;
	} else if (symbol->function && *symbol->function) {
		frame.function = named_function(r, module, symbol);
		frame.allocator = frame.allocator || p->functions[frame.function].allocator;
		frame.layer = p->functions[frame.function].layer;
		if (p->source_lines && symbol->file) {
			frame.file = keep_text(r, symbol->file);
			frame.line = symbol->line;
		}
	} else {
		frame.function = unnamed_function(r, module, address, symbol->function_address);
		frame.layer = sp_is_layer("", m->name);
	}
	chain_push(r, &frame);
}

static uint32_t flags_of_name(const struct sp_profile *p, uint32_t module, const char *name)
{
	const char *of = p->modules[module].name;
	size_t length = strlen(of);

	if (strncmp(name, of, length) == 0 && strncmp(name + length, "+0x", 3) == 0)
		return SP_FUNCTION_UNNAMED;
	if (name[0] == '[' && strncmp(name + 1, of, length) == 0 && strcmp(name + 1 + length, "]") == 0)
		return SP_FUNCTION_FOLDED;
	return strcmp(name, "[unknown]") == 0 ? SP_FUNCTION_UNNAMED : 0;
}

/* A frame as it was read. */
static void add_written(struct sp_resolver *r, size_t index)
{
	struct sp_profile *p = r->profile;
	const struct sp_written *w = p->written;
	struct sp_profile_frame frame = w->profile->frames[index];
	const struct sp_function *old = &w->profile->functions[frame.function];
	uint32_t module = p->modules[w->frames[index].module].canonical;
	struct sp_function *f;

	if (frame.inlined && !p->inlines)
		return;
	if (strcmp(w->profile->modules[old->module].path, "[unknown]") == 0)
		module = p->unknown_module;
	if (strcmp(w->profile->modules[old->module].path, "[jit]") == 0)
		module = p->unknown_module + 1;
	frame.function = sp_profile_function(p, module, old->name, &r->functions);
	f = &p->functions[frame.function];
	f->flags |= module ? flags_of_name(p, module, old->name) : 0;
	f->allocator = frame.allocator;
	f->layer = frame.layer;
	f->code = old->code;
	if (!f->file && old->file) {
		f->file = keep_text(r, old->file);
		f->line = old->line;
	}
	if (frame.file)
		frame.file = keep_text(r, frame.file);
	chain_push(r, &frame);
}

/* What was written stays where nothing more is known. */
static void resolve_written(struct sp_resolver *r, struct sp_address *at)
{
	size_t index = (size_t)(at - r->addresses.list), n = 0, from = 0;
	struct sp_profile *p = r->profile;
	struct sp_written *w = p->written;
	struct sp_symbol symbols[INLINES_MAX];
	bool better = false;

	if (w->frames[index].wanted) {
		const char *name = w->profile->functions[w->profile->frames[index].function].name;

		n = sp_symbolize(r->symbolizer, p->modules[at->module].handle, at->address, symbols, INLINES_MAX);
		better = symbols[n - 1].function &&
			(symbols[n - 1].line || flags_of_name(p, at->module, name) == SP_FUNCTION_UNNAMED);
		from = p->inlines ? 0 : n - 1;
	}
	at->first = (uint32_t)r->chain_count;
	if (!better)
		add_written(r, index);
	for (size_t i = from; better && i < n; i++)
		add_frame(r, at->module, at->address, &symbols[i]);
	w->named += better;
	at->count = (uint32_t)(r->chain_count - at->first);
}

/* Without inlines an address becomes its outermost, real function, at the line where that called
 * what was inlined. */
static void resolve_now(struct sp_resolver *r, struct sp_address *at)
{
	const struct sp_profile *p = r->profile;
	struct sp_symbol symbols[INLINES_MAX];
	uint64_t address = at->address;
	uint32_t module = at->module;
	size_t n = 1, from = 0;
	int handle;

	symbols[0] = (struct sp_symbol){0};
	if (module == p->unknown_module && p->modules[module + 1].handle >= 0 &&
		sp_symbolize(r->symbolizer, p->modules[module + 1].handle, address, symbols, 1) && symbols[0].function)
		module++;
	handle = p->modules[module].handle;
	if (handle >= 0)
		n = sp_symbolize(r->symbolizer, handle, address, symbols, INLINES_MAX);
	if (!p->inlines && n)
		from = n - 1;
	at->first = (uint32_t)r->chain_count;
	at->count = (uint32_t)(n - from);
	for (size_t i = from; i < n; i++)
		add_frame(r, module, address, &symbols[i]);
}

const struct sp_address *sp_resolve(struct sp_resolver *r, uint32_t id)
{
	struct sp_address *at = &r->addresses.list[id];

	if (!at->count && r->profile->written)
		resolve_written(r, at);
	else if (!at->count)
		resolve_now(r, at);
	return at;
}

void sp_resolver_begin(struct sp_resolver *r, struct sp_profile *profile, struct sp_symbolizer *symbolizer)
{
	*r = (struct sp_resolver){.profile = profile, .symbolizer = symbolizer};
	for (uint32_t i = 0; i < SP_PSEUDOS; i++) {
		int found;
		uint32_t name = sp_names_id(&profile->names, profile->functions[i].name);

		*sp_map_at(&r->functions, 0, name, &found) = i;
	}
	sp_addresses_load(&r->addresses, profile, symbolizer);
}

void sp_resolver_end(struct sp_resolver *r)
{
	sp_map_free(&r->texts);
	sp_map_free(&r->functions);
	sp_map_free(&r->frames);
	sp_addresses_free(&r->addresses);
	free(r->chain);
}
