/* The templates of `smartprof init`, as strings. */
	.section .rodata
	.macro file name, path
	.global \name
\name:
	.incbin "tools/init/files/\path"
	.byte 0
	.endm
	file sp_init_github, "github.yml"
	file sp_init_gitlab, "gitlab.yml"
	file sp_init_gitlab_ci, "gitlab-ci.yml"
	file sp_init_gate_hook, "gate-hook.sh"
	file sp_init_trailer_hook, "trailer-hook.sh"
	file sp_init_note_hook, "note-hook.sh"
	file sp_init_docker, "Dockerfile"
	file sp_init_guard_service, "guard.service"
	file sp_init_check_service, "check.service"
	file sp_init_check_timer, "check.timer"
	file sp_init_cron, "cron"
	.section .note.GNU-stack, "", @progbits
