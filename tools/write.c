/* Where reports go. */
#include "tools/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiles/base/buffer.h"

#define NOT_CHANGED ((mode_t)-1)
static mode_t given = NOT_CHANGED;

void sp_set_umask(void)
{
	mode_t now = umask(077);

	given = given == NOT_CHANGED ? now : given;
	umask((given & 077) | 022);
}

mode_t sp_umask_given(void)
{
	mode_t now = given;

	if (given == NOT_CHANGED)
		umask(now = umask(077));
	return now;
}

int sp_write_output(const char *command, const char *path, const struct sp_buffer *text, int how)
{
	/* O_NONBLOCK: a FIFO without a reader would hold us up. */
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | how, 0666) : STDOUT_FILENO;
	int error = fd < 0 ? -errno : 0;

	if (path && fd >= 0)
		fcntl(fd, F_SETFL, how & O_APPEND);
	if (!error)
		error = sp_buffer_write(text, fd);

	if (path && fd >= 0 && close(fd) < 0 && !error)
		error = -errno;
	if (error)
		sp_complain("%s: %s: %s; the report is not complete", command, path ? path : "standard output",
			error == -ENXIO ? "nobody reads from it" : strerror(-error));
	return error;
}
