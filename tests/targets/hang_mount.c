/* Mounts a file system that never answers over a directory: nobody reads what the kernel asks. Then runs a command. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fuse = open("/dev/fuse", O_RDWR); /* held by the command */
	char options[64];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (argc < 3 || fuse < 0 || mount("none", argv[1], "fuse.hangs", 0, options)) {
		fprintf(stderr, "hang_mount: %s\n", strerror(errno));
		return 77;
	}
	execvp(argv[2], argv + 2);
	return 1;
}
