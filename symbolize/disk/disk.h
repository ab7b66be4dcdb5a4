/* Reading files that others may write, cut or replace meanwhile, on file systems that may not answer. */
#ifndef SP_SYMBOLIZE_DISK_DISK_H
#define SP_SYMBOLIZE_DISK_DISK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* A regular file that is open for reading. */
struct sp_disk_file {
	int fd;
	struct stat status; /* as it was when it was opened */
};

/* Returns 0 or a negative errno; -ENOENT also for what is no regular file. Never waits for a FIFO. */
int sp_disk_open(struct sp_disk_file *file, const char *path);
void sp_disk_close(struct sp_disk_file *file);

/* Reads exactly so many bytes. Returns 0 or a negative errno; -ENODATA: the file ends before. */
int sp_disk_read(const struct sp_disk_file *file, void *to, size_t bytes, uint64_t at);

/* Returns 0 when the file is still as it was when it was opened, else -EAGAIN: what was read may be of two versions. */
int sp_disk_check(const struct sp_disk_file *file);

#endif
