/* fork_amid [raw] WAY: a program whose signal handler forks. The child returns from the handler, goes on with what that has interrupted,
 * allocates and ends; the parent waits for it in the handler. Prints how children have ended otherwise: none has.
 * timer [FORKS]: the handler of a timer forks, while the program allocates, waits and has spans.
 * start, malloc, wait, lock, span, create, begin, fork: the handler forks before each instruction of the profiler's that such an operation
 * leads through, as far as a signal can come there. The processor traps after each instruction, and for this one handler what blocks
 * signals is done here. On other processors than x86-64 nothing forks at an instruction. */
#include <dlfcn.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/targets/common.h"

#define BLOCK 5000u
#define LARGE (300u * 1024u)
#define CHILD_SECONDS 20u

static bool raw; /* the handler forks by _Fork, which calls no fork handlers */
static volatile sig_atomic_t is_child, forks, bad;
static volatile uintptr_t from, to; /* where the profiler's instructions are */
static pthread_mutex_t shared;
static void *volatile block;

/* The profiler's, where it is. */
static unsigned long (*span_begin)(void *site, const char *name);
static void (*span_end)(void *site, const char *name, const char *text);

static NOINLINE void allocate(int times)
{
	for (int i = 0; i < times; i++) {
		void *volatile one = malloc(16 + (size_t)i % 2000);

		free(one);
	}
}

/* One child in 16 allocates so much that it is profiled. */
static void end_child(void)
{
	struct timespec moment = {0, 100000};

	allocate(forks % 16 ? 100 : 3000);
	nanosleep(&moment, NULL);
	_exit(0);
}

static void fork_here(uintptr_t at)
{
	pid_t child = raw ? _Fork() : fork();
	int status = -1;

	if (!child) {
		is_child = 1;
		alarm(CHILD_SECONDS);
		return;
	}
	forks++;
	while (child > 0 && waitpid(child, &status, 0) < 0)
		;
	if (status && bad++ < 20)
		printf("a child made at %#lx ended with %#x\n", (unsigned long)(at - from), (unsigned)status);
}

static void do_malloc(void)
{
	block = malloc(BLOCK);
}

static void do_calloc(void)
{
	block = calloc(1, BLOCK);
}

static void do_large(void)
{
	block = malloc(LARGE);
}

static void do_realloc(void)
{
	block = realloc(block, 2 * BLOCK);
}

static void do_free(void)
{
	free(block);
}

static void do_poll(void)
{
	poll(NULL, 0, 1);
}

static void do_lock(void)
{
	struct timespec past = {1, 0};

	pthread_mutex_timedlock(&shared, &past);
}

static void do_begin(void)
{
	if (span_begin)
		span_begin(NULL, "span");
}

static void do_end(void)
{
	if (span_end)
		span_end(NULL, "span", NULL);
}

static void *work(void *argument)
{
	if (argument != &shared)
		_exit(4);
	return NULL;
}

static void do_create(void)
{
	pthread_t thread;
	struct timespec soon;

	if (pthread_create(&thread, NULL, work, &shared) != 0)
		return;
	clock_gettime(CLOCK_REALTIME, &soon);
	if (!is_child) /* which may not have the thread, because that was there already */
		soon.tv_sec += CHILD_SECONDS;
	soon.tv_nsec = 999999999;
	pthread_timedjoin_np(thread, NULL, &soon);
}

static void do_fork(void)
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(0);
	if (waitpid(child, &status, 0) != child || status)
		bad++;
}

/* --- at each instruction */

#define TRAP 0x100

static volatile bool in_thread; /* the thread that is made is stepped through, not the one that makes it */
static __thread volatile uint64_t cycles;
static volatile uint64_t cycles_each;

#ifdef __x86_64__

static __thread volatile uint64_t mask;

/* The processor's counter does not tell the program how slowly it goes. */
static void read_counter(greg_t *registers)
{
	if (!cycles)
		cycles = __builtin_ia32_rdtsc();
	cycles += cycles_each;
	registers[REG_RAX] = (greg_t)(cycles & 0xffffffffu);
	registers[REG_RDX] = (greg_t)(cycles >> 32);
	registers[REG_RIP] += 2;
}

static void change_mask(greg_t *registers)
{
	const uint64_t *set = (const uint64_t *)registers[REG_RSI];
	uint64_t *old = (uint64_t *)registers[REG_RDX], before = mask;

	if (set && registers[REG_RDI] == SIG_SETMASK)
		mask = *set;
	else if (set)
		mask = registers[REG_RDI] == SIG_BLOCK ? before | *set : before & ~*set;
	if (old)
		*old = before;
	registers[REG_RAX] = 0;
	registers[REG_RIP] += 2;
}

static void on_step(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	const unsigned char *at = (const unsigned char *)registers[REG_RIP];
	bool is_main = gettid() == getpid();

	(void)number;
	(void)info;
	if (!is_main && !in_thread)
		registers[REG_EFL] &= ~TRAP;
	else if (is_main != in_thread && (uintptr_t)at >= from && (uintptr_t)at < to && !(mask >> (SIGTRAP - 1) & 1))
		fork_here((uintptr_t)at);
	if (is_child)
		registers[REG_EFL] &= ~TRAP;
	else if (at[0] == 0x0f && at[1] == 0x31)
		read_counter(registers);
	else if (at[0] == 0x0f && at[1] == 0x05 && registers[REG_RAX] == SYS_rt_sigprocmask)
		change_mask(registers);
}

