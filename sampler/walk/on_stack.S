/* void sp_switch_stack(void (*fn)(void *), void *arg, void *top)
 * Calls fn(arg) on another stack. The frame is a plain one with a frame pointer, so that a walk gets
 * from the private stack back to the interrupted one. */
	.text
	.globl sp_switch_stack
	.hidden sp_switch_stack
	.type sp_switch_stack, %function
	.p2align 4
sp_switch_stack:
	.cfi_startproc
#if defined(__x86_64__)
	endbr64
	pushq %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq %rsp, %rbp
	.cfi_def_cfa_register %rbp
	movq %rdx, %rsp
	andq $-16, %rsp
	movq %rdi, %rax
	movq %rsi, %rdi
	call *%rax
	leave
	.cfi_def_cfa %rsp, 8
	ret
#elif defined(__aarch64__)
	stp x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	mov x29, sp
	.cfi_def_cfa_register x29
	and x2, x2, #-16
	mov sp, x2
	mov x16, x0
	mov x0, x1
	blr x16
	mov sp, x29
	ldp x29, x30, [sp], #16
	.cfi_def_cfa sp, 0
	.cfi_restore x29
	.cfi_restore x30
	ret
#endif
	.cfi_endproc
	.size sp_switch_stack, . - sp_switch_stack
	.section .note.GNU-stack, "", %progbits
