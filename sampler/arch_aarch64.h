/* aarch64; see arch.h. Included by it alone. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

static inline long sp_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
	return x0;
}

/* The generic timer's counter, which user space may read wherever Linux runs. */
static inline uint64_t sp_cycles(void)
{
	uint64_t count;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(count) : : "memory");
	return count;
}

/* As the counter says; 0: it does not. */
static inline uint64_t sp_cycles_per_us_told(void)
{
	uint64_t frequency;

	__asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
	return frequency / 1000000;
}

static inline char *sp_thread_pointer(void)
{
	char *p;

	__asm__("mrs %0, tpidr_el0" : "=r"(p));
	return p;
}

/* The same, of a thread that may have none: 0. */
static inline uintptr_t sp_thread_pointer_asked(void)
{
	return (uintptr_t)sp_thread_pointer();
}

/* The thread's vector of its modules' thread-local blocks is the word of this number behind the thread pointer, and a module's
 * block in the static part stands so far from it (the ABI's TLS document, variant I). */
#define SP_TLS_VECTOR_WORD 0
#define SP_TLS_BELOW(offset) (-(uint64_t)(offset))

/* Loaders of programs that cannot have the agent. */
#define SP_OTHER_LOADERS "/lib/ld-linux-armhf.so.3", "/lib/ld-musl-aarch64.so.1"

/* Of a thread's stack, from the thread pointer to the end: thread-local variables stand there, and few programs have that
 * many. */
#define SP_STACK_END_BYTES 65536u

/* In a loop that waits for another processor. */
static inline void sp_pause(void)
{
	__asm__ volatile("yield");
}

/* Of a signal handler: its stack pointer is aligned, or the processor refuses it. */
#define SP_ALIGNS_STACK

/* By words, which the compiler must not take for a call of memcpy or memset. */
static inline void sp_copy_bytes(void *to, const void *from, size_t bytes)
{
	typedef uint64_t __attribute__((may_alias, aligned(1))) any_word;
	unsigned char *out = to;
	const unsigned char *in = from;

	for (; bytes >= 8; bytes -= 8, out += 8, in += 8) {
		*(any_word *)out = *(const any_word *)in;
		__asm__ volatile("" : : : "memory");
	}
	for (; bytes; bytes--) {
		*out++ = *in++;
		__asm__ volatile("" : : : "memory");
	}
}

static inline void sp_fill_bytes(void *to, int c, size_t bytes)
{
	typedef uint64_t __attribute__((may_alias, aligned(1))) any_word;
	uint64_t pattern = (unsigned char)c * 0x0101010101010101u;
	unsigned char *out = to;

	for (; bytes >= 8; bytes -= 8, out += 8) {
		*(any_word *)out = pattern;
		__asm__ volatile("" : : : "memory");
	}
	for (; bytes; bytes--) {
		*out++ = (unsigned char)c;
		__asm__ volatile("" : : : "memory");
	}
}

static inline double sp_root(double x)
{
	__asm__("fsqrt %d0, %d0" : "+w"(x));
	return x;
}

/* Rotations that add up to none: nothing, where valgrind does not run. */
static inline void sp_valgrind_ask(volatile unsigned long *arguments)
{
	register unsigned long x3 __asm__("x3") = 0;
	register volatile unsigned long *x4 __asm__("x4") = arguments;

	__asm__ volatile(
		"ror x12, x12, #3\n\tror x12, x12, #13\n\tror x12, x12, #51\n\tror x12, x12, #61\n\torr x10, x10, x10"
		: "+r"(x3)
		: "r"(x4)
		: "cc", "memory");
}

/* --- registers, numbered as in DWARF (ABI's DWARF document, 4.1). RA: x30, in which a call leaves the return address. */

enum { SP_REG_BP = 29, SP_REG_RA = 30, SP_REG_SP = 31, SP_CFI_REGISTERS = 32, SP_FRAME_REGISTERS = 32 };

#define SP_REGISTERS_ALL 0xffffffffu
/* That a called function leaves as they were: x19 to x29, and sp (AAPCS64, 6.1.1). */
#define SP_KEPT_BY_CALLS (0x7ffu << 19 | 1u << SP_REG_SP)

#define SP_CONTEXT_WORDS_AT offsetof(ucontext_t, uc_mcontext.regs)
#define SP_CONTEXT_IP 32
#define SP_CONTEXT_SP 31
#define SP_CONTEXT_PLACES \
	{ \
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, \
			28, 29, 30, 31 \
	}
_Static_assert(offsetof(mcontext_t, pc) == offsetof(mcontext_t, regs) + 8 * SP_CONTEXT_IP, "one row of words");

/* Those of the calling function's own frame that calls keep. Returns its instruction. */
static inline __attribute__((always_inline)) uint64_t sp_capture_registers(uint64_t registers[SP_FRAME_REGISTERS])
{
	uint64_t ip, sp;

	__asm__ volatile("stp x19, x20, [%2, #19*8]\n\tstp x21, x22, [%2, #21*8]\n\tstp x23, x24, [%2, #23*8]\n\t"
			 "stp x25, x26, [%2, #25*8]\n\tstp x27, x28, [%2, #27*8]\n\tstr x29, [%2, #29*8]\n\t"
			 "mov %1, sp\n\tstr %1, [%2, #31*8]\n\tadr %0, ."
			 : "=&r"(ip), "=&r"(sp)
			 : "r"(registers)
			 : "memory");
	return ip;
}

/* --- frames */

