/* void sp_switch_stack(void (*fn)(void *), void *arg, void *top)
 * Calls fn(arg) on another stack. The frame is a plain rbp frame, so that a walk gets
 * from the private stack back to the interrupted one. */
	.text
	.globl sp_switch_stack
	.hidden sp_switch_stack
	.type sp_switch_stack, @function
	.p2align 4
sp_switch_stack:
	.cfi_startproc
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
	.cfi_endproc
	.size sp_switch_stack, . - sp_switch_stack
	.section .note.GNU-stack, "", @progbits
