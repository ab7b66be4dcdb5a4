/* The files the HTML page is made of, as strings. D3_SELECTION and D3_HIERARCHY are set by the Makefile. */
	.section .rodata
	.macro file name, path
	.global \name
\name:
	.incbin "\path"
	.byte 0
	.endm
	file sp_page_html, "profiles/html/page.html"
	file sp_page_css, "profiles/html/page.css"
	file sp_page_js, "profiles/html/page.js"
	file sp_page_licence, "profiles/html/d3_licence.txt"
	file sp_page_d3_selection, D3_SELECTION
	file sp_page_d3_hierarchy, D3_HIERARCHY
	.section .note.GNU-stack, "", @progbits
