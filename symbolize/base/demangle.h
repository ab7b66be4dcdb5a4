/* Linkage names as people write them. */
#ifndef SP_SYMBOLIZE_BASE_DEMANGLE_H
#define SP_SYMBOLIZE_BASE_DEMANGLE_H

/* Demangles C++, procedures of Fortran modules, and Rust as far as binutils-style demanglers do, with limits on input length,
 * output length and time against hostile names. Returns malloc'ed text, or NULL when `mangled` is
 * no mangled name or exceeds the limits (then use it as it is). The time limit is kept with SIGVTALRM, whose
 * disposition is ours from the first call on. */
char *sp_demangle(const char *mangled);

#endif
