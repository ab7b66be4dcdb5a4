/* Work on the thread's own stack, called from one that was made by hand, as Go calls C: the code between has no unwind
 * tables, keeps frame pointers on the stack made by hand, the outermost of which is 0, and no frame where it goes from one
 * stack to the other. Usage: switched [CPU-SECONDS]. */
#include <sys/mman.h>

#include "tests/targets/common.h"

#define STACK_BYTES 65536

void switched_start(void *stack_end);
void switched_work(void);

static double seconds;

__attribute__((used)) void switched_work(void)
{
	spend(seconds);
}

/* switched_start leaves its stack and begins the other; switched_call comes back for the work; the made stack returns
 * behind the first byte of switched_end, which no call stands before. */
__asm__(".text\n"
	".globl switched_start\n.type switched_start, @function\n"
	"switched_start: push %rbx\n push %rbp\n mov %rsp, switched_home(%rip)\n"
	"	mov %rdi, %rsp\n xor %ebp, %ebp\n lea switched_end+1(%rip), %rax\n push %rax\n jmp switched_outer\n"
	".size switched_start, . - switched_start\n"
	".type switched_end, @function\n"
	"switched_end: nop\n mov switched_home(%rip), %rsp\n pop %rbp\n pop %rbx\n ret\n"
	".size switched_end, . - switched_end\n"
	".type switched_outer, @function\n"
	"switched_outer: push %rbp\n mov %rsp, %rbp\n sub $64, %rsp\n call switched_inner\n add $64, %rsp\n pop %rbp\n "
	"ret\n"
	".size switched_outer, . - switched_outer\n"
	".type switched_inner, @function\n"
	"switched_inner: push %rbp\n mov %rsp, %rbp\n call switched_step\n pop %rbp\n ret\n"
	".size switched_inner, . - switched_inner\n"
	/* The chain of frame pointers leads past the caller of what keeps none: that is this one. */
	".type switched_step, @function\n"
	"switched_step: push %rbp\n mov %rsp, %rbp\n call switched_call\n pop %rbp\n ret\n"
	".size switched_step, . - switched_step\n"
	".type switched_call, @function\n"
	"switched_call: mov %rsp, %rbx\n mov switched_home(%rip), %rsp\n sub $64, %rsp\n and $-16, %rsp\n"
	"	call switched_work\n mov %rbx, %rsp\n ret\n"
	".size switched_call, . - switched_call\n"
	".local switched_home\n.comm switched_home, 8, 8\n");

int main(int argc, char **argv)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(stack != MAP_FAILED, "mmap");
	seconds = argument(argc, argv, 1, 1);
	switched_start(stack + STACK_BYTES);
	puts("done");
	return 0;
}
