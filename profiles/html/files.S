/* The files the HTML pages are made of, as strings. D3, SCRIPT and BOARD are set by the Makefile. */
	.section .rodata
	.macro file name, path
	.global \name
\name:
	.incbin "\path"
	.byte 0
	.endm
	file sp_frame_html, "profiles/html/frame.html"
	file sp_page_html, "profiles/html/page.html"
	file sp_page_css, "profiles/html/page.css"
	file sp_page_js, SCRIPT
	file sp_page_licence, "profiles/html/d3_licence.txt"
	file sp_page_d3, D3
	file sp_board_html, "profiles/html/board/board.html"
	file sp_board_css, "profiles/html/board/board.css"
	file sp_board_js, BOARD
	.section .note.GNU-stack, "", @progbits
