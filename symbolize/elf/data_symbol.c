/* Names of variables, from ELF symbol tables. */
#include <stdlib.h>
#include <string.h>

#include "symbolize/base/demangle.h"
#include "symbolize/base/memory.h"
#include "symbolize/elf/object.h"
#include "symbolize/symbolize.h"

#define SYMBOL_LIMIT (1u << 22)

/* The variable of the table that covers the address; malloc'ed. */
static char *find(const struct sp_object *object, const char *section, uint64_t address, uint64_t *offset)
{
	GElf_Shdr header;
	Elf_Scn *scn = sp_object_section(object, section, &header);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	size_t entry = gelf_fsize(object->elf, ELF_T_SYM, 1, EV_CURRENT);
	size_t count = data && entry ? data->d_size / entry : 0;
	const char *name = NULL;
	GElf_Sym symbol;
	char *shown;

	for (size_t i = 0; !name && i < count && i < SYMBOL_LIMIT && gelf_getsym(data, (int)i, &symbol); i++)
		if (GELF_ST_TYPE(symbol.st_info) == STT_OBJECT && symbol.st_shndx != SHN_UNDEF &&
			address - symbol.st_value < symbol.st_size)
			name = elf_strptr(object->elf, header.sh_link, symbol.st_name);
	if (!name || !*name)
		return NULL;
	*offset = address - symbol.st_value;
	shown = sp_demangle(name);
	return shown ? shown : sp_text("%s", name);
}

char *sp_symbolize_variable(const struct sp_symbol_module *module, uint64_t address, uint64_t *offset)
{
	struct sp_object object = {0};
	char *name = NULL;

	if (sp_object_open(&object, module->path) != 0)
		return NULL;
	if (!module->build_id_bytes || sp_object_has_build_id(&object, module->build_id, module->build_id_bytes)) {
		name = find(&object, ".symtab", address - module->bias, offset);
		name = name ? name : find(&object, ".dynsym", address - module->bias, offset);
	}
	sp_object_close(&object);
	return name;
}