#define SP_RED_ZONE 0u      /* bytes below the stack pointer that are in use */
#define SP_FRAME_LEAST 0u   /* bytes: a function that calls none may need no frame */
#define SP_ADDRESS_BITS 52u /* of a program */
#define SP_NO_ADDRESS 2ull  /* in no address of its code, nor one byte before it */
#define SP_CODE_ALIGNMENT 4u

/* How the table describes a function's first instruction: from the stack pointer to the CFA. */
#define SP_ENTRY_CFA 0

/* Of a return address as it was stored: without what pointer authentication has put into it. An instruction that does nothing
 * where there is none. */
static inline uint64_t sp_plain_address(uint64_t address)
{
	register uint64_t x30 __asm__("x30") = address;

	__asm__("hint #7 /* xpaclri */" : "+r"(x30));
	return x30;
}

/* What a signal handler returns to, the vDSO's __kernel_rt_sigreturn: mov x8, #139; svc #0. Its table's entry begins so many
 * bytes early (arch/arm64/kernel/vdso/sigreturn.S). Its stack pointer is so far below a ucontext_t (struct rt_sigframe). */
#define SP_SIGNAL_RETURN "\x68\x11\x80\xd2\x01\0\0\xd4"
#define SP_SIGNAL_RETURN_ASM "mov x8, #139\n\tsvc #0\n"
#define SP_SIGNAL_RETURN_BYTES 8u
#define SP_SIGNAL_RETURN_LEAD 4u
#define SP_SIGNAL_RETURN_MAY_BE_BARE 1 /* in no object: the kernel's, or an emulator's */
#define SP_SIGNAL_CONTEXT_AT 128u

/* True when the 8 bytes before a return address can be a call: bl, or blr and its kinds (Arm ARM, C4.1). */
static inline bool sp_follows_call(const uint8_t end[8])
{
	uint32_t code;

	memcpy(&code, end + 4, sizeof code);
	return code >> 26 == 0x25 || (code & 0xfefff000) == 0xd63f0000;
}

/* ret, and those that authenticate: retaa, retab. */
static inline bool sp_is_return(uint32_t code)
{
	return (code & 0xfffffc1f) == 0xd65f0000 || (code & 0xfffffbff) == 0xd65f0bff;
}

static inline int64_t sp_signed_bits(uint64_t value, unsigned bits)
{
	return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* The C library's _start hands main to __libc_start_main: adrp x0, then `add x0, x0, #n`, or `ldr x0, [x0, #n]` from the
 * global offset table (glibc, sysdeps/aarch64/start.S). 0: the entry point looks otherwise. bytes: that can be read there. */
static inline uint64_t sp_main_of_entry(const uint8_t *entry, uint64_t bytes)
{
	const uint32_t *code = (const uint32_t *)entry;

	for (uint64_t i = 0; i < 16 && 4 * i + 8 <= bytes; i++) {
		uint32_t page = code[i], next = code[i + 1];
		uint64_t at = ((uint64_t)(uintptr_t)(code + i) & ~0xfffull) +
			(uint64_t)(sp_signed_bits(page >> 5 << 2 | (page >> 29 & 3), 21) << 12);

		if ((page & 0x9f00001f) != 0x90000000)
			continue;
		if ((next & 0xffc003ff) == 0x91000000)
			return at + (next >> 10 & 0xfff);
		if ((next & 0xffc003ff) == 0xf9400000)
			return *(const uint64_t *)(at + 8u * (next >> 10 & 0xfff));
	}
	return 0;
}

/* Whether the context is that of a return from a system call, or to one that is made again: its instruction stands before, or
 * there, which may be unreadable. */
bool sp_read_memory(void *to, const void *from, size_t bytes) __attribute__((visibility("hidden"))); /* agent.h */
static inline bool sp_context_follows_call(const ucontext_t *context)
{
	const uint32_t call = 0xd4000001; /* svc #0 */
	uint32_t code[2];

	if (!sp_read_memory(code, (const void *)(context->uc_mcontext.pc - sizeof code[0]), sizeof code))
		return false;
	return code[0] == call || code[1] == call;
}

/* Whether a signal handler is about to begin: the kernel has just made its frame and arguments (arch/arm64/kernel/signal.c,
 * setup_return). */
static inline bool sp_context_enters_handler(const ucontext_t *context)
{
	const mcontext_t *m = &context->uc_mcontext;

	return m->regs[1] == m->sp && m->regs[2] == m->sp + SP_SIGNAL_CONTEXT_AT && m->regs[0] > 0 && m->regs[0] <= 64;
}

/* By which tables tell of frames that hold scalable vectors: the length of one, in 8 bytes (ABI's DWARF document, 4.1, VG). 0: there
 * are none. */
#define SP_REG_VECTOR_LENGTH 46u
static inline uint64_t sp_vector_length(void)
{
	long bytes = sp_sys6(SYS_prctl, 51 /* PR_SVE_GET_VL */, 0, 0, 0, 0, 0);

	return bytes > 0 ? (uint64_t)(bytes & 0xffff) / 8 : 0;
}

/* What copies of stacks keep of them (struct sp_copy): what calls leave as it was, and what code is that has no frame yet. */
#define SP_COPIED_REGISTERS \
	{ \
		15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 \
	}

/* --- objects */

#define SP_LOADER_SONAME "ld-linux-aarch64.so.1"
#define SP_RELOCATION_OF_SLOT R_AARCH64_JUMP_SLOT
#define SP_SYMBOL_CALLED_OTHERWISE 0x80 /* STO_AARCH64_VARIANT_PCS: the function has arguments where others have none */
