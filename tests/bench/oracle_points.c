/* Where a program is interrupted to have its stack walked.
 *
 * A timer's handler sets the trap flag; the instructions that follow are stepped through one by one, and one in four of those that
 * lie in the object of interest is looked at. Then the flag is cleared until the timer fires again. aarch64 has no such flag: there
 * the timer fires at random, and one of the instructions from there up to the next branch gets a breakpoint for once. (An
 * emulator is interrupted where such a block begins, and nowhere else.) */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "sampler/sys.h"
#include "tests/bench/oracle.h"

#if defined(__x86_64__)
#define TRAP_FLAG 0x100
#define BURST 2000u  /* instructions stepped through */
#define COMPARED 40u /* of them at the most */
#define CLOCK CLOCK_PROCESS_CPUTIME_ID
#else
#define PAUSE_NS 400000u /* at the most */
#define PAGE 4096ul
#define BREAKPOINT 0xd4200000u /* brk #0 */
#define CLOCK CLOCK_MONOTONIC
#endif
#define PERIOD_NS 1000000

static timer_t timer;
/* Again, should the thread that is stepped through fall asleep. */
static const struct itimerspec soon = {.it_interval = {0, 20 * PERIOD_NS}, .it_value = {0, PERIOD_NS}};

static uint64_t random_bits(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

#if defined(__x86_64__)
static __thread uint32_t steps_left __attribute__((tls_model("initial-exec"))),
	compares_left __attribute__((tls_model("initial-exec")));

static void on_trap(int number, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;

	(void)number, (void)info;
	if (steps_left)
		steps_left--;
	if (random_bits() % 4 == 0 && oracle_compare(context))
		compares_left--;
	if (!steps_left || !compares_left || oracle_is_done()) {
		context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		timer_settime(timer, 0, &soon, NULL);
	}
}

static void go_on(ucontext_t *context)
{
	steps_left = BURST;
	compares_left = COMPARED;
	context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}
#else
/* The breakpoint, NULL while there is none, and the instruction in its place. */
static uint32_t *planted, displaced;

static void put_code(uint32_t *at, uint32_t code)
{
	sp_sys(SYS_mprotect, (uintptr_t)at & ~(PAGE - 1), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	*(volatile uint32_t *)at = code;
	__builtin___clear_cache((char *)at, (char *)(at + 1));
}

static void uproot(void)
{
	if (planted)
		put_code(planted, displaced);
	planted = NULL;
}

static void look(ucontext_t *context)
{
	struct itimerspec next = soon;

	oracle_compare(context);
	next.it_value.tv_nsec = (long)(1 + random_bits() % PAUSE_NS);
	timer_settime(timer, 0, &next, NULL);
}

/* Whether another instruction than the next may follow, or the kernel: branches, exceptions and what else is of their group but for
 * hints, which pointer authentication is among (Arm ARM, C4.1). */
static bool leaves(uint32_t code)
{
	return (code >> 26 & 7) == 5 && (code & 0xfffff01f) != 0xd503201f;
}

static void go_on(ucontext_t *context)
{
	uint32_t *code = (uint32_t *)sp_context_ip(context);
	uint64_t n = 1, chosen;

	uproot();
	while (oracle_is_wanted((uint64_t)code) && !leaves(code[n - 1]) && (uintptr_t)(code + n) % PAGE)
		n++;
	chosen = random_bits() % n;
	if (!chosen) {
		look(context);
		return;
	}
	displaced = code[chosen];
	planted = code + chosen;
	put_code(planted, BREAKPOINT); /* from here on the program alone may run what is in the object */
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	(void)info;
	if (!planted || sp_context_ip(context) != (uint64_t)planted) {
		signal(number, SIG_DFL);
		return;
	}
	uproot();
	look(context);
}
#endif

static void on_timer(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	if (oracle_is_done())
		oracle_end();
	go_on(context);
}

void oracle_points_begin(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = ORACLE_SIGNAL};

	oracle_handle(SIGTRAP, on_trap);
	oracle_handle(ORACLE_SIGNAL, on_timer);
	if (timer_create(CLOCK, &event, &timer) == 0)
		timer_settime(timer, 0, &soon, NULL);
}
