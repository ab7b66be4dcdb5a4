/* Looking addresses up in /proc/self/maps. */
#include "sampler/mapped.h"

#include <fcntl.h>

#include "sampler/digits.h"
#include "sampler/sys.h"

#define LINE_BYTES (SP_MAPPED_PATH_BYTES + 128u) /* the longest there is */
#define READ_LIMIT_BYTES (2u << 20)

/* A device's number as stat(2) has it (include/linux/kdev_t.h, new_encode_dev). */
static uint64_t device_number(uint64_t major, uint64_t minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffull) << 12;
}

static void copy_path(char *to, const char *from)
{
	size_t i = 0;

	for (; i < SP_MAPPED_PATH_BYTES - 1 && from[i]; i++)
		to[i] = from[i];
	to[i] = 0;
}

/* "LOW-HIGH perms OFFSET MAJOR:MINOR INODE   PATH". False: another address's line. */
static bool parse(const char *line, uint64_t address, struct sp_mapped *out)
{
	const char *p = line;
	uint64_t low = sp_take_hexadecimal(&p), high = *p == '-' ? (p++, sp_take_hexadecimal(&p)) : 0, major, minor;

	if (address < low || address >= high)
		return false;
	p += *p == ' ';
	while (*p && *p != ' ')
		p++;
	p += *p == ' ';
	sp_take_hexadecimal(&p);
	p += *p == ' ';
	major = sp_take_hexadecimal(&p);
	p += *p == ':';
	minor = sp_take_hexadecimal(&p);
	p += *p == ' ';
	out->device = device_number(major, minor);
	out->inode = sp_take_decimal(&p);
	while (*p == ' ')
		p++;
	copy_path(out->path, p);
	return true;
}

/* Looks through the whole lines of the text; *used: their bytes. */
static bool search(char *text, size_t bytes, size_t *used, uint64_t address, struct sp_mapped *out)
{
	size_t i;

	for (*used = i = 0; i < bytes; i++) {
		if (text[i] != '\n')
			continue;
		text[i] = 0;
		if (parse(text + *used, address, out))
			return true;
		*used = i + 1;
	}
	return false;
}

bool sp_mapped_find(uint64_t address, struct sp_mapped *out)
{
	char text[2 * LINE_BYTES];
	size_t kept = 0, used, total = 0, i;
	bool found = false;
	long fd = sp_sys(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC), got;

	if (fd < 0)
		return false;
	while (!found && total < READ_LIMIT_BYTES &&
		(got = sp_sys(SYS_read, fd, text + kept, sizeof text - kept)) > 0) {
		total += (size_t)got;
		kept += (size_t)got;
		found = search(text, kept, &used, address, out);
		for (i = used; i < kept && !found; i++)
			text[i - used] = text[i];
		kept -= used;
	}
	sp_sys(SYS_close, fd);
	return found && out->inode;
}
