/* Spends its time where stacks are hard to walk. Usage: stacks WHERE [SECONDS]
 *   handler    in a handler of its own, called again and again
 *   leaf       in the first and last instructions of a tiny function
 *   vdso       reading the clock
 *   coroutine  in a context of makecontext's, with a stack of its own
 *   jit        in generated code with frame pointers, named by /tmp/perf-PID.map
 *   garbage    in generated code that keeps in rbp: nothing, numbers, and unmapped and forbidden pages
 *   gone       in generated code on a stack whose rbp was good once: the pages it meant are unmapped */
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/targets/common.h"

static double seconds = 0.5;

static NOINLINE void handler_work(int number)
{
	(void)number;
	spin(200000);
}

static NOINLINE void in_handler(void)
{
	double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds;

	signal(SIGALRM, handler_work);
	while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end)
		raise(SIGALRM);
}

/* clang-format off */
__asm__(".text\n.type tiny_leaf, @function\ntiny_leaf:\n.cfi_startproc\n"
	"push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\n"
	"push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbp, 0\n"
	"xor %ebp, %ebp\nlea 1(%rdi), %rax\n"
	"pop %rbp\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbp\n"
	"pop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore %rbx\n"
	"ret\n.cfi_endproc\n.size tiny_leaf, . - tiny_leaf\n");
/* clang-format on */
extern uint64_t tiny_leaf(uint64_t);

static NOINLINE void in_leaf(void)
{
	double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds;
	uint64_t x = 0;

	while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (int i = 0; i < 100000; i++)
			x = tiny_leaf(x);
}

static NOINLINE void in_vdso(void)
{
	double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds;
	struct timespec t;

	while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (int i = 0; i < 10000; i++)
			clock_gettime(CLOCK_MONOTONIC, &t);
}

static NOINLINE void coroutine(void)
{
	spend(seconds);
}

static NOINLINE void in_coroutine(void)
{
	static ucontext_t here, there;
	size_t bytes = 262144;
	char *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(stack != MAP_FAILED && getcontext(&there) == 0, "coroutine");
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = bytes;
	there.uc_link = &here;
	makecontext(&there, coroutine, 0);
	swapcontext(&here, &there);
	munmap(stack, bytes);
}

/* outer: push rbp; mov rbp, rsp; call inner; pop rbp; ret
 * inner: push rbp; mov rbp, rsp; 1: dec rdi; jnz 1b; pop rbp; ret */
static const uint8_t with_frames[] = {0x55, 0x48, 0x89, 0xe5, 0xe8, 2, 0, 0, 0, 0x5d, 0xc3, 0x55, 0x48, 0x89, 0xe5,
	0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3};
#define INNER 11

/* push rbp; mov rbp, rsi; 1: dec rdi; jnz 1b; pop rbp; ret */
static const uint8_t without_frame[] = {0x55, 0x48, 0x89, 0xf5, 0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3};

typedef void (*generated)(uint64_t rounds, uint64_t bp);

static generated generate(const uint8_t *code, size_t bytes)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED, "mmap");
	memcpy(page, code, bytes);
	check(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0, "mprotect");
	return (generated)page;
}

static void run_generated(generated code, const uint64_t *bps, int count)
{
	double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds;

	while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (int i = 0; i < count; i++)
			code(1000000, bps[i]);
}

static NOINLINE void in_jit(void)
{
	generated code = generate(with_frames, sizeof(with_frames));
	uint64_t none = 0;
	char name[64];
	FILE *map;

	snprintf(name, sizeof(name), "/tmp/perf-%d.map", getpid());
	map = fopen(name, "w");
	check(map != NULL, name);
	fprintf(map, "%lx %x jit_old\n", (long)code, (unsigned)sizeof(with_frames));
	fprintf(map, "%lx %x jit_outer\n", (long)code, INNER);
	fprintf(map, "%lx %x jit|inner `x` <b>\n", (long)code + INNER, (unsigned)sizeof(with_frames) - INNER);
	fclose(map);
	run_generated(code, &none, 1);
}

static NOINLINE void in_garbage(void)
{
	char *pages = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0), at = (uint64_t)(uintptr_t)pages;
	uint64_t bps[] = {0, 1, 0xdeadbeefdeadbee8, here - 8, here + 32768, at, at + 4096 - 8, at + 4096, at + 8192 - 8,
		at + 12288};

	check(pages != MAP_FAILED && mprotect(pages + 4096, 4096, PROT_NONE) == 0 && munmap(pages + 12288, 4096) == 0,
		"pages");
	run_generated(generate(without_frame, sizeof(without_frame)), bps, sizeof(bps) / sizeof(*bps));
}

/* The stack's last page but one holds frames, and is unmapped once they have been walked. */
static generated gone_code;
static char *gone_stack;

static NOINLINE void on_gone_stack(void)
{
	uint64_t *frame = (uint64_t *)(uintptr_t)(gone_stack + 65536 + 64);

	frame[0] = (uint64_t)(uintptr_t)(frame + 8);
	frame[1] = (uint64_t)(uintptr_t)on_gone_stack + 8;
	seconds /= 2;
	for (int i = 0; i < 2; i++) {
		uint64_t bp = (uint64_t)(uintptr_t)frame;

		run_generated(gone_code, &bp, 1);
		munmap(gone_stack + 65536, 4096);
	}
}

static NOINLINE void in_gone(void)
{
	static ucontext_t here, there;

	gone_code = generate(without_frame, sizeof(without_frame));
	gone_stack = mmap(NULL, 131072, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(gone_stack != MAP_FAILED && getcontext(&there) == 0, "stack");
	there.uc_stack.ss_sp = gone_stack;
	there.uc_stack.ss_size = 65536 - 16;
	there.uc_link = &here;
	makecontext(&there, on_gone_stack, 0);
	swapcontext(&here, &there);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} places[] = {{"handler", in_handler}, {"leaf", in_leaf}, {"vdso", in_vdso}, {"coroutine", in_coroutine},
		{"jit", in_jit}, {"garbage", in_garbage}, {"gone", in_gone}};

	seconds = argument(argc, argv, 2, seconds);
	for (size_t i = 0; argc > 1 && i < sizeof(places) / sizeof(*places); i++) {
		if (strcmp(argv[1], places[i].name) != 0)
			continue;
		places[i].run();
		puts("done");
		return 0;
	}
	return 2;
}