static inline void set_trap(unsigned long flag)
{
	__asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\torq %0, (%%rsp)\n\tpopfq" : : "r"(flag) : "memory", "cc");
}

static int find_profiler(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (!strstr(info->dlpi_name, "/libsmartprof.so"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && segment->p_flags & PF_X) {
			from = info->dlpi_addr + segment->p_vaddr;
			to = from + segment->p_memsz;
		}
	}
	return 1;
}

static void begin_steps(void)
{
	struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

	dl_iterate_phdr(find_profiler, NULL);
	sigaction(SIGTRAP, &action, NULL);
}

#else

static void set_trap(unsigned long flag)
{
	(void)flag;
}

static void begin_steps(void)
{
}

#endif

static NOINLINE void step(void (*operation)(void), uint64_t each)
{
	cycles_each = each;
	cycles = 0;
	set_trap(TRAP);
	operation();
	set_trap(0);
	if (is_child)
		end_child();
}

static void do_start(void)
{
	for (int i = 0; i < 60; i++) {
		do_malloc();
		do_free();
	}
}

static void *work_stepped(void *argument)
{
	set_trap(0);
	if (is_child)
		end_child();
	return argument;
}

static void do_create_stepped(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work_stepped, NULL) == 0)
		pthread_join(thread, NULL);
}

/* Cycles between two readings of the counter: nothing has waited; what may have, and what has. */
#define NEAR 100
#define SHORT 5000
#define LONG_WAIT 100000000

static bool each_step_of(const char *name)
{
	static const struct {
		const char *name;
		void (*operation)(void);
		uint64_t cycles;
	} steps[] = {{"start", do_start, NEAR}, {"malloc", do_malloc, NEAR}, {"malloc", do_free, NEAR},
		{"malloc", do_calloc, NEAR}, {"malloc", do_realloc, NEAR}, {"malloc", do_realloc, NEAR},
		{"malloc", do_free, NEAR}, {"malloc", do_large, NEAR}, {"malloc", do_free, NEAR},
		{"wait", do_poll, LONG_WAIT}, {"wait", do_poll, LONG_WAIT}, {"wait", do_poll, SHORT},
		{"wait", do_poll, SHORT}, {"wait", do_poll, SHORT}, {"wait", do_poll, SHORT},
		{"lock", do_lock, LONG_WAIT}, {"lock", do_lock, SHORT}, {"span", do_begin, NEAR},
		{"span", do_end, NEAR}, {"span", do_begin, NEAR}, {"span", do_end, NEAR}, {"create", do_create, NEAR},
		{"begin", do_create_stepped, NEAR}, {"fork", do_fork, NEAR}};
	bool known = false;

	begin_steps();
	in_thread = !strcmp(name, "begin");
	if (strcmp(name, "start") != 0) {
		allocate(3000);
		do_begin();
		do_end();
		do_create();
		do_fork();
	}
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (strcmp(steps[i].name, name) != 0)
			continue;
		step(steps[i].operation, steps[i].cycles);
		known = true;
	}
	return known;
}

/* --- now and then */

static int most;

static void on_alarm(int number)
{
	const struct itimerval soon = {{0, 0}, {0, 300}};

	(void)number;
	if (forks == most)
		return;
	fork_here(from);
	if (!is_child)
		setitimer(ITIMER_REAL, &soon, NULL);
}

static void each_now_and_then(void)
{
	struct sigaction action = {.sa_handler = on_alarm};

	sigaction(SIGALRM, &action, NULL);
	raise(SIGALRM);
	while (!is_child && forks < most) {
		allocate(200);
		do_begin();
		do_poll();
		do_lock();
		do_end();
		spin(20000);
	}
	if (is_child)
		end_child();
}

static void make_shared(void)
{
	pthread_mutexattr_t attributes;

	check(pthread_mutexattr_init(&attributes) == 0 &&
			pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
			pthread_mutex_init(&shared, &attributes) == 0 && pthread_mutex_lock(&shared) == 0,
		"a mutex");
}

int main(int argc, char **argv)
{
	const char *way;

	raw = argc > 1 && !strcmp(argv[1], "raw");
	argc -= raw;
	argv += raw;
	way = argc > 1 ? argv[1] : "timer";
	span_begin = (__typeof__(span_begin))dlsym(RTLD_DEFAULT, "smartprof_span_begin");
	span_end = (__typeof__(span_end))dlsym(RTLD_DEFAULT, "smartprof_span_end");
	make_shared();
	setvbuf(stdout, NULL, _IONBF, 0);
	most = (int)argument(argc, argv, 2, 300);
	if (!strcmp(way, "timer"))
		each_now_and_then();
	else if (!each_step_of(way))
		return 2;
	if (from && getenv("FORKS"))
		fprintf(stderr, "%d\n", (int)forks);
	printf("%d bad\n", (int)bad);
	return 0;
}
