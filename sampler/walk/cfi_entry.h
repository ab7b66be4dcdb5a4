/* Finding a function's entry in its object's .eh_frame.
 *
 * Sources: DWARF 5 section 6.4, and the LSB's "Exception Frames" for .eh_frame and .eh_frame_hdr. */
#ifndef SP_SAMPLER_WALK_CFI_ENTRY_H
#define SP_SAMPLER_WALK_CFI_ENTRY_H

#include "sampler/walk/reader.h"

struct sp_cfi_entry {
	uint64_t start, bytes;             /* of the code */
	struct sp_reader initial, program; /* instructions: common to many functions, and this one's */
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_column; /* register that stands for the return address */
	uint8_t encoding;       /* of addresses */
	bool is_signal_return;  /* the kernel's way back from a handler: its stack pointer is at a ucontext_t */
	bool is_interrupted; /* marked as a signal frame, whatever it is: where its caller goes on is no return address */
};

/* The entry of the function that contains the byte at `pc`; false where there is none that can be read. Any context: takes
 * no lock, allocates nothing, and reads only what the loader has mapped. The object must not be unloaded
 * while the entry is in use. */
bool sp_cfi_entry_find(uint64_t pc, struct sp_cfi_entry *entry) SP_HIDDEN;

/* Whether the code is what a signal handler returns to. It must be SP_SIGNAL_RETURN_BYTES long at least. */
bool sp_is_signal_return(const void *code) SP_HIDDEN;

/* An address as the tables encode it; sets r->bad for what cannot be read. base: what table-relative addresses count
 * from; 0: none. */
uint64_t sp_cfi_read_pointer(struct sp_reader *r, uint8_t encoding, uint64_t base) SP_HIDDEN;

#endif
