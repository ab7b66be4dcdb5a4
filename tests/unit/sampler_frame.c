/* Frames stepped over by everything that unwind tables can say: rows as the assembler writes them, and expressions. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampler/walk/expression.h"
#include "sampler/walk/unwind.h"

static struct sp_thread thread;
static struct sp_spool_header header;
static struct sp_stack_view view;

static int set_up(void **state)
{
	(void)state;
	memset(&thread, 0, sizeof(thread));
	thread.tls = &sp_tls;
	thread.tid = sp_agent.pid = getpid();
	sp_agent.spool = &header;
	sp_agent.tsc_per_us_x1024 = 2560000000; /* a clock so slow that no walk is late */
	sp_unwind_init(getauxval(AT_ENTRY), getauxval(AT_BASE), getauxval(AT_RANDOM));
	sp_stack_begin(&view, &thread, 1000000);
	return 0;
}

static const uint64_t memory[3] = {0x1122334455667788, 0x99aabbccddeeff00, 0x8000000000000001};

/* Register 0 is 100, 3 where `memory` is, 7 1000; 8 is not known. Number 16 is the instruction on x86-64. */
static bool evaluate(const char *code, size_t bytes, uint64_t *value)
{
	struct sp_reader reader = {(const uint8_t *)code, (const uint8_t *)code + bytes, false};
	struct sp_frame frame = {.ip = 0x5000, .known = SP_REGISTERS_ALL & ~(1u << 8)};

	frame.registers[16 % SP_FRAME_REGISTERS] = 0x5000;
	frame.registers[0] = 100;
	frame.registers[3] = (uintptr_t)memory;
	frame.registers[7] = 1000;
	return sp_expression(reader, &frame, &view, NULL, value);
}

#define CODE(text) text, sizeof(text) - 1

