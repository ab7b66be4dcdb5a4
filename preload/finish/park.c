/* While the end of the process waits for its renderer, its other threads are held: after the real exit they would be
 * gone an instant later, and they must not run on over what exit handlers and destructors have taken apart.
 *
 * Each is sent the C library's second internal signal, by which setuid and its kind reach all threads and which they
 * cannot block by any function of the C library. Its handler waits. A thread in which the signal is pending and not
 * blocked executes nothing of the program any more, whatever the kernel is still doing for it: it need not have
 * answered. What has the signal blocked by system calls of its own cannot be held, nor can anything without /proc. */
#include "preload/finish/park.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <linux/futex.h>

#include "sampler/sys.h"
#include "sampler/threads/task_file.h"

#define PARK_SIGNAL 33 /* SIGSETXID */
#define HEADS 512u
#define PATIENCE_NS 50000000u
#define FIRST_NAP_NS 100000u /* doubled up to ... */
#define NAP_NS 10000000u
#define GRACE_NS 100000000u /* more than the process needs to be gone */

enum { PARK_FREE, PARK_HELD, PARK_LEAVING };

/* On the stack of a thread that is held. */
struct parked {
	struct parked *next;
	int tid;
};

static struct {
	uint32_t state;              /* atomic, futex */
	int pid;                     /* atomic: the process that this state belongs to */
	uint32_t count;              /* atomic: threads that are held */
	struct parked *heads[HEADS]; /* atomic; those threads by their ids */
	struct sp_raw_sigaction old; /* the C library's own */
	int self;                    /* the thread that ends the process */
	uint32_t sent;               /* threads told */
	uint32_t loose, strays;      /* of one look: threads not held yet, and threads out of reach */
} park SP_BIG;

extern void sp_park_return(void) SP_HIDDEN;
__asm__(".pushsection .text\n"
	".hidden sp_park_return\n"
	".globl sp_park_return\n"
	".type sp_park_return, @function\n"
	"sp_park_return:\n" SP_SIGNAL_RETURN_ASM ".size sp_park_return, . - sp_park_return\n"
	".popsection\n");

static void nap(uint64_t ns)
{
	struct timespec time = {0, (long)ns};

	sp_sys(SYS_nanosleep, &time, NULL);
}

static void enter(struct parked *me)
{
	struct parked **head;

	me->tid = (int)sp_sys(SYS_gettid);
	head = &park.heads[(uint32_t)me->tid % HEADS];
	me->next = __atomic_load_n(head, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(head, &me->next, me, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	sp_add(&park.count, 1);
}

/* If the process is still there some time after we are done, it waits for something that a held thread has: then all
 * threads go on, as they would have without us. */
static void stay(void)
{
	while (sp_load(&park.state) == PARK_HELD)
		sp_sys(SYS_futex, &park.state, FUTEX_WAIT_PRIVATE, PARK_HELD, NULL);
	if (sp_load(&park.state) != PARK_LEAVING)
		return;
	nap(GRACE_NS);
	sp_store(&park.state, PARK_FREE);
	sp_sys(SYS_futex, &park.state, FUTEX_WAKE_PRIVATE, 0x7fffffff);
}

static bool is_ours(const siginfo_t *info)
{
	return info->si_code == SI_QUEUE && info->si_value.sival_ptr == &park;
}

/* In any thread, with or without thread-local storage. */
static SP_ALIGNS_STACK void on_park(int signal, siginfo_t *info, void *context)
{
	struct parked me;

	if (sp_load(&park.state) != PARK_FREE && (int)sp_sys(SYS_getpid) == sp_load(&park.pid)) {
		enter(&me);
		stay();
	}
	if (!is_ours(info) && (uintptr_t)park.old.handler > 1)
		((void (*)(int, siginfo_t *, void *))park.old.handler)(signal, info, context);
}

static bool has_entered(int tid)
{
	struct parked *p = __atomic_load_n(&park.heads[(uint32_t)tid % HEADS], __ATOMIC_ACQUIRE);

	while (p && p->tid != tid)
		p = p->next;
	return p;
}

static void tell(int tid)
{
	siginfo_t info;
	long err;

	memset(&info, 0, sizeof info);
	info.si_signo = PARK_SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_pid = park.pid;
	info.si_value.sival_ptr = &park;
	err = sp_sys(SYS_rt_tgsigqueueinfo, park.pid, tid, PARK_SIGNAL, &info);
	park.sent += err == 0;
	park.strays += err && err != -ESRCH;
}

static void tell_all(int tid)
{
	if (tid != park.self)
		tell(tid);
}

static void look_at(int tid)
{
	struct sp_task_signals signals;
	const uint64_t bit = 1ull << (PARK_SIGNAL - 1);
	int err;

	if (tid == park.self || has_entered(tid))
		return;
	err = sp_task_signals(tid, &signals);
	if (err == -ESRCH || has_entered(tid)) /* meanwhile */
		return;
	if (err || (signals.pending & signals.blocked & bit))
		park.loose++;
	else if (!(signals.pending & bit))
		tell(tid);
}

static bool install(void)
{
	struct sp_raw_sigaction ours = {
		.handler = on_park,
		.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SP_SA_RESTORER,
		.restorer = sp_park_return,
		.mask = ~0ull,
	};

	return sp_sys(SYS_rt_sigaction, PARK_SIGNAL, &ours, &park.old, 8) == 0;
}

/* The threads that are there are signalled first, then those that have come meanwhile, until a look finds all of
 * them held. */
bool sp_park_threads(void)
{
	uint64_t ns = FIRST_NAP_NS, until_ns = sp_clock_read_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	uint32_t sent;

	memset(park.heads, 0, sizeof park.heads);
	park.self = (int)sp_sys(SYS_gettid);
	park.count = park.sent = park.strays = 0;
	sp_store(&park.pid, sp_agent.pid);
	if (!install())
		return sp_is_single_threaded();
	sp_store(&park.state, PARK_HELD);
	if (!sp_task_each(tell_all))
		return sp_is_single_threaded();
	if (!park.sent && !park.strays)
		return true; /* alone */
	do {
		if (sp_load(&park.count) < park.sent)
			nap(ns);
		ns = 2 * ns < NAP_NS ? 2 * ns : NAP_NS;
		sent = park.sent;
		park.loose = park.strays = 0;
		if (!sp_task_each(look_at))
			return false;
		if (!park.loose && !park.strays && park.sent == sent)
			return true;
	} while (sp_clock_read_ns(CLOCK_MONOTONIC) < until_ns);
	return false;
}

void sp_park_end(void)
{
	if (sp_load(&park.state) != PARK_HELD || sp_load(&park.pid) != sp_agent.pid)
		return;
	sp_store(&park.state, PARK_LEAVING);
	sp_sys(SYS_futex, &park.state, FUTEX_WAKE_PRIVATE, 1);
}
