/* pid_t vfork(void)
 * A child runs on its parent's stack: no frame of ours may be on it, so the C library's is jumped to. */
	.text
	.globl vfork
	.type vfork, @function
	.p2align 4
vfork:
	.cfi_startproc
	endbr64
	subq $8, %rsp
	.cfi_def_cfa_offset 16
	call sp_before_vfork
	addq $8, %rsp
	.cfi_def_cfa_offset 8
	jmp *%rax
	.cfi_endproc
	.size vfork, . - vfork
	.section .note.GNU-stack, "", @progbits