static void expressions_have_values(void **state)
{
	static const struct {
		const char *code;
		size_t bytes;
		uint64_t value;
	} list[] = {
		{CODE("\x03\x01\x02\x03\x04\x05\x06\x07\x08"), 0x0807060504030201}, /* addr */
		{CODE("\x08\xff"), 255}, {CODE("\x09\xff"), ~0ull},                 /* const1u, 1s */
		{CODE("\x0a\xff\xff"), 0xffff}, {CODE("\x0b\xfe\xff"), ~1ull},
		{CODE("\x0c\xff\xff\xff\xff"), 0xffffffff}, {CODE("\x0d\xff\xff\xff\xff"), ~0ull},
		{CODE("\x0e\x01\x00\x00\x00\x00\x00\x00\x80"), 1ull << 63 | 1}, {CODE("\x10\x80\x01"), 128},
		{CODE("\x11\x7f"), ~0ull},                                                        /* constu, consts */
		{CODE("\x30"), 0}, {CODE("\x4f"), 31},                                            /* lit0, lit31 */
		{CODE("\x70\x7f"), 99}, {CODE("\x77\x80\x01"), 1128}, {CODE("\x80\x01"), 0x5001}, /* breg 0, 7, 16 */
		{CODE("\x92\x00\x02"), 102},                                                      /* bregx */
		{CODE("\x73\x00\x06"), 0x1122334455667788}, {CODE("\x73\x08\x06"), 0x99aabbccddeeff00}, /* deref */
		{CODE("\x73\x00\x94\x01"), 0x88}, {CODE("\x73\x01\x94\x04"), 0x44556677},               /* deref_size */
		{CODE("\x73\x06\x94\x04"), 0xff001122}, {CODE("\x73\x07\x94\x02"), 0x0011},
		{CODE("\x31\x32\x12\x22\x22"), 5},                                           /* dup, plus */
		{CODE("\x31\x32\x13"), 1},                                                   /* drop */
		{CODE("\x34\x31\x14\x1c"), (uint64_t)-3}, {CODE("\x34\x33\x32\x15\x02"), 4}, /* over, pick */
		{CODE("\x34\x31\x16\x1c"), (uint64_t)-3},                                    /* swap, minus */
		{CODE("\x33\x32\x31\x17\x13"), 3},
		{CODE("\x33\x32\x31\x17\x13\x13"), 1}, /* rot: 1 goes below 3 and 2 */
		{CODE("\x09\xfe\x19"), 2}, {CODE("\x31\x1f"), ~0ull}, {CODE("\x30\x20"), ~0ull}, /* abs, neg, not */
		{CODE("\x3c\x3a\x1a"), 8}, {CODE("\x09\xf8\x33\x1b"), (uint64_t)-2}, {CODE("\x09\xff\x3a\x1d"), 5},
		{CODE("\x33\x34\x1e"), 12}, {CODE("\x3c\x3a\x21"), 14}, {CODE("\x3c\x3a\x27"), 6},
		{CODE("\x31\x23\x80\x01"), 129}, /* plus_uconst */
		{CODE("\x31\x34\x24"), 16}, {CODE("\x31\x08\x40\x24"), 0},
		{CODE("\x09\xf0\x34\x25"), 0xfffffffffffffff}, {CODE("\x09\xf0\x34\x26"), ~0ull},
		{CODE("\x09\xf0\x08\x40\x26"), ~0ull}, {CODE("\x09\xf0\x08\x40\x25"), 0}, {CODE("\x31\x31\x29"), 1},
		{CODE("\x09\xff\x31\x2a"), 0}, {CODE("\x32\x31\x2b"), 1}, {CODE("\x09\xff\x31\x2c"), 1},
		{CODE("\x09\xff\x31\x2d"), 1}, {CODE("\x31\x31\x2e"), 0},
		{CODE("\x31\x2f\x01\x00\x32\x96"), 1},                                                /* skip, nop */
		{CODE("\x35\x31\x28\x01\x00\x13\x96"), 5}, {CODE("\x35\x36\x30\x28\x01\x00\x13"), 5}, /* bra */
		{CODE("\x30\x34\x16\x35\x22\x16\x31\x1c\x12\x28\xf6\xff\x13"), 20}, /* a loop: four times 5 */
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (!evaluate(list[i].code, list[i].bytes, &value) || value != list[i].value)
			fail_msg("expression %zu: %llx, not %llx", i, (unsigned long long)value,
				(unsigned long long)list[i].value);
	}
}

