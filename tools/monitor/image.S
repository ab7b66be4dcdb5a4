/* The keeper, to be started from memory. */
	.section .rodata
	.globl sp_keeper_image
	.globl sp_keeper_image_bytes
	.balign 16
sp_keeper_image:
	.incbin KEEPER
end:
	.balign 8
sp_keeper_image_bytes:
	.quad end - sp_keeper_image
	.section .note.GNU-stack,"",@progbits
