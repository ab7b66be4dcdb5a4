/* Frames stepped over by everything that unwind tables can say: rows as the assembler writes them, and expressions. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
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
	sp_agent.tsc_per_us_x1024 = 0;
	sp_unwind_init(getauxval(AT_ENTRY), getauxval(AT_BASE), getauxval(AT_RANDOM));
	sp_stack_begin(&view, &thread, 1000000);
	return 0;
}

static const uint64_t memory[3] = {0x1122334455667788, 0x99aabbccddeeff00, 0x8000000000000001};

/* rax is 100, rbx (3) where `memory` is, rsp 1000; r8 is not known. */
static bool evaluate(const char *code, size_t bytes, uint64_t *value)
{
	struct sp_reader reader = {(const uint8_t *)code, (const uint8_t *)code + bytes, false};
	struct sp_frame frame = {.ip = 0x5000, .known = 0xfeff};

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
		{CODE("\x11\x7f"), ~0ull},             /* constu, consts */
		{CODE("\x30"), 0}, {CODE("\x4f"), 31}, /* lit0, lit31 */
		{CODE("\x70\x7f"), 99}, {CODE("\x77\x80\x01"), 1128},
		{CODE("\x80\x01"), 0x5001},  /* breg rax, rsp, rip */
		{CODE("\x92\x00\x02"), 102}, /* bregx */
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
#define ODD(name, body) \
	__asm__(".text\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n" body \
		".cfi_endproc\n.size " #name ", . - " #name "\n"); \
	extern void name(void)

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
/* clang-format on */

static struct sp_walk walked;
static uint64_t trapped_at;

static void on_trap(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	trapped_at = (uint64_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	sp_unwind(&thread, context, &walked);
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
}

/* Heap samples know the registers that calls keep. */
ODD(carried_call,
	"push %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset %rbx, -16\nmov %rsp, %rbx\n.cfi_def_cfa %rbx, 16\n"
	"sub $512, %rsp\nand $-64, %rsp\ncall walk_here\nmov %rbx, %rsp\n.cfi_def_cfa %rsp, 16\npop %rbx\n"
	".cfi_def_cfa_offset 8\n.cfi_restore %rbx\nret\n");

__attribute__((used)) void walk_here(void)
{
	sp_unwind(&thread, NULL, &walked);
	__asm__ volatile("");
}

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
		cmocka_unit_test_setup(from_the_caller_itself, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