static void bad_expressions_have_none(void **state)
{
	static const struct {
		const char *code;
		size_t bytes;
	} list[] = {
		{CODE("")}, {CODE("\x12")}, {CODE("\x31\x22")},             /* nothing there */
		{CODE("\x08")}, {CODE("\x10\x80")}, {CODE("\x0e\x01")},     /* cut off */
		{CODE("\x31\x30\x1b")}, {CODE("\x31\x30\x1d")},             /* by zero */
		{CODE("\x0e\x00\x00\x00\x00\x00\x00\x00\x80\x09\xff\x1b")}, /* overflows */
		{CODE("\x2f\xfd\xff")}, {CODE("\x2f\x00\x01\x31")},         /* forever; out of it */
		{CODE("\x2f\xf0\xff\x31")}, {CODE("\x31\x2f\xfc\xff")},     /* out of it; too many values */
		{CODE("\x78\x00")}, {CODE("\x92\x20\x00")}, /* a register that is not known, or is none */
		{CODE("\x38\x06")}, {CODE("\x73\x00\x94\x00")}, {CODE("\x73\x00\x94\x09")}, {CODE("\x50")},
		{CODE("\x9c")}, {CODE("\xff")}, /* not for tables of frames */
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (evaluate(list[i].code, list[i].bytes, &value))
			fail_msg("expression %zu has a value", i);
}

/* Functions of odd ways to describe their frames, each of which traps; the callers are known. */
/* clang-format off */
#define PLAIN(name, body) \
	__asm__(".text\n.p2align 2\n.globl " #name "\n.hidden " #name "\n.type " #name ", %function\n" #name ":\n" body ".size " #name ", . - " #name "\n"); \
	extern void name(void)
#define ODD(name, body) PLAIN(name, ".cfi_startproc\n" body ".cfi_endproc\n")

#if defined(__x86_64__)
#define TRAP_BYTES 0 /* the interrupted instruction is the next one */

/* The CFA in r11, which a callee's frame carries along. */
ODD(by_any_register, "mov %rsp, %r11\n.cfi_def_cfa %r11, 8\nsub $256, %rsp\nint3\nmov %r11, %rsp\n"
	".cfi_def_cfa %rsp, 8\nret\n");
/* In rbx; the caller's rbx in r10 all the while. The trap is a frame further in. */
ODD(carry_in, "push %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset %rbx, -16\nmov $7, %ebx\nint3\npop %rbx\n"
	".cfi_def_cfa_offset 8\n.cfi_restore %rbx\nret\n");
ODD(carried, "push %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset %rbx, -16\nmov %rsp, %rbx\n.cfi_def_cfa %rbx, 16\n"
	"sub $512, %rsp\nand $-64, %rsp\ncall carry_in\nmov %rbx, %rsp\n.cfi_def_cfa %rsp, 16\npop %rbx\n"
	".cfi_def_cfa_offset 8\n.cfi_restore %rbx\nret\n");
/* CFA: breg rsp 0, lit16, plus, deref (what was stored); the return address at an expression of it. */
ODD(by_expression, "lea 8(%rsp), %rax\nsub $40, %rsp\nmov %rax, 16(%rsp)\n"
	".cfi_escape 0x0f, 5, 0x77, 0, 0x40, 0x22, 0x06\nint3\nadd $40, %rsp\n.cfi_def_cfa %rsp, 8\nret\n");
ODD(return_at_expression, ".cfi_escape 0x10, 16, 3, 0x09, 0xf8, 0x22\nint3\n.cfi_offset %rip, -8\nret\n");
/* The return address in rdx; rsp by an expression, rbp by an offset of the CFA. */
ODD(return_in_register, "mov (%rsp), %rdx\n.cfi_register %rip, %rdx\nint3\n.cfi_offset %rip, -8\nret\n");
ODD(sp_by_expression, ".cfi_escape 0x16, 7, 3, 0x77, 8, 0x96\nint3\nret\n");
ODD(undone, ".cfi_remember_state\nsub $24, %rsp\n.cfi_def_cfa_offset 32\n.cfi_remember_state\nadd $24, %rsp\n"
	".cfi_def_cfa_offset 8\n.cfi_restore_state\n.cfi_restore_state\nint3\nret\n");
/* Heap samples know the registers that calls keep. */
ODD(carried_call,
	"push %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset %rbx, -16\nmov %rsp, %rbx\n.cfi_def_cfa %rbx, 16\n"
	"sub $512, %rsp\nand $-64, %rsp\ncall walk_here\nmov %rbx, %rsp\n.cfi_def_cfa %rsp, 16\npop %rbx\n"
	".cfi_def_cfa_offset 8\n.cfi_restore %rbx\nret\n");
#else
#define TRAP_BYTES 4

/* The CFA in x11, which a callee's frame carries along. */
ODD(by_any_register, "mov x11, sp\n.cfi_def_cfa x11, 0\nsub sp, sp, #256\nbrk #0\nmov sp, x11\n.cfi_def_cfa sp, 0\nret\n");
/* In x19; the caller's x19 in the frame all the while. The trap is a frame further in. */
ODD(carry_in, "str x19, [sp, #-16]!\n.cfi_def_cfa_offset 16\n.cfi_offset x19, -16\nmov x19, #7\nbrk #0\n"
	"ldr x19, [sp], #16\n.cfi_def_cfa_offset 0\n.cfi_restore x19\nret\n");
#define CARRY(callee) \
	"stp x19, x30, [sp, #-16]!\n.cfi_def_cfa_offset 16\n.cfi_offset x19, -16\n.cfi_offset x30, -8\nmov x19, sp\n" \
	".cfi_def_cfa x19, 16\nsub sp, sp, #512\nbl " callee "\nmov sp, x19\n.cfi_def_cfa sp, 16\n" \
	"ldp x19, x30, [sp], #16\n.cfi_def_cfa_offset 0\n.cfi_restore x19\n.cfi_restore x30\nret\n"
ODD(carried, CARRY("carry_in"));
/* CFA: breg sp 0, lit16, plus, deref (what was stored); the return address at an expression of it. */
ODD(by_expression, "mov x0, sp\nsub sp, sp, #48\nstr x0, [sp, #16]\n.cfi_escape 0x0f, 5, 0x8f, 0, 0x40, 0x22, 0x06\n"
	"brk #0\nadd sp, sp, #48\n.cfi_def_cfa sp, 0\nret\n");
ODD(return_at_expression, "str x30, [sp, #-16]!\n.cfi_def_cfa_offset 16\n.cfi_escape 0x10, 30, 3, 0x09, 0xf0, 0x22\n"
	"mov x30, #0\nbrk #0\nldr x30, [sp], #16\n.cfi_def_cfa_offset 0\n.cfi_restore x30\nret\n");
/* The return address in x2; sp by an expression. */
ODD(return_in_register, "mov x2, x30\n.cfi_register x30, x2\nmov x30, #0\nbrk #0\nmov x30, x2\n.cfi_restore x30\nret\n");
ODD(sp_by_expression, "sub sp, sp, #16\n.cfi_def_cfa_offset 16\n.cfi_escape 0x16, 31, 3, 0x8f, 16, 0x96\nbrk #0\n"
	"add sp, sp, #16\n.cfi_same_value sp\n.cfi_def_cfa_offset 0\nret\n");
ODD(undone, ".cfi_remember_state\nsub sp, sp, #32\n.cfi_def_cfa_offset 32\n.cfi_remember_state\nadd sp, sp, #32\n"
	".cfi_def_cfa_offset 0\n.cfi_restore_state\n.cfi_restore_state\nbrk #0\nret\n");
ODD(carried_call, CARRY("walk_here"));
/* The pair so far below the CFA that no short rule tells it. */
ODD(large, "sub sp, sp, #1088\n.cfi_def_cfa_offset 1088\nstp x29, x30, [sp, #16]\n.cfi_offset x29, -1072\n"
	".cfi_offset x30, -1064\nadd x29, sp, #16\nbl carry_in\nldp x29, x30, [sp, #16]\nadd sp, sp, #1088\n"
	".cfi_def_cfa_offset 0\n.cfi_restore x29\n.cfi_restore x30\nret\n");

/* Return addresses that were signed (paciasp), where the processor does that: in the register, and stored. */
#define SIGN "hint #25\n"
#define CHECK "hint #29\n"
ODD(signed_in_register, SIGN ".cfi_negate_ra_state\nbrk #0\n" CHECK ".cfi_negate_ra_state\nret\n");
ODD(signed_and_stored, SIGN ".cfi_negate_ra_state\nstp x29, x30, [sp, #-32]!\n.cfi_def_cfa_offset 32\n"
	".cfi_offset x29, -32\n.cfi_offset x30, -24\nmov x30, #0\nbrk #0\nldp x29, x30, [sp], #32\n"
	".cfi_def_cfa_offset 0\n.cfi_restore x29\n.cfi_restore x30\n" CHECK ".cfi_negate_ra_state\nret\n");

/* Without tables: before, in and after a frame, whose pair stands at its lower end. */
PLAIN(untold_leaf, "sub sp, sp, #64\nbrk #0\nadd sp, sp, #64\nret\n");
#define FRAMED(inner) "stp x29, x30, [sp, #-96]!\nadd x29, sp, #0\n" inner "ldp x29, x30, [sp], #96\n"
PLAIN(untold_before, "stp x29, x30, [sp, #-96]!\nbrk #0\nadd x29, sp, #0\nldp x29, x30, [sp], #96\nret\n");
PLAIN(untold_framed, FRAMED("mov x30, #0\nbrk #0\n") "ret\n");
PLAIN(untold_after, FRAMED("") "brk #0\nret\n");
PLAIN(untold_signed, SIGN FRAMED("brk #0\n") CHECK "ret\n");
PLAIN(untold_caller, FRAMED("bl 1f\nbrk #0\n") "ret\n1: ret\n");
PLAIN(untold_looping, FRAMED("b 2f\n1: brk #0\nb 3f\n2: bl 4f\nb 1b\n3:\n") "ret\n4: ret\n");
#endif
/* clang-format on */

static struct sp_walk walked;
static uint64_t trapped_at;

static void on_trap(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	trapped_at = sp_context_ip(context);
	sp_unwind(&thread, context, &walked);
	sp_context_words(context)[SP_CONTEXT_IP] += TRAP_BYTES;
}

static uint64_t here;

static __attribute__((noinline)) void call(void (*function)(void))
{
	here = (uint64_t)(uintptr_t)call;
	function();
	__asm__ volatile("");
}

static void check_walk(void (*function)(void), unsigned between)
{
	call(function);
	assert_int_equal(walked.flags, 0);
	assert_int_equal(walked.frames[0], trapped_at);
	assert_in_range(walked.frames[1 + between], here, here + 200);
	assert_true(walked.depth > between + 4);
}

static void odd_frames_are_stepped_over(void **state)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	(void)state;
	sigaction(SIGTRAP, &action, NULL);
	check_walk(by_any_register, 0);
	check_walk(carried, 1);
	check_walk(by_expression, 0);
	check_walk(return_at_expression, 0);
	check_walk(return_in_register, 0);
	check_walk(sp_by_expression, 0);
	check_walk(undone, 0);
#if defined(__aarch64__)
	check_walk(large, 1);
#endif
}

__attribute__((used)) void walk_here(void)
{
	sp_unwind(&thread, NULL, &walked);
	__asm__ volatile("");
}

#if defined(__aarch64__)
static void signed_return_addresses_are_plain(void **state)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	(void)state;
	sigaction(SIGTRAP, &action, NULL);
	check_walk(signed_in_register, 0);
	check_walk(signed_and_stored, 0);
}

