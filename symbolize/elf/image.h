/* What is of use of an ELF file, in memory: an image that libelf reads instead of the file. Data appended to the file and
 * sections that name nothing are left out, so a file of many gigabytes takes little, and what is written to the file
 * later does not matter. */
#ifndef SP_SYMBOLIZE_ELF_IMAGE_H
#define SP_SYMBOLIZE_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolize/disk/disk.h"

struct sp_image {
	uint8_t *bytes; /* NULL: none. Headers with other places in the file, and the sections there */
	size_t size;
	bool partial; /* memory was short: there is no debug information in it */
};

/* Returns 0, -ENOEXEC (no ELF file of this machine), or what kept it from being read; -EAGAIN: the file was being
 * written. */
int sp_image_read(struct sp_image *image, const struct sp_disk_file *file);
void sp_image_free(struct sp_image *image);

#endif
