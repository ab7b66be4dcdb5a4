/* Reading a control group's cpu.stat. */
#include "sampler/upkeep/throttle.h"

#include <fcntl.h>
#include <string.h>

#include "sampler/digits.h"
#include "sampler/sys.h"

#define LOOK_NS 500000000u
#define PATH_BYTES 512u

static struct {
	uint64_t looked_ns; /* atomic */
	uint64_t before_ns, before_periods;
	char file[PATH_BYTES];
} throttle;

static bool find(const char *text, const char *key, uint64_t *value)
{
	const char *at = sp_find_value(text, key);

	if (at)
		*value = sp_take_decimal(&at);
	return at != NULL;
}

/* Version 1 of the hierarchy counts in nanoseconds, version 2 in microseconds. */
static bool read_stat(uint64_t *ns, uint64_t *periods)
{
	char text[1024];
	long fd = sp_sys(SYS_openat, AT_FDCWD, throttle.file, O_RDONLY | O_CLOEXEC), got;

	if (fd < 0)
		return false;
	got = sp_sys(SYS_read, fd, text, sizeof text - 1);
	sp_sys(SYS_close, fd);
	text[got > 0 ? got : 0] = 0;
	if (!find(text, "nr_throttled ", periods))
		return false;
	if (find(text, "throttled_usec ", ns))
		*ns *= 1000;
	else if (!find(text, "throttled_time ", ns))
		return false;
	return true;
}

void sp_throttle_begin(const char *file)
{
	size_t bytes = strlen(file) + 1;

	throttle.file[0] = 0;
	sp_store(&throttle.looked_ns, 0);
	if (bytes <= 1 || bytes > sizeof throttle.file)
		return;
	memcpy(throttle.file, file, bytes);
	if (read_stat(&throttle.before_ns, &throttle.before_periods))
		sp_agent.spool->throttle.known = 1;
	else
		throttle.file[0] = 0;
}

void sp_throttle_step(uint64_t now, bool force)
{
	struct sp_throttle_totals *to = &sp_agent.spool->throttle;
	uint64_t ns, periods;

	if (sp_likely(!throttle.file[0]) || (!force && now - sp_load(&throttle.looked_ns) < LOOK_NS))
		return;
	sp_store(&throttle.looked_ns, now);
	if (!read_stat(&ns, &periods))
		return;
	sp_store(&to->ns, ns - throttle.before_ns);
	sp_store(&to->periods, periods - throttle.before_periods);
}