static void code_without_tables_is_left_by_register_or_pair(void **state)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	(void)state;
	sigaction(SIGTRAP, &action, NULL);
	check_walk(untold_leaf, 0);
	check_walk(untold_before, 0);
	check_walk(untold_framed, 0);
	check_walk(untold_after, 0);
	check_walk(untold_signed, 0);
	check_walk(untold_caller, 0);
	check_walk(untold_looping, 0);
}

/* Frames with scalable vectors are told of by the vectors' length. */
static void the_length_of_vectors_is_a_register(void **state)
{
	int bytes = prctl(PR_SVE_GET_VL);
	uint64_t value;

	(void)state;
	assert_int_equal(evaluate(CODE("\x92\x2e\x00"), &value), bytes > 0);
	if (bytes > 0)
		assert_int_equal(value, (bytes & PR_SVE_VL_LEN_MASK) / 8);
}
#endif

static void from_the_caller_itself(void **state)
{
	unsigned at = 0;

	(void)state;
	sp_agent.own_start = sp_agent.own_end = NULL;
	call(carried_call);
	assert_int_equal(walked.flags, SP_STACK_IS_HEAP);
	while (at < walked.depth && walked.frames[at] - here > 200)
		at++;
	assert_int_equal(at, 3); /* sp_unwind, walk_here, carried_call */
	assert_true(walked.depth > 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(expressions_have_values, set_up),
		cmocka_unit_test_setup(bad_expressions_have_none, set_up),
		cmocka_unit_test_setup(odd_frames_are_stepped_over, set_up),
#if defined(__aarch64__)
		cmocka_unit_test_setup(signed_return_addresses_are_plain, set_up),
		cmocka_unit_test_setup(code_without_tables_is_left_by_register_or_pair, set_up),
		cmocka_unit_test_setup(the_length_of_vectors_is_a_register, set_up),
#endif
		cmocka_unit_test_setup(from_the_caller_itself, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
