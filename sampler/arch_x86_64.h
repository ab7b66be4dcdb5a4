/* x86-64; see arch.h. Included by it alone. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

static inline long sp_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* A counter that runs evenly. A program can forbid itself to read it: sp_tsc. */
static inline uint64_t sp_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

/* As the counter says; 0: it does not. */
static inline uint64_t sp_cycles_per_us_told(void)
{
	return 0;
}

static inline char *sp_thread_pointer(void)
{
	char *p;

	__asm__("mov %%fs:0, %0" : "=r"(p));
	return p;
}

/* The same, of a thread that may have none: 0. */
static inline uintptr_t sp_thread_pointer_asked(void)
{
	uintptr_t pointer = 0;

	return sp_sys6(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, (long)&pointer, 0, 0, 0, 0) == 0 ? pointer : 0;
}

/* The thread's vector of its modules' thread-local blocks is the word of this number behind the thread pointer, and a module's
 * block in the static part stands so far from it (TLS supplement of the psABI, variant II). */
#define SP_TLS_VECTOR_WORD 1
#define SP_TLS_BELOW(offset) ((uint64_t)(offset))

/* Loaders of programs that cannot have the agent. */
#define SP_OTHER_LOADERS "/lib/ld-linux.so.2", "/lib/ld-musl-x86_64.so.1"

/* Of a thread's stack, from the thread pointer to the end. */
#define SP_STACK_END_BYTES 4096u

/* In a loop that waits for another processor. */
static inline void sp_pause(void)
{
	__builtin_ia32_pause();
}

/* Of a signal handler: emulators (qemu's before 8.1) enter them with a stack that is not aligned as the psABI promises. */
#define SP_ALIGNS_STACK __attribute__((force_align_arg_pointer))

static inline void sp_copy_bytes(void *to, const void *from, size_t bytes)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static inline void sp_fill_bytes(void *to, int c, size_t bytes)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(c) : "memory");
}

static inline double sp_root(double x)
{
	__asm__("sqrtsd %0, %0" : "+x"(x));
	return x;
}

/* Rotations that add up to none, and an exchange of a register with itself: nothing, where valgrind does not run. */
static inline void sp_valgrind_ask(volatile unsigned long *arguments)
{
	unsigned long result = 0;

	__asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\txchgq %%rbx, %%rbx"
			 : "+d"(result)
			 : "a"(arguments)
			 : "cc", "memory");
}

/* --- registers, numbered as in DWARF (psABI, section 3.7). RA: the return address, which is no register here. */

enum { SP_REG_BX = 3, SP_REG_BP = 6, SP_REG_SP = 7, SP_REG_RA = 16, SP_CFI_REGISTERS = 17, SP_FRAME_REGISTERS = 16 };

#define SP_REGISTERS_ALL 0xffffu
/* That a called function leaves as they were (psABI, 3.2.1). */
#define SP_KEPT_BY_CALLS (1u << SP_REG_BX | 1u << SP_REG_BP | 1u << SP_REG_SP | 0xf000)

#define SP_CONTEXT_WORDS_AT offsetof(ucontext_t, uc_mcontext.gregs)
#define SP_CONTEXT_IP REG_RIP
#define SP_CONTEXT_SP REG_RSP
#define SP_CONTEXT_PLACES \
	{ \
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9, REG_R10, \
			REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 \
	}

/* Those of the calling function's own frame that calls keep. Returns its instruction. */
static inline __attribute__((always_inline)) uint64_t sp_capture_registers(uint64_t registers[SP_FRAME_REGISTERS])
{
	uint64_t ip;

	__asm__ volatile("movq %%rbx, 3*8(%1)\n\tmovq %%rbp, 6*8(%1)\n\tmovq %%rsp, 7*8(%1)\n\t"
			 "movq %%r12, 12*8(%1)\n\tmovq %%r13, 13*8(%1)\n\tmovq %%r14, 14*8(%1)\n\t"
			 "movq %%r15, 15*8(%1)\n\tleaq 0(%%rip), %0"
			 : "=&r"(ip)
			 : "r"(registers)
			 : "memory");
	return ip;
}

/* --- frames */

#define SP_RED_ZONE 128u           /* bytes below the stack pointer that are in use (psABI, 3.2.2) */
#define SP_FRAME_LEAST 1u          /* bytes: there is a return address in each */
#define SP_ADDRESS_BITS 47u        /* of a program */
#define SP_NO_ADDRESS (1ull << 47) /* in no address of its code, nor one byte before it */
#define SP_CODE_ALIGNMENT 1u

/* How the table describes a function's first instruction: from the stack pointer to the CFA. */
#define SP_ENTRY_CFA 8

