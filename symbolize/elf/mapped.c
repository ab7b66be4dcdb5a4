/* Files that a process has mapped: see mapped.h. */
#include "symbolize/elf/mapped.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* What a line of /proc/PID/maps tells of a file's mapping. */
struct mapping {
	uint64_t low, high;
	dev_t device;
	ino_t inode;
};

static int find_mapping(struct mapping *found, int pid, uint64_t address)
{
	char path[64], line[512];
	unsigned device_major, device_minor;
	uint64_t inode;
	int rc = -ENOENT;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	while (rc && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %*x %x:%x %" SCNu64, &found->low, &found->high,
			    &device_major, &device_minor, &inode) != 5)
			continue; /* the rest of a long line */
		if (address < found->low || address >= found->high || !inode)
			continue;
		found->device = makedev(device_major, device_minor);
		found->inode = inode;
		rc = 0;
	}
	fclose(maps);
	return rc;
}

int sp_process_open_mapped(struct sp_object *object, int pid, uint64_t address)
{
	struct mapping mapping;
	struct stat status;
	char path[96];
	int rc = find_mapping(&mapping, pid, address);

	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, mapping.low, mapping.high);
	rc = sp_object_open(object, path);
	if (!rc)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	/* File systems that make device numbers up may give a file another one than its mapping. */
	if (stat(path, &status) || status.st_ino != mapping.inode ||
		(status.st_dev != mapping.device && major(status.st_dev)))
		return rc;
	return sp_object_open(object, path);
}
