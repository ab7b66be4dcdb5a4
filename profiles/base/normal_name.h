/* Names of functions and modules that stay the same from one build of a program to the next. */
#ifndef SP_PROFILES_NORMAL_NAME_H
#define SP_PROFILES_NORMAL_NAME_H

#include <stdbool.h>

#include "profiles/base/buffer.h"

/* A function's name without what compilers add (.cold, .part.N, .isra.N, .constprop.N, .llvm.N, .lto_priv.N,
 * " [clone …]") and with one spelling of templates; appended to out. */
void sp_normal_name(struct sp_buffer *out, const char *name);

/* A normalized name without the numbers that compilers count lambdas, closures, local statics and outlined code with, so
 * that one more in front shifts those behind; appended to out. False: it has none. */
bool sp_normal_family(struct sp_buffer *out, const char *name);

/* module+0x123: code without a symbol. */
bool sp_name_is_unnamed(const char *name);

/* A module's name without directory and version; the program itself is "(program)". */
void sp_normal_module(struct sp_buffer *out, const char *path, const char *program);

#endif
