/* An ELF object opened for reading: a module's file, a debug file, or an image in memory. */
#ifndef SP_SYMBOLIZE_ELF_OBJECT_H
#define SP_SYMBOLIZE_ELF_OBJECT_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/elf/image.h"
#include "symbolize/base/interval_map.h"
#include "symbolize/symbolize.h"

struct sp_object {
	Elf *elf;                /* NULL: closed */
	char *path;              /* symbolic links resolved; NULL for an image */
	struct sp_image image;   /* what elf reads */
	bool shared;             /* the image belongs to another object */
	const uint8_t *build_id; /* lives as long as elf */
	size_t build_id_bytes;
	struct sp_symbol_file file; /* as it was when it was opened; all 0 for an image */
};

/* Opens a regular file, of which an image (symbolize/elf/image.h) is taken: no descriptor is held afterwards. Returns 0,
 * -ENOENT, -ENOEXEC (no ELF), or what kept the file from being read, which says nothing of the file. */
int sp_object_open(struct sp_object *object, const char *path);

/* The vdso this process runs on. Returns 0 or negative errno. */
int sp_object_open_vdso(struct sp_object *object);

/* An ELF file in memory, of which a copy is taken. */
int sp_object_open_memory(struct sp_object *object, const void *bytes, size_t count);

/* Another handle of the same image, for another thread: handles are not to be used by two. The object must live longer.
 * Returns 0 or a negative errno. */
int sp_object_reopen(struct sp_object *another, const struct sp_object *object);

/* Closing a closed (zeroed) object does nothing. */
void sp_object_close(struct sp_object *object);

/* Are they the same file, whatever has been written to it? */
bool sp_object_is_file(const struct sp_object *object, uint64_t device, uint64_t inode);

/* CRC-32 as in zlib, over the whole file. False when it cannot be read. */
bool sp_object_crc(const struct sp_object *object, uint32_t *crc);

/* True when the object carries exactly this build-id. */
bool sp_object_has_build_id(const struct sp_object *object, const uint8_t *build_id, size_t bytes);

/* The section of this name that has contents in this file, or NULL. header may be NULL. */
Elf_Scn *sp_object_section(const struct sp_object *object, const char *name, GElf_Shdr *header);

/* "" unknown. Lives as long as the file. */
const char *sp_elf_section_name(Elf *elf, const GElf_Shdr *header);

/* What is in `.debug_NAME`, or in `.zdebug_NAME` where it was compressed before sections had a flag for it; NULL:
 * nothing. To be called once libdw has unpacked the sections. */
Elf_Data *sp_elf_debug_section(Elf *elf, const char *name);

/* Can all compressed sections be read within the memory limit? */
bool sp_object_can_unpack(const struct sp_object *object);

/* Has the object DWARF that can be read within the memory limit for compressed sections? */
bool sp_object_has_dwarf(const struct sp_object *object);

/* Are debug sections compressed? Every handle then unpacks them for itself. */
bool sp_object_is_compressed(const struct sp_object *object);

/* The object's executable segments. */
void sp_object_code(const struct sp_object *object, struct sp_interval_map *code);

#endif
