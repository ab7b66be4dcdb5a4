/* The files the HTML page is made of, as strings. D3 and SCRIPT are set by the Makefile. */
	.section .rodata
	.macro file name, path
	.global \name
\name:
	.incbin "\path"
	.byte 0
	.endm
	file sp_page_html, "profiles/html/page.html"
	file sp_page_css, "profiles/html/page.css"
	file sp_page_js, SCRIPT
	file sp_page_licence, "profiles/html/d3_licence.txt"
	file sp_page_d3, D3
	.section .note.GNU-stack, "", @progbits
