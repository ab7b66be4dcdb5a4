/* pid_t vfork(void)
 * A child runs on its parent's stack: no frame of ours may be on it, so the C library's is jumped to. */
	.text
	.globl vfork
	.type vfork, %function
	.p2align 4
vfork:
	.cfi_startproc
#if defined(__x86_64__)
	endbr64
	subq $8, %rsp
	.cfi_def_cfa_offset 16
	call sp_before_vfork
	addq $8, %rsp
	.cfi_def_cfa_offset 8
	jmp *%rax
#elif defined(__aarch64__)
	stp x29, x30, [sp, #-16]!
	.cfi_def_cfa_offset 16
	.cfi_offset x29, -16
	.cfi_offset x30, -8
	bl sp_before_vfork
	mov x16, x0
	ldp x29, x30, [sp], #16
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	br x16
#endif
	.cfi_endproc
	.size vfork, . - vfork
	.section .note.GNU-stack, "", %progbits
