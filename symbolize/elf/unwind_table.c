/* .eh_frame_hdr: the sorted list of functions that unwinding needs. */
#include "symbolize/elf/unwind_table.h"

#include <stdlib.h>
#include <string.h>

#include "symbolize/base/memory.h"

/* Header of the section; encodings as every linker writes them. */
#define VERSION 1
#define PCREL_SDATA4 0x1b
#define UDATA4 0x03
#define DATAREL_SDATA4 0x3b
#define HEADER_BYTES 12
#define ENTRY_BYTES 8
/* Functions longer than this are rare; an address further from every start lies in a gap. */
#define FUNCTION_BYTES_MAX (4u << 20)

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void sp_unwind_table_read(struct sp_unwind_table *table, const struct sp_object *object)
{
	GElf_Shdr header;
	Elf_Scn *section = sp_object_section(object, ".eh_frame_hdr", &header);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	const uint8_t *bytes = data ? data->d_buf : NULL;
	uint32_t count;

	if (!bytes || data->d_size < HEADER_BYTES || bytes[0] != VERSION || bytes[1] != PCREL_SDATA4 ||
		bytes[2] != UDATA4 || bytes[3] != DATAREL_SDATA4)
		return;
	memcpy(&count, bytes + 8, sizeof(count));
	if (count > (data->d_size - HEADER_BYTES) / ENTRY_BYTES)
		return;
	table->starts = sp_alloc_bytes(count * sizeof(*table->starts));
	for (uint32_t i = 0; i < count; i++) {
		int32_t offset;

		memcpy(&offset, bytes + HEADER_BYTES + (size_t)i * ENTRY_BYTES, sizeof(offset));
		table->starts[i] = header.sh_addr + (uint64_t)(int64_t)offset;
	}
	table->count = count;
	qsort(table->starts, count, sizeof(*table->starts), compare);
}

void sp_unwind_table_free(struct sp_unwind_table *table)
{
	free(table->starts);
	*table = (struct sp_unwind_table){0};
}

uint64_t sp_unwind_table_find(const struct sp_unwind_table *table, uint64_t address)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->starts[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address - table->starts[low - 1] < FUNCTION_BYTES_MAX ? table->starts[low - 1] : 0;
}
