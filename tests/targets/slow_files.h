/* A file system whose answers wait until they are wanted: for calls about files that block. What is asked first in a directory
 * that is armed is kept, until it is let go, or the kernel says that the one who asked was interrupted, which is the answer then. */
#ifndef SP_TARGETS_SLOW_FILES_H
#define SP_TARGETS_SLOW_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define SLOW_DIRECTORIES 64 /* "d0" and so on, each with the files "f" and "g" and the directory "d" */

struct slow_files {
	volatile int armed[SLOW_DIRECTORIES], held[SLOW_DIRECTORIES], go[SLOW_DIRECTORIES];
};
static struct slow_files *slow_files;

#define ROOT_NODE 1u
#define FIRST_DIRECTORY 10u
#define FIRST_NODE 1000u
#define NODES 4u /* of a directory: f, g, d, and what is made */

struct slow_request {
	struct fuse_in_header header;
	char body[8192];
};

static int fuse;
static struct slow_request kept[SLOW_DIRECTORIES];

static int directory_of(uint64_t node)
{
	if (node >= FIRST_NODE)
		return (int)((node - FIRST_NODE) / NODES);
	return node >= FIRST_DIRECTORY ? (int)(node - FIRST_DIRECTORY) : -1;
}

static struct fuse_attr slow_attributes(uint64_t node)
{
	bool is_file = node >= FIRST_NODE && (node - FIRST_NODE) % NODES < 2;

	return (struct fuse_attr){.ino = node,
		.mode = is_file ? S_IFREG | 0644 : S_IFDIR | 0755,
		.nlink = 1,
		.size = 4096,
		.blksize = 4096,
		.uid = getuid(),
		.gid = getgid()};
}

static void reply(uint64_t unique, int error, const void *body, size_t size)
{
	struct fuse_out_header header = {(uint32_t)(sizeof(header) + (error ? 0 : size)), error ? -error : 0, unique};
	struct iovec parts[] = {{&header, sizeof(header)}, {(void *)body, error ? 0 : size}};

	(void)!writev(fuse, parts, 2);
}

static void reply_entry(const struct slow_request *r, uint64_t node, uint64_t valid_s)
{
	struct fuse_entry_out entry = {.nodeid = node, .entry_valid = valid_s, .attr_valid = valid_s};

	entry.attr = slow_attributes(node);
	reply(r->header.unique, 0, &entry, sizeof(entry));
}

static void reply_lookup(const struct slow_request *r)
{
	const char *name = r->body;
	int directory = directory_of(r->header.nodeid);

	if (r->header.nodeid == ROOT_NODE)
		reply_entry(r, FIRST_DIRECTORY + (uint64_t)atoi(name + 1), 3600);
	else if (strchr("fgd", *name))
		reply_entry(r, FIRST_NODE + (uint64_t)directory * NODES + (*name == 'd' ? 2 : *name - 'f'), 0);
	else
		reply(r->header.unique, ENOENT, NULL, 0);
}

static void reply_init(const struct slow_request *r)
{
	const struct fuse_init_in *in = (const void *)r->body;
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};

	out.minor = in->minor < out.minor ? in->minor : out.minor;
	reply(r->header.unique, 0, &out, sizeof(out));
}

static void answer_request(const struct slow_request *r)
{
	uint64_t unique = r->header.unique, node = r->header.nodeid;
	struct fuse_attr_out attributes = {.attr = slow_attributes(node)};
	struct fuse_open_out opened = {0};
	struct fuse_ioctl_out done = {0};
	struct fuse_write_out copied = {.size = 4096};

	switch (r->header.opcode) {
	case FUSE_INIT:
		return reply_init(r);
	case FUSE_LOOKUP:
		return reply_lookup(r);
	case FUSE_MKDIR:
		return reply_entry(r, FIRST_NODE + (uint64_t)directory_of(node) * NODES + 3, 0);
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		return reply(unique, 0, &attributes, sizeof(attributes));
	case FUSE_OPEN:
		return reply(unique, 0, &opened, sizeof(opened));
	case FUSE_IOCTL:
		return reply(unique, 0, &done, sizeof(done));
	case FUSE_COPY_FILE_RANGE:
		return reply(unique, 0, &copied, sizeof(copied));
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_RENAME:
	case FUSE_RENAME2:
	case FUSE_FALLOCATE:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		return reply(unique, 0, NULL, 0);
	}
	reply(unique, ENOSYS, NULL, 0);
}

static void interrupt(uint64_t unique)
{
	for (int i = 0; i < SLOW_DIRECTORIES; i++)
		if (slow_files->held[i] && kept[i].header.unique == unique) {
			slow_files->held[i] = 0;
			reply(unique, EINTR, NULL, 0);
		}
}

static void take_request(void)
{
	static struct slow_request r;
	ssize_t got = read(fuse, &r, sizeof(r));
	int directory;

	if (got < 0 && errno == ENODEV)
		_exit(0);
	if (got < (ssize_t)sizeof(r.header) || r.header.opcode == FUSE_FORGET || r.header.opcode == FUSE_BATCH_FORGET)
		return;
	if (r.header.opcode == FUSE_INTERRUPT)
		return interrupt(((struct fuse_interrupt_in *)(void *)r.body)->unique);
	if (r.header.opcode == FUSE_GETXATTR) /* what is asked before the call that matters */
		return reply(r.header.unique, ENOSYS, NULL, 0);
	directory = directory_of(r.header.nodeid);
	if (directory < 0 || r.header.opcode == FUSE_RELEASE || !slow_files->armed[directory])
		return answer_request(&r);
	slow_files->armed[directory] = 0;
	kept[directory] = r;
	slow_files->held[directory] = 1;
}

static void serve(void)
{
	while (true) {
		struct pollfd asked = {fuse, POLLIN, 0};

		if (poll(&asked, 1, 1) > 0)
			take_request();
		for (int i = 0; i < SLOW_DIRECTORIES; i++)
			if (slow_files->held[i] && slow_files->go[i]) {
				slow_files->held[i] = 0;
				answer_request(&kept[i]);
			}
	}
}

/* Mounts it over a directory, with a process of its own that answers. False: that may not be. */
static inline bool slow_files_start(const char *directory)
{
	char options[96];
	pid_t parent = getpid();

	slow_files = mmap(NULL, sizeof(*slow_files), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%d,group_id=%d", fuse, (int)getuid(),
		(int)getgid());
	mkdir(directory, 0700);
	if (slow_files == MAP_FAILED || fuse < 0 || mount("slow", directory, "fuse", MS_NOSUID | MS_NODEV, options))
		return false;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		serve();
	}
	close(fuse);
	return true;
}

#endif
