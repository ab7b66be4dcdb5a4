/* What stands in place of a function that is a span (span_functions.c): a stub for each slot of a procedure linkage table. It
 * goes on in sp_span_call, which has a frame as any function has, so that whoever walks the stack or throws through it
 * finds the way. The arguments on the stack are copied below that frame. */
#include "preload/hooks/span_call.h"

	.text
	.globl sp_span_stubs
	.hidden sp_span_stubs
	.type sp_span_stubs, %function
	.p2align 4
sp_span_stubs:
	.set number, 0
	.rept SP_SPAN_FUNCTIONS_MAX
	.p2align 4
#if defined(__x86_64__)
	endbr64
	movl $number, %r11d
	jmp sp_span_call
#elif defined(__aarch64__)
	hint #34 /* bti c */
	mov w17, #number
	b sp_span_call
#endif
	.set number, number + 1
	.endr
	.size sp_span_stubs, . - sp_span_stubs

	.type sp_span_call, %function
	.p2align 4
#if defined(__x86_64__)
/* Below rbp: registers that may hold arguments, struct sp_span_call, and then the arguments' copies. */
#define CALL -24
#define REAL -24
#define SAVED -224

sp_span_call:
	.cfi_startproc
	.cfi_personality 0x1b, sp_span_personality
	pushq %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq %rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq $224, %rsp
	andq $-16, %rsp /* code written by hand may not have */
	movq %rdi, SAVED(%rbp)
	movq %rsi, SAVED+8(%rbp)
	movq %rdx, SAVED+16(%rbp)
	movq %rcx, SAVED+24(%rbp)
	movq %r8, SAVED+32(%rbp)
	movq %r9, SAVED+40(%rbp)
	movq %rax, SAVED+48(%rbp)
	movq %r10, SAVED+56(%rbp)
	movups %xmm0, SAVED+64(%rbp)
	movups %xmm1, SAVED+80(%rbp)
	movups %xmm2, SAVED+96(%rbp)
	movups %xmm3, SAVED+112(%rbp)
	movups %xmm4, SAVED+128(%rbp)
	movups %xmm5, SAVED+144(%rbp)
	movups %xmm6, SAVED+160(%rbp)
	movups %xmm7, SAVED+176(%rbp)
	movl %r11d, %edi
	leaq 8(%rbp), %rsi
	movq (%rbp), %rdx
	leaq CALL(%rbp), %rcx
	call sp_span_enter
	movq %rax, %r11
	testq %rax, %rax
	jle 2f
	leaq 15(%rax), %rdx
	andq $-16, %rdx
	subq %rdx, %rsp
1:	movq 8(%rbp,%r11), %rdx
	movq %rdx, -8(%rsp,%r11)
	subq $8, %r11
	jnz 1b
2:	movq SAVED(%rbp), %rdi
	movq SAVED+8(%rbp), %rsi
	movq SAVED+16(%rbp), %rdx
	movq SAVED+24(%rbp), %rcx
	movq SAVED+32(%rbp), %r8
	movq SAVED+40(%rbp), %r9
	movq SAVED+48(%rbp), %rax
	movq SAVED+56(%rbp), %r10
	movups SAVED+64(%rbp), %xmm0
	movups SAVED+80(%rbp), %xmm1
	movups SAVED+96(%rbp), %xmm2
	movups SAVED+112(%rbp), %xmm3
	movups SAVED+128(%rbp), %xmm4
	movups SAVED+144(%rbp), %xmm5
	movups SAVED+160(%rbp), %xmm6
	movups SAVED+176(%rbp), %xmm7
	testq %r11, %r11
	js 3f
	call *REAL(%rbp)
	leaq SAVED(%rbp), %rsp
	andq $-16, %rsp
	movq %rax, SAVED(%rbp)
	movq %rdx, SAVED+8(%rbp)
	movups %xmm0, SAVED+64(%rbp)
	movups %xmm1, SAVED+80(%rbp)
	leaq CALL(%rbp), %rdi
	call sp_span_left
	movq SAVED(%rbp), %rax
	movq SAVED+8(%rbp), %rdx
	movups SAVED+64(%rbp), %xmm0
	movups SAVED+80(%rbp), %xmm1
	.cfi_remember_state
	leave
	.cfi_def_cfa %rsp, 8
	ret
3:	.cfi_restore_state
	movq REAL(%rbp), %r11
	leave
	.cfi_def_cfa %rsp, 8
	jmp *%r11
	.cfi_endproc
#elif defined(__aarch64__)
/* Below x29: struct sp_span_call, registers that may hold arguments, x16, by which the loader knows a slot that it has to bind,
 * and then the arguments' copies. What takes arguments in scalable vectors does not come here. */
#define CALL -32
#define REAL -32
#define SAVED -240
#define INDIRECT SAVED + 192 /* x8, where a large result goes */

sp_span_call:
	.cfi_startproc
	.cfi_personality 0x1b, sp_span_personality
	stp x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	mov x29, sp
	.cfi_def_cfa_register x29
	sub sp, sp, #240
	stp q0, q1, [x29, #SAVED]
	stp q2, q3, [x29, #SAVED + 32]
	stp q4, q5, [x29, #SAVED + 64]
	stp q6, q7, [x29, #SAVED + 96]
	stp x0, x1, [x29, #SAVED + 128]
	stp x2, x3, [x29, #SAVED + 144]
	stp x4, x5, [x29, #SAVED + 160]
	stp x6, x7, [x29, #SAVED + 176]
	stp x8, x16, [x29, #INDIRECT]
	mov w0, w17
	add x1, x29, #8
	ldr x2, [x29]
	add x3, x29, #CALL
	bl sp_span_enter
	mov x9, x0
	cmp x9, #0
	b.le 2f
	add x10, x9, #15
	and x10, x10, #-16
	sub sp, sp, x10
	add x11, x29, #16
	mov x12, sp
	mov x13, x9
1:	ldr x14, [x11], #8
	str x14, [x12], #8
	subs x13, x13, #8
	b.gt 1b
2:	ldp q0, q1, [x29, #SAVED]
	ldp q2, q3, [x29, #SAVED + 32]
	ldp q4, q5, [x29, #SAVED + 64]
	ldp q6, q7, [x29, #SAVED + 96]
	ldp x0, x1, [x29, #SAVED + 128]
	ldp x2, x3, [x29, #SAVED + 144]
	ldp x4, x5, [x29, #SAVED + 160]
	ldp x6, x7, [x29, #SAVED + 176]
	ldp x8, x16, [x29, #INDIRECT]
	ldr x17, [x29, #REAL]
	tbnz x9, #63, 3f
	blr x17
	sub sp, x29, #240
	stp q0, q1, [x29, #SAVED]
	stp q2, q3, [x29, #SAVED + 32]
	stp x0, x1, [x29, #SAVED + 128]
	add x0, x29, #CALL
	bl sp_span_left
	ldp q0, q1, [x29, #SAVED]
	ldp q2, q3, [x29, #SAVED + 32]
	ldp x0, x1, [x29, #SAVED + 128]
	.cfi_remember_state
	mov sp, x29
	.cfi_def_cfa_register sp
	ldp x29, x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	ret
3:	.cfi_restore_state
	mov sp, x29
	.cfi_def_cfa_register sp
	ldp x29, x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	br x17
	.cfi_endproc
#endif
	.size sp_span_call, . - sp_span_call
	.section .note.GNU-stack, "", %progbits
