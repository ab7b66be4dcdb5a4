/* Memory of the process. */
#include "sampler/upkeep/memory.h"

#include <fcntl.h>

#include "sampler/digits.h"
#include "sampler/sys.h"

/* /proc/self/statm, in pages: size, resident, of that shared and of files, and more. */
struct sp_resident sp_memory_resident(void)
{
	char text[128];
	uint64_t pages[3] = {0, 0, 0};
	long fd = sp_sys(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC), n;
	const char *p = text;
	int i;

	if (fd < 0)
		return (struct sp_resident){0, 0};
	n = sp_sys(SYS_read, fd, text, sizeof text - 1);
	sp_sys(SYS_close, fd);
	text[n > 0 ? n : 0] = 0;
	for (i = 0; i < 3; i++) {
		pages[i] = sp_take_decimal(&p);
		p += *p == ' ';
	}
	return (struct sp_resident){
		pages[1] * sp_page_bytes(), pages[1] > pages[2] ? (pages[1] - pages[2]) * sp_page_bytes() : 0};
}

static struct {
	uint64_t read_ns, rss_bytes; /* atomic; 0 never */
} recent;

uint64_t sp_memory_recent(uint64_t now_ns)
{
	uint64_t read_ns = sp_load(&recent.read_ns);

	if ((!read_ns || now_ns > read_ns + SP_CHECKPOINT_NS) &&
		__atomic_compare_exchange_n(&recent.read_ns, &read_ns, now_ns, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED))
		sp_store(&recent.rss_bytes, sp_memory_resident().rss_bytes);
	return sp_load(&recent.rss_bytes);
}

SP_AT_FORK void sp_memory_forked(void)
{
	if (recent.read_ns)
		recent.read_ns = recent.rss_bytes = 0;
}
