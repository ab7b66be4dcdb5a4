/* Names for the linker's call stubs: no symbol table lists them, and calls of libraries pass
 * through them all the time. */
#ifndef SP_SYMBOLIZE_ELF_PLT_H
#define SP_SYMBOLIZE_ELF_PLT_H

#include "symbolize/elf/object.h"

struct sp_plt_stub {
	const char *target; /* the function called, as in .dynsym; NULL: not known */
	uint64_t address;
};

struct sp_plt {
	struct sp_plt_stub *stubs;
	size_t count, capacity;
	struct sp_interval_map intervals;
};

/* Decodes .plt, .plt.sec and .plt.got of an x86-64 or aarch64 object, which must outlive the result; finds none
 * in other objects. */
void sp_plt_load(struct sp_plt *plt, const struct sp_object *object);
void sp_plt_free(struct sp_plt *plt);

/* The stub covering the address, or NULL. */
const struct sp_plt_stub *sp_plt_find(const struct sp_plt *plt, uint64_t address);

#endif
