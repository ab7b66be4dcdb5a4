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

static const char *skip_field(const char *p)
{
	while (*p && *p != ' ')
		p++;
	while (*p == ' ')
		p++;
	return p;
}

/* "LOW-HIGH rwxp OFFSET MAJOR:MINOR INODE   PATH". */
static struct sp_mapping parse(const char *line)
{
	struct sp_mapping m = {0};
	const char *p = line;
	uint64_t major;

	m.low = sp_take_hexadecimal(&p);
	p += *p == '-';
	m.high = sp_take_hexadecimal(&p);
	p = skip_field(p);
	m.executable = p[0] && p[1] && p[2] == 'x';
	p = skip_field(skip_field(p));
	major = sp_take_hexadecimal(&p);
	p += *p == ':';
	m.device = device_number(major, sp_take_hexadecimal(&p));
	p = skip_field(p);
	m.inode = sp_take_decimal(&p);
	m.path = skip_field(p);
	return m;
}

/* Goes through the whole lines of the text; *used: their bytes. Returns whether fn is satisfied. */
static bool each_line(char *text, size_t bytes, size_t *used, bool (*fn)(const struct sp_mapping *, void *), void *arg)
{
	size_t i;

	for (*used = i = 0; i < bytes; i++) {
		struct sp_mapping mapping;

		if (text[i] != '\n')
			continue;
		text[i] = 0;
		mapping = parse(text + *used);
		if (fn(&mapping, arg))
			return true;
		*used = i + 1;
	}
	return false;
}

bool sp_mapped_each(bool (*fn)(const struct sp_mapping *mapping, void *arg), void *arg)
{
	char text[2 * LINE_BYTES];
	size_t kept = 0, used, total = 0, i;
	bool done = false;
	long fd = sp_sys(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC), got;

	if (fd < 0)
		return false;
	while (!done && total < READ_LIMIT_BYTES && (got = sp_sys(SYS_read, fd, text + kept, sizeof text - kept)) > 0) {
		total += (size_t)got;
		kept += (size_t)got;
		done = each_line(text, kept, &used, fn, arg);
		for (i = used; i < kept && !done; i++)
			text[i - used] = text[i];
		kept -= used;
	}
	sp_sys(SYS_close, fd);
	return true;
}

struct search {
	uint64_t address;
	struct sp_mapped *out;
};

static bool is_wanted(const struct sp_mapping *mapping, void *arg)
{
	const struct search *search = arg;

	if (search->address < mapping->low || search->address >= mapping->high)
		return false;
	search->out->device = mapping->device;
	search->out->inode = mapping->inode;
	copy_path(search->out->path, mapping->path);
	return true;
}

bool sp_mapped_find(uint64_t address, struct sp_mapped *out)
{
	struct search search = {address, out};

	out->inode = 0;
	return sp_mapped_each(is_wanted, &search) && out->inode;
}
