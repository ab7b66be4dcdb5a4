/* The perf task-clock event: user time at any rate. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "sampler/clock/clock.h"
#include "sampler/sys.h"

#define PAGE 4096u

/* The kernel names an event by the descriptor number it had when its signals were routed, and who opens events
 * as we do has the lowest one free: ours have their own. */
#define OWN_NUMBER 53
#define NUMBERS 1024u

static uint64_t numbers[NUMBERS / 64]; /* atomic: bits of the numbers that events of ours have had, modulo NUMBERS */

bool sp_clock_event_had(int fd)
{
	return fd >= 0 && sp_load(&numbers[(uint32_t)fd % NUMBERS / 64]) >> ((uint32_t)fd % 64) & 1;
}

/* Gives an event's descriptor our number, or the next one free; where there is none it stays as it is. */
static long renumber(long fd)
{
	long own = sp_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, OWN_NUMBER);

	if (own >= 0) {
		sp_sys(SYS_close, fd);
		fd = own;
	}
	__atomic_fetch_or(&numbers[(uint32_t)fd % NUMBERS / 64], 1ull << ((uint32_t)fd % 64), __ATOMIC_RELAXED);
	return fd;
}

/* tid 0: the calling thread. */
static long open_event(int tid, uint64_t period_ns)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.size = sizeof attr;
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_TASK_CLOCK;
	attr.sample_period = period_ns;
	attr.wakeup_events = 1;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	return sp_sys(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* The page that keeps an event alive. The kernel says EPERM when RLIMIT_MEMLOCK is used up: to tell
 * that from an event refused it becomes ENOMEM here. */
static long map_event(long fd)
{
	long page = sp_sys(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return page == -EPERM ? -ENOMEM : page;
}

static int probe(void)
{
	long fd = open_event(0, 1000000), page;

	if (fd < 0)
		return (int)fd;
	page = map_event(fd);
	sp_sys(SYS_close, fd);
	if (sp_is_error(page))
		return (int)page;
	sp_sys(SYS_munmap, page, PAGE);
	return 0;
}

static void disarm(struct sp_thread *t)
{
	void *page = __atomic_exchange_n(&t->event_page, NULL, __ATOMIC_ACQ_REL);

	if (page)
		sp_sys(SYS_munmap, page, PAGE);
}

/* Opens and routes an event; leaves no descriptor behind. It counts at once, and signals once the last of it is
 * set. Its interval cannot be changed afterwards: first_ns is the period. */
static int arm(struct sp_thread *t, uint64_t first_ns, uint64_t interval_ns)
{
	struct f_owner_ex owner = {F_OWNER_TID, t->tid};
	long fd = open_event(sp_clock_is_callers(t) ? 0 : t->tid, first_ns), page, err;

	(void)interval_ns;
	if (fd < 0)
		return (int)fd;
	page = map_event(fd);
	if (sp_is_error(page)) {
		sp_sys(SYS_close, fd);
		return (int)page;
	}
	fd = renumber(fd);
	t->event_page = (void *)page;
	t->event_fd = (int)fd;
	t->event_shared = false;
	t->period_ns = first_ns;
	__atomic_store_n(&t->event_open, true, __ATOMIC_RELEASE);
	err = sp_sys(SYS_fcntl, fd, F_SETOWN_EX, &owner);
	if (!err)
		err = sp_sys(SYS_fcntl, fd, F_SETSIG, sp_agent.config.signal);
	if (!err)
		err = sp_sys(SYS_fcntl, fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	sp_sys(SYS_close, fd);
	__atomic_store_n(&t->event_open, false, __ATOMIC_RELEASE);
	if (err)
		disarm(t);
	return (int)err;
}

static int set_interval(struct sp_thread *t, uint64_t interval_ns)
{
	disarm(t);
	return arm(t, interval_ns, interval_ns);
}

bool sp_clock_event_restarts(uint64_t period_ns, uint64_t *cycles, uint32_t n)
{
	long fd = open_event(0, period_ns);
	uint64_t began;

	if (fd < 0)
		return false;
	while (n--) {
		began = sp_tsc();
		sp_sys(SYS_ioctl, fd, PERF_EVENT_IOC_DISABLE, 0);
		sp_sys(SYS_ioctl, fd, PERF_EVENT_IOC_ENABLE, 0);
		*cycles++ = sp_tsc() - began;
	}
	sp_sys(SYS_close, fd);
	return true;
}

const struct sp_clock sp_clock_event = {"perf events", SP_THREAD_EVENT, probe, arm, disarm, set_interval};