/* Of a return address as it was stored. */
static inline uint64_t sp_plain_address(uint64_t address)
{
	return address;
}

/* What a signal handler returns to, the C library's __restore_rt: mov $15, %rax; syscall. Its table's entry begins so many
 * bytes early (glibc, sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c). Its stack pointer is so far below a ucontext_t. */
#define SP_SIGNAL_RETURN "\x48\xc7\xc0\x0f\0\0\0\x0f\x05"
#define SP_SIGNAL_RETURN_ASM \
	"mov $15, %eax\n\tsyscall\n" /* the same to the kernel, but no walk takes it for the C library's */
#define SP_SIGNAL_RETURN_BYTES 9u
#define SP_SIGNAL_RETURN_LEAD 1u
#define SP_SIGNAL_RETURN_MAY_BE_BARE 0 /* in no object: the C library passes it to the kernel */
#define SP_SIGNAL_CONTEXT_AT 0u

/* True when the 8 bytes before a return address can be a call: e8, or ff /2 with its operand. */
static inline bool sp_follows_call(const uint8_t end[8])
{
	static const uint8_t operand_bytes[4] = {0, 1, 4, 0}; /* by the mode bits of ModRM */
	unsigned n;

	if (end[3] == 0xe8)
		return true;
	for (n = 2; n <= 7; n++) {
		uint8_t modrm = end[8 - n + 1], mode = modrm >> 6, base = modrm & 7;
		unsigned bytes = 2u + operand_bytes[mode] + (mode != 3 && base == 4) + (mode == 0 && base == 5 ? 4 : 0);

		if (end[8 - n] == 0xff && (modrm >> 3 & 7) == 2 && bytes == n)
			return true;
	}
	return false;
}

/* Asked only where calls leave the return address in a register. */
static inline bool sp_is_return(uint32_t code)
{
	(void)code;
	return false;
}

/* The C library's _start hands main to __libc_start_main: `lea main(%rip), %rdi` or `mov $main, %rdi`,
 * then the call (glibc, sysdeps/x86_64/start.S). 0: the entry point looks otherwise. bytes: that can be read there. */
static inline uint64_t sp_main_of_entry(const uint8_t *code, uint64_t bytes)
{
	int32_t operand;

	for (uint64_t i = 0; i < 64 && i + 9 <= bytes; i++) {
		memcpy(&operand, code + i + 3, sizeof operand);
		if (code[i + 7] != 0xe8 && code[i + 7] != 0x67 && (code[i + 7] != 0xff || code[i + 8] != 0x15))
			continue;
		if (code[i] == 0x48 && code[i + 1] == 0x8d && code[i + 2] == 0x3d)
			return (uint64_t)(uintptr_t)code + i + 7 + (uint64_t)(int64_t)operand;
		if (code[i] == 0x48 && code[i + 1] == 0xc7 && code[i + 2] == 0xc7)
			return (uint64_t)(int64_t)operand;
	}
	return 0;
}

/* Whether the context is that of a return from a system call, or to one that is made again: the instruction has
 * left its address and the flags in two registers (Intel SDM, SYSCALL). */
static inline bool sp_context_follows_call(const ucontext_t *context)
{
	const greg_t *r = context->uc_mcontext.gregs;

	return (r[REG_RCX] == r[REG_RIP] || r[REG_RCX] == r[REG_RIP] + 2) && r[REG_R11] == r[REG_EFL];
}

/* Whether a signal handler is about to begin: the kernel has just made its frame and arguments (arch/x86/kernel/signal_64.c,
 * x64_setup_rt_frame). The instruction that was refused, or the call that sent the signal, is on the stack. */
static inline bool sp_context_enters_handler(const ucontext_t *context)
{
	enum { CONTEXT_AT = 8, INFO_AT = CONTEXT_AT + 304 };
	const greg_t *r = context->uc_mcontext.gregs;

	return r[REG_RDX] == r[REG_RSP] + CONTEXT_AT && r[REG_RSI] == r[REG_RSP] + INFO_AT && !r[REG_RAX] &&
		r[REG_RDI] > 0 && r[REG_RDI] <= 64;
}

#define SP_REG_VECTOR_LENGTH ~0ull /* no table tells by it */
static inline uint64_t sp_vector_length(void)
{
	return 0;
}

/* What copies of stacks keep of them (struct sp_copy). */
#define SP_COPIED_REGISTERS \
	{ \
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 \
	}

/* --- objects */

#define SP_LOADER_SONAME "ld-linux-x86-64.so.2"
#define SP_RELOCATION_OF_SLOT R_X86_64_JUMP_SLOT
#define SP_SYMBOL_CALLED_OTHERWISE 0 /* bits of st_other: the function has arguments where others have none */
