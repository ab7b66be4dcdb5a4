/* Spends its time where stacks are hard to walk. Usage: stacks WHERE [SECONDS]
 *   handler    in a handler of its own, called again and again
 *   leaf       in the first and last instructions of a tiny function
 *   vdso       reading the clock
 *   coroutine  in a context of makecontext's, with a stack of its own
 *   switch     in coroutines switched to by hand, on a stack that ends at a forbidden page
 *   marked     in a function marked as a signal frame, which it is not
 *   jit        in generated code with frame pointers, named by /tmp/perf-PID.map
 *   frameless  in generated code that keeps numbers in rbp
 *   untold     in assembly without tables
 *   garbage    in generated code that cannot be followed and keeps in rbp: nothing, numbers, and unmapped and forbidden pages
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

/* Leaves the stack pointer at *from, and goes on with that at *to: the table says nothing of it. */
static NOINLINE void switch_stack(void **from, void **to)
{
	volatile char frame[2048];

	frame[0] = 1;
	__asm__ volatile("push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14; push %%r15\n"
			 "lea 1f(%%rip), %%rax; push %%rax; mov %%rsp, (%0); mov (%1), %%rsp\n"
			 "nop; nop; nop; nop; nop; nop; nop; nop; ret\n"
			 "1: pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbp; pop %%rbx"
			 :
			 : "D"(from), "S"(to)
			 : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	(void)frame[1];
}

static void *switched_from, *switched_back;

/* Where its return address would be, the forbidden page begins. */
static void switched(void)
{
	switch_stack(&switched_back, &switched_from);
}

static NOINLINE void in_switch(void)
{
	double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds;
	char *pages = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void **first = (void **)(void *)(pages + 61440) - 1, *to = first;

	check(pages != MAP_FAILED && mprotect(pages + 61440, 4096, PROT_NONE) == 0, "stack");
	while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end) {
		for (int i = 0; i < 1000; i++) {
			*first = (void *)switched;
			switch_stack(&switched_from, &to);
		}
	}
	munmap(pages, 65536);
}

/* clang-format off */
__asm__(".text\n.type marked_work, @function\nmarked_work:\n.cfi_startproc\n.cfi_signal_frame\n"
	"1: dec %rdi\njnz 1b\nret\n.cfi_endproc\n.size marked_work, . - marked_work\n");
/* clang-format on */
extern void marked_work(uint64_t rounds);

/* Where a signal's context would have rip and rsp there are an instruction and an address of nothing. */
static NOINLINE void in_marked(void)
{
	double end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds;
	volatile uint64_t words[64];

	for (int odd = 0; odd < 2; odd++) {
		for (int i = 0; i < 64; i++)
			words[i] = i % 2 == odd ? (uint64_t)(uintptr_t)in_marked : 0x10000;
		while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < end - (odd ? 0 : seconds / 2))
			marked_work(1000000);
	}
	(void)words[0];
}

/* outer: push rbp; mov rbp, rsp; call inner; pop rbp; ret
 * inner: push rbp; mov rbp, rsp; 1: dec rdi; jnz 1b; pop rbp; ret */
static const uint8_t with_frames[] = {0x55, 0x48, 0x89, 0xe5, 0xe8, 2, 0, 0, 0, 0x5d, 0xc3, 0x55, 0x48, 0x89, 0xe5,
	0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3};
#define INNER 11

/* push rbp; mov rbp, rsi; 1: dec rdi; jnz 1b; pop rbp; ret, and with pop rdx; jmp *rdx in the place of ret */
static const uint8_t without_frame[] = {0x55, 0x48, 0x89, 0xf5, 0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3};
static const uint8_t without_return[] = {0x55, 0x48, 0x89, 0xf5, 0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0x5a, 0xff, 0xe2};

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
	run_generated(generate(without_return, sizeof(without_return)), bps, sizeof(bps) / sizeof(*bps));
}

static NOINLINE void in_frameless(void)
{
	uint64_t bps[] = {0, 0xdeadbeefdeadbee8};

	run_generated(generate(without_frame, sizeof(without_frame)), bps, 2);
}

static double untold_end;

__attribute__((used)) static NOINLINE int untold_more(void)
{
	return clock_seconds(CLOCK_PROCESS_CPUTIME_ID) < untold_end;
}

/* By hand, without tables: a frame of its own size, rbp a number, a jump by a table, a loop left in its middle, a call. */
/* clang-format off */
__asm__(".text\n.type untold_outer, @function\nuntold_outer: push %rbx\npush %rbp\nsub $88, %rsp\nmov $12345, %rbp\n"
	"1: call untold_inner\ncall untold_more\ntest %eax, %eax\njz 2f\njmp 1b\nud2\n"
	"2: add $88, %rsp\npop %rbp\npop %rbx\nret\n.size untold_outer, . - untold_outer\n"
	".type untold_inner, @function\nuntold_inner: push %rbp\nlea 3f(%rip), %rax\nmov $1000000, %ebp\njmp *%rax\n"
	"3: dec %rbp\njnz 3b\npop %rbp\nret\n.size untold_inner, . - untold_inner\n");
/* clang-format on */
extern void untold_outer(void);

static NOINLINE void in_untold(void)
{
	untold_end = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) + seconds;
	untold_outer();
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

	gone_code = generate(without_return, sizeof(without_return));
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
		{"switch", in_switch}, {"marked", in_marked}, {"jit", in_jit}, {"garbage", in_garbage},
		{"frameless", in_frameless}, {"untold", in_untold}, {"gone", in_gone}};

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
